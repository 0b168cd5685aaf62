{{- /* What the operator may do with KronosDeployments and what they own, in every namespace that it serves. */ -}}
{{- define "kronos.rules" -}}
# The users' wishes: read and watched, never changed.
- apiGroups: [kronos.dev]
  resources: [kronosdeployments]
  verbs: [get, list, watch]
# What became of them.
- apiGroups: [kronos.dev]
  resources: [kronosdeployments/status]
  verbs: [patch]
# Owner references that block the owner's deletion are only accepted from those who could set its finalizers.
- apiGroups: [kronos.dev]
  resources: [kronosdeployments/finalizers]
  verbs: [update]
# The pools. Created and changed by server-side apply, which is a patch that needs create for the first one.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# The pod templates that worked, kept for the rollback.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# Pools and routes inside the cluster.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# The pools' identity, which has no rights of its own. It goes with its owner, so nobody else deletes it.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
# The way in: spec.ingress.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
# The way in: spec.gateway.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# Pools of two and more keep serving while nodes are drained.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Pools with autoscaling.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# Why a pool is not ready: read only.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Which pool can answer, for the failover: read only.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# Warnings about a pod that is not ready; and what happened to a KronosDeployment, told to its users.
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{- end -}}

{{- /* Call with (list . KIND ROLE): binds the ClusterRole or Role of that name to the operator. */ -}}
{{- define "kronos.binding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "kronos.serviceAccountName" (index . 0) }}
    namespace: {{ (index . 0).Release.Namespace }}
{{- end -}}
