{{- define "kronos.crdUpgradeName" -}}
{{- include "kronos.fullname" . }}-crd-upgrade
{{- end -}}

{{- /* Call with the weight: what the Job needs comes before it. A failed Job stays, for its log. */ -}}
{{- define "kronos.crdUpgradeHook" -}}
helm.sh/hook: pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
