{{- define "serin.fullname" -}}
{{- if contains "serin" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-serin" (.Release.Name | trunc 47 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "serin.selector" -}}
app.kubernetes.io/name: serin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "serin.labels" -}}
{{ include "serin.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: serin
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "serin.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "serin.fullname" .) -}}
{{- end -}}

{{- /* The user of the operator's requests, as admission sees it. */ -}}
{{- define "serin.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "serin.serviceAccountName" . }}
{{- end -}}

{{- /* Cluster-scoped names carry the namespace, so that two releases do not meet. */ -}}
{{- define "serin.clusterName" -}}
{{- $name := include "serin.fullname" . -}}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" .Release.Namespace $name }}{{ end -}}
{{- end -}}

{{- /* Which admission policy makes the gate: Mutating, Validating or None. */ -}}
{{- define "serin.policy" -}}
{{- $mode := .Values.gate.policy -}}
{{- if and (eq .Values.gate.mode "Admission") (eq $mode "Validating") -}}
{{- fail "gate.mode: Admission needs a policy that pauses a changed template, and gate.policy: Validating does not; leave gate.policy at Auto, or set gate.mode to Paused" -}}
{{- end -}}
{{- $version := .Capabilities.KubeVersion.Version -}}
{{- $kind := "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- if ne $mode "Auto" -}}
{{ $mode }}
{{- else if eq .Values.gate.mode "Paused" -}}
Validating
{{- else if eq .Values.gate.mode "Admission" -}}
Mutating
{{- else if or (.Capabilities.APIVersions.Has $kind) (semverCompare ">=1.36.0-0" $version) -}}
Mutating
{{- else -}}
Validating
{{- end -}}
{{- end -}}

{{- /* How the operator must hold templates back: what it is told has to fit the policy that is installed. */ -}}
{{- define "serin.gate" -}}
{{- if ne .Values.gate.mode "Auto" -}}
{{ .Values.gate.mode }}
{{- else -}}
{{ ternary "Admission" "Paused" (eq (include "serin.policy" .) "Mutating") }}
{{- end -}}
{{- end -}}

{{- /* In which namespaces the policy is in force. */ -}}
{{- define "serin.policyScope" -}}
{{- with .Values.watchNamespaces }}
matchResources:
  namespaceSelector:
    matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ toJson . }}
{{- end }}
{{- end -}}

{{- /* Rights on the namespaces under care. Each verb has its use: what is only watched is not written. */ -}}
{{- define "serin.rules" -}}
# patch: the finalizer
- apiGroups: [serin.dev]
  resources: [rollouts]
  verbs: [get, list, watch, patch]
- apiGroups: [serin.dev]
  resources: [rolloutactions]
  verbs: [list, watch, delete] # delete: those that were answered long ago
- apiGroups: [serin.dev]
  resources: [rollouts/status, rolloutactions/status]
  verbs: [patch]
# patch: the gate on the user's Deployment; create, delete: the candidate
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
# A purge empties the ReplicaSets of what was not approved.
- apiGroups: [apps]
  resources: [replicasets/scale]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# The candidate's Service; the user's is only read.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# The weights.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, patch]
# Objects whose selectors might catch the candidate's pods.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch]
# How the gateway is to speak to a Service, by its name.
- apiGroups: [gateway.networking.k8s.io]
  resources: [backendtlspolicies]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
