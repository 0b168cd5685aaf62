{{- /* Where the pools that this release serves are scraped. */ -}}
{{- define "kronos.scrapedNamespaces" -}}
{{- if .Values.watchNamespaces -}}
matchNames:
  {{- toYaml .Values.watchNamespaces | nindent 2 }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}

{{- define "kronos.poolRelabelings" -}}
# Alerts and dashboards group by these two.
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_label_kronos_dev_deployment]
    targetLabel: kronosdeployment
  - sourceLabels: [__meta_kubernetes_pod_label_kronos_dev_pool]
    targetLabel: pool
{{- end -}}
