{{- define "tenant-operator.selectorLabels" -}}
app.kubernetes.io/name: airflow-tenant-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of objects. `labels` wins over the defaults, but its schema refuses the two selector labels. */}}
{{- define "tenant-operator.labels" -}}
{{- $defaults := dict
  "app.kubernetes.io/component" "operator"
  "app.kubernetes.io/part-of" "airflow-tenants"
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{ include "tenant-operator.selectorLabels" . }}
{{ toYaml (merge (dict) .Values.labels $defaults) }}
{{- end }}

{{/* Labels of the pod: without version labels, so that a new chart version alone restarts nothing. */}}
{{- define "tenant-operator.podLabels" -}}
{{ include "tenant-operator.selectorLabels" . }}
{{ toYaml (merge (dict) .Values.labels (dict "app.kubernetes.io/component" "operator" "app.kubernetes.io/part-of" "airflow-tenants")) }}
{{- end }}

{{- define "tenant-operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "tenant-operator.defaults" -}}
images:
  {{- toYaml .Values.tenantDefaults.images | nindent 2 }}
monitoring:
  {{- toYaml .Values.tenantDefaults.monitoring | nindent 2 }}
{{- end }}

{{/* Cluster-scoped as the ClusterRoles, whose names are fixed, too: there is one operator in a cluster. */}}
{{- define "tenant-operator.policyMetadata" -}}
name: airflow-tenant-operator-{{ .name }}
labels:
  {{- include "tenant-operator.labels" .root | nindent 2 }}
{{- end }}

{{- define "tenant-operator.byTheOperator" -}}
- name: by-the-operator
  expression: "request.userInfo.username == {{ .account | squote }}"
{{- end }}
