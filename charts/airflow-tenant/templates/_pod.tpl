{{/* Fragments of pods. Every pod meets the Pod Security Standard "restricted"; nothing in the values loosens it. */}}

{{- define "airflow-tenant.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* (dict "uid" n "gid" n "fsGroup" n) */}}
{{- define "airflow-tenant.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 .uid }}
runAsGroup: {{ int64 .gid }}
fsGroup: {{ int64 .fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* fsGroup is git-sync's group: it writes /git, Airflow reads it. */}}
{{- define "airflow-tenant.airflowPodSecurity" -}}
{{- include "airflow-tenant.podSecurity" (dict "uid" .Values.uid "gid" .Values.gid "fsGroup" 65533) }}
{{- end }}

{{/*
What every pod has: (dict "root" $ "component" c "settings" <.Values.<component>> "account" <ServiceAccount's component> "token" bool).
*/}}
{{- define "airflow-tenant.podCommon" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
serviceAccountName: {{ include "airflow-tenant.name" (dict "root" $root "component" .component) }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int64 $settings.terminationGracePeriodSeconds }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $settings.nodeSelector | default $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity | default $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations | default $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas spread over zones and nodes where there are several; never a reason to stay pending. */}}
{{- define "airflow-tenant.topologySpread" -}}
topologySpreadConstraints:
{{- with .settings.topologySpreadConstraints | default .root.Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    # only pods of the same revision count, else a rolling update would spread around the pods it replaces
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "airflow-tenant.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Annotations of a pod template: (dict "root" $ "component" c "settings" ... "git" bool "secrets" <more names>).
A change of anything a pod reads at its start must change its template, else the pod would go on with the old value.
Secrets are told by these checksums, ConfigMaps by their names.
*/}}
{{- define "airflow-tenant.podAnnotations" -}}
{{- $root := .root -}}
{{- $annotations := dict -}}
{{- $names := .secrets | default list -}}
{{- range fromJsonArray (include "airflow-tenant.secretEnv" .) }}{{ $names = append $names .secret }}{{ end -}}
{{- range concat $root.Values.env (.settings.env | default list) -}}
{{- with .valueFrom }}{{ with .secretKeyRef }}{{ $names = append $names .name }}{{ end }}{{ end -}}
{{- end -}}
{{- if .git -}}
{{- range $root.Values.dags.sources }}{{ with .gitSync }}{{ with .credentialsSecretName }}{{ $names = append $names . }}{{ end }}{{ end }}{{ end -}}
{{- end -}}
{{- $annotations = merge $annotations (include "airflow-tenant.secretChecksums" (dict "root" $root "names" $names) | fromJson) -}}
{{- toYaml (merge $annotations .settings.podAnnotations $root.Values.airflowPodAnnotations) -}}
{{- end }}

{{/*
(dict "root" $ "names" <Secret names>) -> JSON {annotation: value}. Names come with the caller's opaque checksum from
`secretChecksums`. Secrets made by this chart share one short hash: 32 bits say "changed" and help nobody to guess a value.
*/}}
{{- define "airflow-tenant.secretChecksums" -}}
{{- $root := .root -}}
{{- $annotations := dict -}}
{{- $inline := include "airflow-tenant.inlineSecrets" $root -}}
{{- range .names | uniq | sortAlpha -}}
{{- $checksum := index $root.Values.secretChecksums . -}}
{{- if $checksum -}}
{{- $short := ternary . (printf "%s-%s" (. | trunc 40) (sha256sum . | trunc 8)) (le (len .) 50) -}}
{{- $_ := set $annotations (printf "checksum/secret.%s" $short) $checksum -}}
{{- else if hasKey (fromJson $inline) . -}}
{{- $_ := set $annotations "checksum/inline-secrets" (sha256sum $inline | trunc 8) -}}
{{- end -}}
{{- end -}}
{{- $annotations | toJson -}}
{{- end }}

{{- define "airflow-tenant.airflowImage" -}}
image: {{ include "airflow-tenant.image" (dict "root" . "image" "airflow") | quote }}
imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
{{- end }}

{{/* Everything else of the root file system is read-only. */}}
{{- define "airflow-tenant.airflowMounts" -}}
- name: tmp
  mountPath: /tmp
- name: logs
  mountPath: /opt/airflow/logs
- name: config
  mountPath: /opt/airflow/config
  readOnly: true
{{- end }}

{{- define "airflow-tenant.airflowVolumes" -}}
- name: tmp
  emptyDir: {}
- name: logs
  emptyDir: {}
- name: config
  configMap:
    name: {{ include "airflow-tenant.configMapName" (dict "root" . "component" "modules") }}
{{- end }}

{{- define "airflow-tenant.configFrom" -}}
- configMapRef:
    name: {{ include "airflow-tenant.configMapName" (dict "root" . "component" "config") }}
{{- end }}

{{/*
Init container: (dict "root" $ "state" "migrated"|"connected"). Compares Alembic heads without importing Airflow, about
0.1 CPU seconds instead of the 5 to 7 of `airflow db check-migrations` in every pod; see files/database_state.py.
*/}}
{{- define "airflow-tenant.waitForDatabase" -}}
{{- $root := .root -}}
- name: {{ ternary "wait-for-migrations" "wait-for-database" (eq .state "migrated") }}
  {{- include "airflow-tenant.airflowImage" $root | nindent 2 }}
  command:
  - python
  - /opt/airflow/config/wait_for_database.py
  - {{ .state }}
  - --timeout={{ int64 $root.Values.images.migrationsWaitTimeout }}
  {{- if and (eq .state "migrated") $root.Values.createUserJob.users }}
  - --users
  {{- end }}
  env:
  - name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
    valueFrom:
      secretKeyRef:
        name: {{ include "airflow-tenant.metadataSecret" $root }}
        key: connection
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "airflow-tenant.containerSecurity" $root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 48Mi}
    limits: {memory: 128Mi}
  volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: config
    mountPath: /opt/airflow/config
    readOnly: true
{{- end }}

{{/* (dict "root" $ "wanted" n): the replicas of a workload; none while the release hibernates. */}}
{{- define "airflow-tenant.replicas" -}}
{{- ternary 0 (int64 .wanted) .root.Values.hibernated -}}
{{- end }}

{{/*
A PodDisruptionBudget: (dict "root" $ "component" c "settings" ...) with two replicas or on demand. None while the
release hibernates: minAvailable without pods looks like an outage to whoever watches budgets.
*/}}
{{- define "airflow-tenant.podDisruptionBudget" -}}
{{- $budget := .settings.podDisruptionBudget -}}
{{- $wanted := ternary (ge (int .settings.replicas) 2) $budget.enabled (kindIs "invalid" $budget.enabled) -}}
{{- if and $wanted (not .root.Values.hibernated) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "airflow-tenant.metadata" (merge (dict "stage" "components") .) | nindent 2 }}
spec:
  {{- toYaml $budget.config | nindent 2 }}
  selector:
    matchLabels:
      {{- include "airflow-tenant.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}
