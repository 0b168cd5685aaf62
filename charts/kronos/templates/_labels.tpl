{{- /* Call with (list . COMPONENT). Immutable in the Deployment, so: identity only. */ -}}
{{- define "kronos.selectorLabels" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ include "kronos.name" $context }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* Call with (list . COMPONENT) or (list . COMPONENT LABELS); LABELS win over commonLabels. */ -}}
{{- define "kronos.labels" -}}
{{- $context := index . 0 -}}
{{ include "kronos.selectorLabels" . }}
app.kubernetes.io/version: {{ $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- $more := ternary (index . (sub (len .) 1)) dict (gt (len .) 2) }}
{{- with merge dict $more $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
