{{/* Fragments of what Prometheus, Alertmanager and Grafana get of a tenant. */}}

{{/*
Annotations that make a Prometheus find a pod's port by them: (dict "root" $ "port" n), as JSON. Nothing that the cluster
may get or lose decides on them: they are the pod template's, and a change restarts every exporter and database.
*/}}
{{- define "airflow-tenant.scrapeAnnotations" -}}
{{- ternary (dict "prometheus.io/scrape" "true" "prometheus.io/port" (toString .port) "prometheus.io/path" "/metrics") dict .root.Values.monitoring.scrapeAnnotations | toJson -}}
{{- end }}

{{/* The database role of the exporter. */}}
{{- define "airflow-tenant.metricsRole" -}}metrics_reader{{- end }}

{{/*
(dict "board" b "tenant" t): the stable uid of a tenant's dashboard. Grafana takes 40 characters: a longer one is cut and
gets a hash of the whole, so that two tenants with the same beginning stay two.
*/}}
{{- define "airflow-tenant.dashboardUid" -}}
{{- $uid := printf "%s-%s" .board .tenant -}}
{{- ternary $uid (printf "%s-%s" ($uid | trunc 31) (sha256sum $uid | trunc 8)) (le (len $uid) 40) -}}
{{- end }}

{{/* JSON {file name: text} of the team's dashboards, with the tenant's names in them. */}}
{{- define "airflow-tenant.dashboards" -}}
{{- $release := .Release -}}
{{- $runbook := .Values.monitoring.dashboards.runbookUrl -}}
{{- $boards := dict -}}
{{- range $path, $bytes := .Files.Glob "files/dashboards/*.json" -}}
{{- $text := toString $bytes | trim | replace "__TENANT__" $release.Name | replace "__NAMESPACE__" $release.Namespace | replace "__RUNBOOK_URL__" $runbook -}}
{{- range $board := list "team" "slo" "capacity" "cost" -}}
{{- $text = $text | replace (printf "__UID_%s__" (upper $board)) (include "airflow-tenant.dashboardUid" (dict "board" $board "tenant" $release.Name)) -}}
{{- end -}}
{{- /* the tenant is in the file's name: Grafana's sidecar writes those of all tenants of a team into one folder */ -}}
{{- $_ := set $boards (printf "%s-%s" $release.Name (base $path)) $text -}}
{{- end -}}
{{- $boards | toJson -}}
{{- end }}

{{/* The folder in Grafana: the team's, for all of its tenants together. */}}
{{- define "airflow-tenant.dashboardFolder" -}}
{{- .Values.monitoring.dashboards.folder | default (get .Values.labels "airflowtenants.io/team") | default .Release.Name -}}
{{- end }}

{{/* metadata of a monitoring object: (dict "root" $ "component" c "labels" <more> ...) as "airflow-tenant.metadata" takes it. */}}
{{- define "airflow-tenant.monitoringMetadata" -}}
{{- $metadata := include "airflow-tenant.metadata" (merge (dict "stage" "monitoring") .) | fromYaml -}}
{{- $_ := set $metadata "labels" (merge (dict) (.more | default dict) $metadata.labels) -}}
{{- toYaml $metadata -}}
{{- end }}
