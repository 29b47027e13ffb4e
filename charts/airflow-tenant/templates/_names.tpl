{{/* Every helper takes (dict "root" $ "component" "<name>"); root is the chart's top scope. */}}

{{- define "airflow-tenant.name" -}}
{{ .root.Release.Name }}-{{ .component }}
{{- end }}

{{/* Never changes for a component: selectors of Deployments and StatefulSets are immutable. */}}
{{- define "airflow-tenant.selectorLabels" -}}
app.kubernetes.io/name: airflow-tenant
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* By what series, logs and dashboards know whose something is, as JSON. The operator gives both in `labels`. */}}
{{- define "airflow-tenant.whose" -}}
{{- dict "airflowtenants.io/tenant" .root.Release.Name "airflowtenants.io/team" .root.Release.Name | toJson -}}
{{- end }}

{{/* Labels of objects. `labels` wins over the defaults, but its schema refuses the three selector labels. */}}
{{- define "airflow-tenant.labels" -}}
{{- $defaults := merge (include "airflow-tenant.whose" . | fromJson) (dict
  "app.kubernetes.io/part-of" "airflow"
  "app.kubernetes.io/version" (.root.Values.airflowVersion | toString)
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")) -}}
{{ include "airflow-tenant.selectorLabels" . }}
{{ toYaml (merge (dict) .root.Values.labels $defaults) }}
{{- end }}

{{/* Labels of pods: without version labels, so that a new chart version alone restarts nothing. */}}
{{- define "airflow-tenant.podLabels" -}}
{{- $defaults := merge (include "airflow-tenant.whose" . | fromJson) (dict "app.kubernetes.io/part-of" "airflow") -}}
{{ include "airflow-tenant.selectorLabels" . }}
{{ toYaml (merge (dict) .root.Values.labels $defaults) }}
{{- end }}

{{/* metadata of an object: also takes "stage", and "name" where it is not <release>-<component>, and "annotations". */}}
{{- define "airflow-tenant.metadata" -}}
name: {{ .name | default (include "airflow-tenant.name" .) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "airflow-tenant.labels" . | nindent 2 }}
annotations:
  airflowtenants.io/stage: {{ .stage }}
  {{- with .annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "airflow-tenant.executorIsLocal" -}}
{{- if eq .Values.executor "LocalExecutor" }}true{{ end -}}
{{- end }}

{{/* (dict "root" $ "image" "<key of images>"): repository@digest or repository:tag */}}
{{- define "airflow-tenant.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $repository := $image.repository -}}
{{- $tag := $image.tag -}}
{{- if eq .image "airflow" -}}
{{- $repository = $repository | default .root.Values.defaultAirflowRepository -}}
{{- $tag = $tag | default .root.Values.defaultAirflowTag | default .root.Values.airflowVersion -}}
{{- end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $tag }}
{{- end -}}
{{- end }}

{{- define "airflow-tenant.fernetSecret" -}}
{{ .Values.fernetKeySecretName | default (printf "%s-fernet-key" .Release.Name) }}
{{- end }}

{{- define "airflow-tenant.apiSecret" -}}
{{ .Values.apiSecretKeySecretName | default (printf "%s-api-secret-key" .Release.Name) }}
{{- end }}

{{- define "airflow-tenant.jwtSecret" -}}
{{ .Values.jwtSecretName | default (printf "%s-jwt-secret" .Release.Name) }}
{{- end }}

{{- define "airflow-tenant.metadataSecret" -}}
{{ .Values.data.metadataSecretName | default (printf "%s-metadata" .Release.Name) }}
{{- end }}

{{- define "airflow-tenant.postgresqlSecret" -}}
{{ .Values.postgresql.auth.existingSecret | default (printf "%s-postgresql" .Release.Name) }}
{{- end }}
