{{- define "airflow-tenant.migrateTemplate" -}}
{{- $settings := .Values.migrateDatabaseJob -}}
{{- $scope := dict "root" . "component" "migrate-database" "settings" $settings -}}
{{- $users := list -}}
{{- $passwords := list -}}
{{- $secrets := list -}}
{{- range $index, $user := .Values.createUserJob.users -}}
{{- $variable := printf "TENANT_USER_%d_PASSWORD" $index -}}
{{- $users = append $users (merge (dict "passwordEnv" $variable) (omit $user "passwordSecretName" "passwordSecretKey")) -}}
{{- $key := $user.passwordSecretKey | default "password" -}}
{{- $passwords = append $passwords (dict "name" $variable "valueFrom" (dict "secretKeyRef" (dict "name" $user.passwordSecretName "key" $key))) -}}
{{- $secrets = append $secrets $user.passwordSecretName -}}
{{- end -}}
{{- $variables := concat (list (dict "name" "TENANT_USERS" "value" (toRawJson $users))) $passwords -}}
{{- if and .Values.postgresql.enabled .Values.postgresql.metrics.enabled -}}
{{- $variables = append $variables (dict "name" "TENANT_METRICS_ROLE" "value" (include "airflow-tenant.metricsRole" .)) -}}
{{- end -}}
metadata:
  labels:
    {{- include "airflow-tenant.podLabels" $scope | nindent 4 }}
  annotations:
    {{- include "airflow-tenant.podAnnotations" (merge (dict "secrets" $secrets) $scope) | nindent 4 }}
spec:
  {{- include "airflow-tenant.podCommon" $scope | nindent 2 }}
  # Never: a failed pod stays and its log can be read.
  restartPolicy: Never
  securityContext:
    {{- include "airflow-tenant.airflowPodSecurity" . | nindent 4 }}
  initContainers:
  {{- include "airflow-tenant.waitForDatabase" (dict "root" . "state" "connected") | nindent 2 }}
  containers:
  - name: migrate-database
    {{- include "airflow-tenant.airflowImage" . | nindent 4 }}
    args: [python, /opt/airflow/config/migrate_database.py]
    envFrom:
    {{- include "airflow-tenant.configFrom" . | nindent 4 }}
    env:
    {{- include "airflow-tenant.env" (merge (dict "chart" $variables) $scope) | nindent 4 }}
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext:
      {{- include "airflow-tenant.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml $settings.resources | nindent 6 }}
    volumeMounts:
    {{- include "airflow-tenant.airflowMounts" . | nindent 4 }}
  volumes:
  {{- include "airflow-tenant.airflowVolumes" . | nindent 2 }}
{{- end }}
