{{/*
What the schema cannot say: values that need each other. All problems are reported at once.
Included by the ConfigMap, which every render contains.
*/}}
{{- define "airflow-tenant.checks" -}}
{{- $problems := list -}}
{{- if gt (len .Release.Name) 40 -}}
{{- $problems = append $problems (printf "the release name %q is longer than 40 characters: object names would become too long" .Release.Name) -}}
{{- end -}}
{{- if not (or .Values.fernetKey .Values.fernetKeySecretName) -}}
{{- $problems = append $problems "set fernetKeySecretName (a Secret with the key fernet-key) or fernetKey" -}}
{{- end -}}
{{- if not (or .Values.apiSecretKey .Values.apiSecretKeySecretName) -}}
{{- $problems = append $problems "set apiSecretKeySecretName (a Secret with the key api-secret-key) or apiSecretKey" -}}
{{- end -}}
{{- if not (or .Values.jwtSecret .Values.jwtSecretName) -}}
{{- $problems = append $problems "set jwtSecretName (a Secret with the key jwt-secret) or jwtSecret" -}}
{{- end -}}
{{- $connection := .Values.data.metadataConnection -}}
{{- if .Values.postgresql.enabled -}}
{{- if not (or .Values.postgresql.auth.existingSecret .Values.postgresql.auth.password) -}}
{{- $problems = append $problems "set postgresql.auth.existingSecret (a Secret with the key postgres-password) or postgresql.auth.password" -}}
{{- end -}}
{{- if and .Values.postgresql.auth.existingSecret (not .Values.data.metadataSecretName) -}}
{{- $problems = append $problems "postgresql.auth.existingSecret needs data.metadataSecretName too: a URL can't be made from a password that the chart does not see" -}}
{{- end -}}
{{- if or $connection.host $connection.user $connection.pass $connection.db -}}
{{- $problems = append $problems "data.metadataConnection is for an external database: set postgresql.enabled to false, or remove it" -}}
{{- end -}}
{{- else if not .Values.data.metadataSecretName -}}
{{- if not (and $connection.host $connection.user $connection.pass $connection.db) -}}
{{- $problems = append $problems "with postgresql.enabled=false set data.metadataSecretName, or host, user, pass and db of data.metadataConnection" -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.dags.sources -}}
{{- if has .name $names -}}
{{- $problems = append $problems (printf "dags.sources: the name %q is used twice" .name) -}}
{{- end -}}
{{- if eq (not .gitSync) (not .image) -}}
{{- $problems = append $problems (printf "dags.sources: %q needs exactly one of gitSync and image" .name) -}}
{{- end -}}
{{- if and .image .subPath -}}
{{- $problems = append $problems (printf "dags.sources: subPath of %q is for gitSync; with image, path names the folder" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if and .Values.dags.sources (index (.Values.config.dag_processor | default dict) "dag_bundle_config_list") -}}
{{- $problems = append $problems "config.dag_processor.dag_bundle_config_list and dags.sources exclude each other" -}}
{{- end -}}
{{- range $list := list .Values.env .Values.apiServer.env .Values.scheduler.env .Values.dagProcessor.env .Values.triggerer.env .Values.workers.env -}}
{{- $seen := list -}}
{{- range $list -}}
{{- if has .name $seen -}}
{{- $problems = append $problems (printf "env: %s is there twice" .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- end -}}
{{- $users := list -}}
{{- range .Values.createUserJob.users -}}
{{- if has .username $users -}}
{{- $problems = append $problems (printf "createUserJob.users: %s is there twice" .username) -}}
{{- end -}}
{{- $users = append $users .username -}}
{{- end -}}
{{- if and (or .Values.monitoring.prometheusRule.enabled .Values.monitoring.rulesConfigMap.enabled) (not .Values.monitoring.rules.groups) -}}
{{- $problems = append $problems "monitoring.prometheusRule.enabled and monitoring.rulesConfigMap.enabled need monitoring.rules.groups: without them there is no rule" -}}
{{- end -}}
{{- if and .Values.monitoring.alertmanagerConfig.enabled (not .Values.monitoring.alertmanagerConfig.spec) -}}
{{- $problems = append $problems "monitoring.alertmanagerConfig.enabled needs monitoring.alertmanagerConfig.spec: without routes nobody is told" -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThe values are not complete or contradict each other:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end }}
