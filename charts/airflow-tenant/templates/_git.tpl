{{/*
git-sync containers of one pod: (dict "root" $ "sidecars" bool). Each source gets an init container that fetches once
and, in pods that live on, a native sidecar that follows the branch; it starts before and stops after Airflow.
--max-failures=-1: a Git server that is away must not restart pods, the last good tree stays in use.
--stale-worktree-timeout: tasks that started before a push go on reading their own tree.
--sync-on-signal: how the operator asks for a fetch between two periods.
*/}}
{{- define "airflow-tenant.gitContainers" -}}
{{- $root := .root -}}
{{- range $source := $root.Values.dags.sources }}
{{- if $source.gitSync }}
- name: git-sync-init-{{ $source.name }}
  {{- include "airflow-tenant.gitContainer" (dict "root" $root "source" $source) | nindent 2 }}
  args:
  {{- include "airflow-tenant.gitArgs" $source | nindent 2 }}
  - --one-time
{{- end }}
{{- end }}
{{- if .sidecars }}
{{- range $index, $source := $root.Values.dags.sources }}
{{- if $source.gitSync }}
- name: git-sync-{{ $source.name }}
  restartPolicy: Always
  {{- include "airflow-tenant.gitContainer" (dict "root" $root "source" $source) | nindent 2 }}
  args:
  {{- include "airflow-tenant.gitArgs" $source | nindent 2 }}
  - --period={{ $source.gitSync.period | default "30s" }}
  - --max-failures=-1
  - --stale-worktree-timeout=24h
  - --sync-on-signal=SIGHUP
  - --http-bind=:{{ add 2020 $index }}
  - --http-metrics
  ports:
  - name: git-metrics-{{ $index }}
    containerPort: {{ add 2020 $index }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty when a source is pulled by git-sync. */}}
{{- define "airflow-tenant.hasGit" -}}
{{- range .Values.dags.sources }}{{ if .gitSync }}true{{ end }}{{ end -}}
{{- end }}

{{- define "airflow-tenant.gitArgs" -}}
- {{ printf "--repo=%s" .gitSync.repo | quote }}
- {{ printf "--ref=%s" (.gitSync.ref | default "HEAD") | quote }}
- {{ printf "--depth=%d" (int (ternary 1 .gitSync.depth (kindIs "invalid" .gitSync.depth))) | quote }}
- --root=/git/{{ .name }}
- --link=current
{{- end }}

{{- define "airflow-tenant.gitIsSsh" -}}
{{- if regexMatch "^(ssh://|[^/:]+@[^/:]+:)" .gitSync.repo }}true{{ end -}}
{{- end }}

{{- define "airflow-tenant.gitContainer" -}}
{{- $root := .root -}}
{{- $git := .source.gitSync -}}
{{- $ssh := include "airflow-tenant.gitIsSsh" .source -}}
image: {{ include "airflow-tenant.image" (dict "root" $root "image" "gitSync") | quote }}
imagePullPolicy: {{ $root.Values.images.gitSync.pullPolicy }}
env:
- name: HOME
  value: /tmp
{{- if $git.credentialsSecretName }}
{{- if $ssh }}
- name: GITSYNC_SSH_KEY_FILE
  value: /etc/git-secret/ssh
- name: GITSYNC_SSH_KNOWN_HOSTS_FILE
  value: /etc/git-secret/known_hosts
{{- else }}
- name: GITSYNC_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $git.credentialsSecretName }}
      key: username
- name: GITSYNC_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $git.credentialsSecretName }}
      key: password
{{- end }}
{{- end }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "airflow-tenant.containerSecurity" $root | nindent 2 }}
  runAsUser: 65533
  runAsGroup: 65533
resources:
  {{- toYaml $root.Values.dags.gitSync.resources | nindent 2 }}
volumeMounts:
- name: git
  mountPath: /git
- name: git-tmp
  mountPath: /tmp
{{- if and $ssh $git.credentialsSecretName }}
- name: git-secret-{{ .source.name }}
  mountPath: /etc/git-secret
  readOnly: true
{{- end }}
{{- end }}

{{- define "airflow-tenant.gitVolumes" -}}
{{- if include "airflow-tenant.hasGit" . }}
- name: git
  emptyDir: {}
- name: git-tmp
  emptyDir: {}
{{- range .Values.dags.sources }}
{{- if and .gitSync (include "airflow-tenant.gitIsSsh" .) (dig "credentialsSecretName" "" .gitSync) }}
- name: git-secret-{{ .name }}
  secret:
    secretName: {{ .gitSync.credentialsSecretName }}
    defaultMode: 256 # 0400
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "airflow-tenant.gitMount" -}}
{{- if include "airflow-tenant.hasGit" . }}
- name: git
  mountPath: /git
  readOnly: true
{{- end }}
{{- end }}

{{/* JSON list of the TCP ports that the repositories are served on, unless networkPolicies.gitPorts names them. */}}
{{- define "airflow-tenant.gitPorts" -}}
{{- $ports := .Values.networkPolicies.gitPorts -}}
{{- if not $ports -}}
{{- range .Values.dags.sources -}}
{{- if .gitSync -}}
{{- $explicit := regexFind "^[a-z]+://[^/]*:[0-9]+(/|$)" .gitSync.repo -}}
{{- if $explicit -}}
{{- $ports = append $ports (regexFind "[0-9]+/?$" $explicit | trimSuffix "/" | int) -}}
{{- else if include "airflow-tenant.gitIsSsh" . -}}
{{- $ports = append $ports 22 -}}
{{- else if hasPrefix "git://" .gitSync.repo -}}
{{- $ports = append $ports 9418 -}}
{{- else if hasPrefix "http://" .gitSync.repo -}}
{{- $ports = append $ports 80 -}}
{{- else -}}
{{- $ports = append $ports 443 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end }}
