{{/*
Airflow's configuration as environment variables (JSON object name -> string). Variables rather than airflow.cfg:
any string survives them (a % or a line break in airflow.cfg does not), and one ConfigMap serves every component.
User configuration wins over what the chart computes, key by key.
*/}}
{{- define "airflow-tenant.config" -}}
{{- $release := .Release.Name -}}
{{- $apiUrl := printf "http://%s-api-server:8080" $release -}}
{{- $computed := dict
  "core" (dict
    "executor" .Values.executor
    "execution_api_server_url" (printf "%s/execution/" $apiUrl)
    "hostname_callable" "airflow.utils.net.get_host_ip_address")
  "logging" (dict "json_logs" "True" "colored_console_log" "False")
  "metrics" (dict "statsd_on" (ternary "True" "False" .Values.statsd.enabled)) -}}
{{- if .Values.statsd.enabled -}}
{{- /* tags that are another one for every run or file would make series without end */ -}}
{{- $_ := set $computed "metrics" (dict
  "statsd_on" "True"
  "statsd_host" (printf "%s-statsd" $release)
  "statsd_port" "9125"
  "statsd_prefix" "airflow"
  "statsd_influxdb_enabled" "True"
  "legacy_names_on" "False"
  "statsd_disabled_tags" "job_id,run_id,dagrun_id,file_path") -}}
{{- end -}}
{{- if not (include "airflow-tenant.executorIsLocal" .) -}}
{{- $_ := set $computed "kubernetes_executor" (dict
  "namespace" .Release.Namespace
  "pod_template_file" "/opt/airflow/pod-template/pod_template.yaml"
  "delete_worker_pods" "True"
  "delete_worker_pods_on_failure" "False") -}}
{{- end -}}
{{- if .Values.dags.sources -}}
{{- $bundles := list -}}
{{- range .Values.dags.sources -}}
{{- if .image -}}
{{- $bundles = append $bundles (dict
  "name" .name
  "classpath" "airflow.dag_processing.bundles.local.LocalDagBundle"
  "kwargs" (dict "path" .image.path)) -}}
{{- else -}}
{{- $bundles = append $bundles (dict
  "name" .name
  "classpath" "tenant_bundles.GitSyncDagBundle"
  "kwargs" (dict "root" (printf "/git/%s" .name) "subdir" (.subPath | default "") "refresh_interval" 5)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $computed "dag_processor" (dict "dag_bundle_config_list" ($bundles | toRawJson)) -}}
{{- end -}}
{{- $variables := dict -}}
{{- /* not sprig's merge: it takes false and "" for absent */ -}}
{{- range $layer := list $computed .Values.config -}}
{{- range $section, $keys := $layer -}}
{{- range $key, $value := $keys -}}
{{- $name := printf "AIRFLOW__%s__%s" ($section | replace "." "_" | replace "-" "_" | upper) ($key | upper) -}}
{{- $_ := set $variables $name (include "airflow-tenant.scalar" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $variables | toJson -}}
{{- end }}

{{/* A configuration value as Airflow spells it: True, not true; 1000000, not 1e+06. */}}
{{- define "airflow-tenant.scalar" -}}
{{- if kindIs "bool" . -}}
{{- ternary "True" "False" . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- . | int64 -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end }}

{{/* The Python modules of files/ and an airflow.cfg that says nothing: Airflow writes one when there is none, and the root is read-only. */}}
{{- define "airflow-tenant.modules" -}}
{{- $data := dict "airflow.cfg" "# Airflow's configuration is in the environment (AIRFLOW__SECTION__KEY).\n" -}}
{{- range $path, $_ := .Files.Glob "files/*.py" -}}
{{- $_ := set $data (base $path) ($.Files.Get $path) -}}
{{- end -}}
{{- $data | toJson -}}
{{- end }}

{{/*
(dict "root" $ "component" "config"|"modules"|"pod-template"): the name of that ConfigMap, which ends in a hash of its
content. A release that fails on its way thus changes nothing that pods of the earlier one read, however late they
start; and a change of the content changes the pods that name it. Whoever applies removes earlier ones.
*/}}
{{- define "airflow-tenant.configMapName" -}}
{{- $fragment := get (dict "config" "config" "modules" "modules" "pod-template" "podTemplate") .component -}}
{{- $content := include (printf "airflow-tenant.%s" $fragment) .root -}}
{{- printf "%s-%s" (include "airflow-tenant.name" .) (sha256sum $content | trunc 8) -}}
{{- end }}

{{/*
Secrets that the chart itself makes, as JSON {name: {key: value}}. For plain `helm install`; the operator passes names instead.
*/}}
{{- define "airflow-tenant.inlineSecrets" -}}
{{- $secrets := dict -}}
{{- if not .Values.fernetKeySecretName -}}
{{- $_ := set $secrets (include "airflow-tenant.fernetSecret" .) (dict "fernet-key" .Values.fernetKey) -}}
{{- end -}}
{{- if not .Values.apiSecretKeySecretName -}}
{{- $_ := set $secrets (include "airflow-tenant.apiSecret" .) (dict "api-secret-key" .Values.apiSecretKey) -}}
{{- end -}}
{{- if not .Values.jwtSecretName -}}
{{- $_ := set $secrets (include "airflow-tenant.jwtSecret" .) (dict "jwt-secret" .Values.jwtSecret) -}}
{{- end -}}
{{- if and .Values.postgresql.enabled (not .Values.postgresql.auth.existingSecret) -}}
{{- $_ := set $secrets (include "airflow-tenant.postgresqlSecret" .) (dict "postgres-password" .Values.postgresql.auth.password) -}}
{{- end -}}
{{- if not .Values.data.metadataSecretName -}}
{{- $target := .Values.data.metadataConnection -}}
{{- if .Values.postgresql.enabled -}}
{{- $auth := .Values.postgresql.auth -}}
{{- $target = dict "user" $auth.username "pass" $auth.password "host" (printf "%s-postgresql" .Release.Name) "port" 5432 "db" $auth.database "sslmode" "" -}}
{{- end -}}
{{- $url := printf "://%s:%s@%s:%d/%s" (include "airflow-tenant.urlPart" $target.user) (include "airflow-tenant.urlPart" $target.pass) $target.host (int $target.port) (include "airflow-tenant.urlPart" $target.db) -}}
{{- $data := dict "connection" (printf "postgresql+psycopg2%s%s" $url (ternary (printf "?sslmode=%s" $target.sslmode) "" (ne $target.sslmode ""))) -}}
{{- if $target.sslmode -}}
{{- /* asyncpg calls the same thing ssl and refuses sslmode */ -}}
{{- $_ := set $data "connection-async" (printf "postgresql+asyncpg%s?ssl=%s" $url $target.sslmode) -}}
{{- end -}}
{{- $_ := set $secrets (include "airflow-tenant.metadataSecret" .) $data -}}
{{- end -}}
{{- $secrets | toJson -}}
{{- end }}

{{- define "airflow-tenant.urlPart" -}}
{{- . | urlquery | replace "+" "%20" -}}
{{- end }}

{{/* Whether the chart made a separate URL for asyncpg. */}}
{{- define "airflow-tenant.hasAsyncUrl" -}}
{{- if and (not .Values.data.metadataSecretName) (not .Values.postgresql.enabled) .Values.data.metadataConnection.sslmode }}true{{ end -}}
{{- end }}

{{/*
(dict "root" $ "component" c): the Secrets that a component's own containers read, as a JSON list of
{env, secret, key}. This is the whole table: nothing else hands a Secret to an Airflow container.
A LocalExecutor scheduler runs tasks, so task code can read all four; KubernetesExecutor workers get none.
*/}}
{{- define "airflow-tenant.secretEnv" -}}
{{- $root := .root -}}
{{- $wanted := dict
  "api-server" (list "metadata" "fernet" "jwt" "api")
  "scheduler" (ternary (list "metadata" "fernet" "jwt" "api") (list "metadata" "fernet" "jwt") (eq $root.Values.executor "LocalExecutor"))
  "dag-processor" (list "metadata" "fernet")
  "triggerer" (list "metadata" "fernet" "jwt" "api")
  "migrate-database" (list "metadata" "fernet")
  "worker" list
-}}
{{- $all := dict
  "metadata" (dict "env" "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" "secret" (include "airflow-tenant.metadataSecret" $root) "key" "connection")
  "fernet" (dict "env" "AIRFLOW__CORE__FERNET_KEY" "secret" (include "airflow-tenant.fernetSecret" $root) "key" "fernet-key")
  "jwt" (dict "env" "AIRFLOW__API_AUTH__JWT_SECRET" "secret" (include "airflow-tenant.jwtSecret" $root) "key" "jwt-secret")
  "api" (dict "env" "AIRFLOW__API__SECRET_KEY" "secret" (include "airflow-tenant.apiSecret" $root) "key" "api-secret-key")
-}}
{{- $entries := list -}}
{{- range index $wanted .component -}}
{{- $entries = append $entries (index $all .) -}}
{{- if and (eq . "metadata") (include "airflow-tenant.hasAsyncUrl" $root) -}}
{{- $entries = append $entries (dict "env" "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC" "secret" (include "airflow-tenant.metadataSecret" $root) "key" "connection-async") -}}
{{- end -}}
{{- end -}}
{{- $entries | toJson -}}
{{- end }}

{{/*
(dict "root" $ "component" c "env" <component's own env> "chart" <list of more>): the env list of an Airflow container.
A later list wins by name (chart < env < component env), and no name appears twice: server-side apply refuses duplicates.
*/}}
{{- define "airflow-tenant.env" -}}
{{- $chart := list (dict "name" "AIRFLOW_CONFIG" "value" "/opt/airflow/config/airflow.cfg") -}}
{{- range fromJsonArray (include "airflow-tenant.secretEnv" .) -}}
{{- $chart = append $chart (dict "name" .env "valueFrom" (dict "secretKeyRef" (dict "name" .secret "key" .key))) -}}
{{- end -}}
{{- $chart = concat $chart (.chart | default list) -}}
{{- $own := .env | default list -}}
{{- $result := list -}}
{{- range $index, $layer := list $chart .root.Values.env $own -}}
{{- $later := index (list (concat $.root.Values.env $own) $own list) $index -}}
{{- $taken := list -}}
{{- range $later }}{{ $taken = append $taken .name }}{{ end -}}
{{- range $layer }}{{ if not (has .name $taken) }}{{ $result = append $result . }}{{ end }}{{ end -}}
{{- end -}}
{{- toYaml $result -}}
{{- end }}
