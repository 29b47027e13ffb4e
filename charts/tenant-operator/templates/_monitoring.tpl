{{/* metadata of a monitoring object: (dict "root" $ "name" n "namespace" ns "labels" <more> "annotations" <all>). */}}
{{- define "tenant-operator.monitoringMetadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- toYaml (merge (dict) (.labels | default dict) (include "tenant-operator.labels" .root | fromYaml)) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A rule file of files/rules with the installation's addresses. Never through `tpl`: Prometheus has its own {{ }}. */}}
{{- define "tenant-operator.rules" -}}
{{- .root.Files.Get .path | replace "__RUNBOOK_URL__" .root.Values.alerts.runbookUrl | replace "__GRAFANA_URL__" (.root.Values.alerts.grafanaUrl | trimSuffix "/") -}}
{{- end }}
