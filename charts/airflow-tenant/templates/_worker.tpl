{{/*
KubernetesExecutor's pod. It gets no Secret of Airflow's own: the scheduler hands it a token for its one task, and
everything else it asks the api-server for.
*/}}
{{- define "airflow-tenant.podTemplate" -}}
{{- $scope := dict "root" . "component" "worker" "settings" .Values.workers -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "airflow-tenant.name" $scope }}
  labels:
    {{- include "airflow-tenant.podLabels" $scope | nindent 4 }}
  {{- with merge (dict) .Values.workers.podAnnotations .Values.airflowPodAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "airflow-tenant.podCommon" $scope | nindent 2 }}
  restartPolicy: Never
  securityContext:
    {{- include "airflow-tenant.airflowPodSecurity" . | nindent 4 }}
  {{- if include "airflow-tenant.hasGit" . }}
  initContainers:
  {{- include "airflow-tenant.gitContainers" (dict "root" . "sidecars" false) | trim | nindent 2 }}
  {{- end }}
  containers:
  - name: base
    {{- include "airflow-tenant.airflowImage" . | nindent 4 }}
    envFrom:
    {{- include "airflow-tenant.configFrom" . | nindent 4 }}
    env:
    {{- include "airflow-tenant.env" (dict "root" . "component" "worker" "env" .Values.workers.env) | nindent 4 }}
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext:
      {{- include "airflow-tenant.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml .Values.workers.resources | nindent 6 }}
    volumeMounts:
    {{- include "airflow-tenant.airflowMounts" . | nindent 4 }}
    {{- include "airflow-tenant.gitMount" . | nindent 4 }}
  volumes:
  {{- include "airflow-tenant.airflowVolumes" . | nindent 2 }}
  {{- include "airflow-tenant.gitVolumes" . | nindent 2 }}
{{- end }}
