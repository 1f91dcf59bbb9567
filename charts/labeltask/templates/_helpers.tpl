{{/* Chart name, at most 63 characters. */}}
{{- define "labeltask.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of all names; leaves room for "-operator" in 63 characters. */}}
{{- define "labeltask.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- else if contains (include "labeltask.name" .) .Release.Name }}
{{- .Release.Name | trunc 54 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "labeltask.name" .) | trunc 54 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that select a component's pods. Call: include "labeltask.selector" (dict "root" $ "component" "gateway") */}}
{{- define "labeltask.selector" -}}
app.kubernetes.io/name: {{ include "labeltask.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels of a component's objects. */}}
{{- define "labeltask.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "labeltask.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: labeltask
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Reference of an image. Call: include "labeltask.image" (dict "root" $ "image" .Values.image) */}}
{{- define "labeltask.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Named connections as the programs read them: {name: {secretName, key}}. */}}
{{- define "labeltask.connections" -}}
{{- $found := dict -}}
{{- range $name, $connection := .Values.connections -}}
{{- $_ := set $found $name (dict "secretName" $connection.existingSecret "key" ($connection.key | default "connection.json")) -}}
{{- end -}}
{{- $found | toJson -}}
{{- end }}

{{/* Namespaces whose tasks the operator serves, as JSON under the key "all": a helper returns text. */}}
{{- define "labeltask.namespaces" -}}
{{- dict "all" (.Values.watchNamespaces | default (list .Release.Namespace)) | toJson -}}
{{- end }}

{{/* The namespace in which the gateway creates tasks. */}}
{{- define "labeltask.gatewayNamespace" -}}
{{- $namespace := .Values.gateway.namespace | default .Release.Namespace -}}
{{- if not (has $namespace (include "labeltask.namespaces" . | fromJson).all) -}}
{{- fail (printf "watchNamespaces does not hold %q, in which the gateway would create tasks; set gateway.namespace to one of them" $namespace) -}}
{{- end -}}
{{- $namespace -}}
{{- end }}

{{/* Environment that gateway and operator share. */}}
{{- define "labeltask.sharedEnv" -}}
{{- if and .Values.defaultConnection (not (hasKey .Values.connections .Values.defaultConnection)) }}
{{- fail (printf "defaultConnection %q is none of connections" .Values.defaultConnection) }}
{{- end -}}
{{- if and .Values.historySchemas (not .Values.defaultConnection) }}
{{- fail "historySchemas needs defaultConnection: that is the account which reads them" }}
{{- end -}}
- name: LABELTASK_CONNECTIONS
  value: {{ include "labeltask.connections" . | quote }}
{{- with .Values.defaultConnection }}
- name: LABELTASK_DEFAULT_CONNECTION
  value: {{ . | quote }}
{{- end }}
- name: LABELTASK_LABELLING_RULES
  value: {{ .Values.labelling.rules | toJson | quote }}
- name: LABELTASK_HISTORY_SCHEMAS
  value: {{ .Values.historySchemas | toJson | quote }}
- name: LABELTASK_ALLOWED_SCHEMAS
  value: {{ .Values.allowedSchemas | toJson | quote }}
{{- with .Values.requireTls }}
- name: LABELTASK_REQUIRE_TLS
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What Pod Security "restricted" asks of a pod. */}}
{{- define "labeltask.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What Pod Security "restricted" asks of a container, and a root file system that can't be written. */}}
{{- define "labeltask.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where a component's pods may run. Call: include "labeltask.placement" .Values.gateway */}}
{{- define "labeltask.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
