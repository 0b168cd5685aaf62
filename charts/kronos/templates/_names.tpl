{{- define "kronos.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* 40 characters leave room for the suffixes: a name that becomes a label value ends at 63. */ -}}
{{- define "kronos.fullname" -}}
{{- $name := include "kronos.name" . -}}
{{- $default := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $default .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* The suffix also keeps the operator's ServiceAccount apart from that of a KronosDeployment called like the release. */ -}}
{{- define "kronos.operatorName" -}}
{{- include "kronos.fullname" . }}-operator
{{- end -}}

{{- define "kronos.serviceAccountName" -}}
{{- $account := .Values.operator.serviceAccount -}}
{{- if and (not $account.create) (not $account.name) -}}
{{- fail "operator.serviceAccount.name: name the existing ServiceAccount, or leave operator.serviceAccount.create at true" -}}
{{- end -}}
{{- default (include "kronos.operatorName" .) $account.name -}}
{{- end -}}

{{- define "kronos.deploymentName" -}}
{{- $name := default .Release.Name .Values.kronosDeployment.name -}}
{{- if or (gt (len $name) 45) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "kronosDeployment.name: %q cannot name a KronosDeployment (at most 45 of a-z, 0-9 and -, a letter first): set kronosDeployment.name" $name) -}}
{{- end -}}
{{- if and .Values.watchNamespaces (not (has .Release.Namespace .Values.watchNamespaces)) -}}
{{- fail (printf "watchNamespaces: nobody would serve the release's own KronosDeployment: add %q, or set kronosDeployment.create to false" .Release.Namespace) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- /* For objects outside the release's namespace, where two releases of the same name in two namespaces would meet. */ -}}
{{- define "kronos.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "kronos.operatorName" .) -}}
{{- end -}}
