{{/* (dict "root" $ "components" list): one peer that matches those components of this release. */}}
{{- define "airflow-tenant.peer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: airflow-tenant
      app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
    matchExpressions:
    - key: app.kubernetes.io/component
      operator: In
      values: [{{ join ", " .components }}]
{{- end }}

{{/* (dict "namespace" ns "podLabels" {}): pods of another namespace. */}}
{{- define "airflow-tenant.namespacePeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace | quote }}
  {{- with .podLabels }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end }}

{{/* Peers that may scrape: the operator (it reads the sync state) and the monitoring system; "" when there are none. */}}
{{- define "airflow-tenant.scrapers" -}}
{{- with .Values.networkPolicies -}}
{{- if .operatorNamespace -}}
{{ include "airflow-tenant.namespacePeer" (dict "namespace" .operatorNamespace "podLabels" .operatorPodLabels) }}
{{ end -}}
{{- if .monitoring.namespace -}}
{{ include "airflow-tenant.namespacePeer" .monitoring }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Ingress rule for the git-sync sidecars' HTTP ports. */}}
{{- define "airflow-tenant.gitSyncIngress" -}}
{{- $scrapers := include "airflow-tenant.scrapers" . | trim -}}
{{- if and $scrapers (include "airflow-tenant.hasGit" .) -}}
- from:
  {{- $scrapers | nindent 2 }}
  ports:
  {{- range $index, $source := .Values.dags.sources }}
  {{- if $source.gitSync }}
  - {port: {{ add 2020 $index }}, protocol: TCP}
  {{- end }}
  {{- end }}
{{- end -}}
{{- end }}

{{/*
An ipBlock as a peer. "Everywhere" never means the node's own services: at these addresses clouds hand the node's
credentials to whoever asks. Who wants them reached names them.
*/}}
{{- define "airflow-tenant.blockPeer" -}}
{{- $holes := get (dict "0.0.0.0/0" (list "169.254.0.0/16") "::/0" (list "fe80::/10" "fd00:ec2::254/128")) .cidr -}}
- ipBlock:
    cidr: {{ .cidr | quote }}
    {{- with concat (.except | default list) ($holes | default list) | uniq }}
    except: {{ toRawJson . }}
    {{- end }}
{{- end }}

{{/* Every pod and every address, for servers that are known by a name only. Some network plugins match no pod by an address. */}}
{{- define "airflow-tenant.anywhere" -}}
- namespaceSelector: {}
{{ include "airflow-tenant.blockPeer" (dict "cidr" "0.0.0.0/0") }}
{{ include "airflow-tenant.blockPeer" (dict "cidr" "::/0") }}
{{- end }}

{{/* The user's own rules. */}}
{{- define "airflow-tenant.extraEgress" -}}
{{- range .Values.networkPolicies.extraEgress }}
- to:
  {{- range .to }}
  {{- if .ipBlock }}
  {{- include "airflow-tenant.blockPeer" .ipBlock | nindent 2 }}
  {{- else }}
  {{- toYaml (list .) | nindent 2 }}
  {{- end }}
  {{- else }}
  {{- include "airflow-tenant.anywhere" $ | nindent 2 }}
  {{- end }}
  {{- with .ports }}
  ports:
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Egress rules of one component: (dict "root" $ "to" <list of: database, api-server, logs, statsd, git, kubernetes, extra>).
*/}}
{{- define "airflow-tenant.egress" -}}
{{- $root := .root -}}
{{- $policies := $root.Values.networkPolicies -}}
{{- if has "database" .to }}
{{- if $root.Values.postgresql.enabled }}
- to:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (list "postgresql")) | nindent 2 }}
  ports:
  - {port: 5432, protocol: TCP}
{{- else }}
# an external database: its address is a name, which a policy can't hold
- to:
  {{- include "airflow-tenant.anywhere" $root | nindent 2 }}
  ports:
  - {port: {{ int64 $root.Values.data.metadataConnection.port }}, protocol: TCP}
{{- end }}
{{- end }}
{{- if has "api-server" .to }}
- to:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (list "api-server")) | nindent 2 }}
  ports:
  - {port: 8080, protocol: TCP}
{{- end }}
{{- if has "logs" .to }}
{{- if include "airflow-tenant.executorIsLocal" $root }}
- to:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (list "scheduler")) | nindent 2 }}
  ports:
  - {port: 8793, protocol: TCP}
{{- end }}
- to:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (list "triggerer")) | nindent 2 }}
  ports:
  - {port: 8794, protocol: TCP}
{{- end }}
{{- if and (has "statsd" .to) $root.Values.statsd.enabled }}
- to:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (list "statsd")) | nindent 2 }}
  ports:
  - {port: 9125, protocol: UDP}
{{- end }}
{{- if has "git" .to }}
{{- with fromJsonArray (include "airflow-tenant.gitPorts" $root) }}
- to:
  {{- range $policies.gitCidrs }}
  {{- include "airflow-tenant.blockPeer" (dict "cidr" .) | nindent 2 }}
  {{- else }}
  {{- include "airflow-tenant.anywhere" $root | nindent 2 }}
  {{- end }}
  ports:
  {{- range . }}
  - {port: {{ int64 . }}, protocol: TCP}
  {{- end }}
{{- end }}
{{- end }}
{{- if has "kubernetes" .to }}
- to:
  {{- range $policies.kubernetesApi.cidrs }}
  {{- include "airflow-tenant.blockPeer" (dict "cidr" .) | nindent 2 }}
  {{- end }}
  ports:
  {{- range $policies.kubernetesApi.ports }}
  - {port: {{ int64 . }}, protocol: TCP}
  {{- end }}
{{- end }}
{{- if has "extra" .to }}
{{- include "airflow-tenant.extraEgress" $root }}
{{- end }}
{{- end }}

