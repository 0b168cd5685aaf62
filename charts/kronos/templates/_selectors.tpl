{{- /* The pods of all pools in a namespace. */ -}}
{{- define "kronos.poolSelector" -}}
matchExpressions:
  - {key: kronos.dev/pool, operator: Exists}
{{- end -}}

{{- define "kronos.dnsEgress" -}}
# Name resolution, wherever the cluster's DNS runs.
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}