{{/* One NetworkPolicy for both directions: (dict "root" $ "component" c "ingress" <text> "to" <list for egress>). */}}
{{- define "airflow-tenant.policy" -}}
{{- $ingress := .ingress | default "" | trim -}}
{{- $egress := include "airflow-tenant.egress" . | trim -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "airflow-tenant.metadata" (merge (dict "stage" "wall") .) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "airflow-tenant.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if $ingress }}
  ingress:
  {{- $ingress | nindent 2 }}
  {{- end }}
  {{- if $egress }}
  egress:
  {{- $egress | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "airflow-tenant.apiServerIngress" -}}
- from:
  {{- include "airflow-tenant.peer" (dict "root" .root "components" .clients) | nindent 2 }}
  {{- with .root.Values.networkPolicies }}
  {{- if .operatorNamespace }}
  {{- include "airflow-tenant.namespacePeer" (dict "namespace" .operatorNamespace "podLabels" .operatorPodLabels) | nindent 2 }}
  {{- end }}
  {{- end }}
  ports:
  - {port: 8080, protocol: TCP}
{{- with .root.Values.networkPolicies.extraIngress }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{- define "airflow-tenant.logIngress" -}}
- from:
  {{- include "airflow-tenant.peer" (dict "root" .root "components" (list "api-server")) | nindent 2 }}
  ports:
  - {port: {{ .port }}, protocol: TCP}
{{- end }}

{{- define "airflow-tenant.postgresqlIngress" -}}
- from:
  {{- include "airflow-tenant.peer" (dict "root" . "components" (list "api-server" "scheduler" "dag-processor" "triggerer" "migrate-database")) | nindent 2 }}
  ports:
  - {port: 5432, protocol: TCP}
{{- if .Values.postgresql.metrics.enabled }}
{{- with include "airflow-tenant.scrapers" . | trim }}
- from:
  {{- . | nindent 2 }}
  ports:
  - {port: 9187, protocol: TCP}
{{- end }}
{{- end }}
{{- end }}

{{- define "airflow-tenant.statsdIngress" -}}
{{- $root := .root -}}
- from:
  {{- include "airflow-tenant.peer" (dict "root" $root "components" (append .clients "api-server")) | nindent 2 }}
  ports:
  - {port: 9125, protocol: UDP}
{{- with include "airflow-tenant.scrapers" $root | trim }}
- from:
  {{- . | nindent 2 }}
  ports:
  - {port: 9102, protocol: TCP}
{{- end }}
{{- end }}
