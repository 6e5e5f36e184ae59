{{- define "hallpass.name" -}}
{{- if contains "hallpass" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-hallpass" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "hallpass.selector" -}}
app.kubernetes.io/name: hallpass
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hallpass.labels" -}}
{{ include "hallpass.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "hallpass.postgresql" -}}
{{ include "hallpass.name" . }}-postgresql
{{- end -}}

{{- define "hallpass.secret" -}}
{{ required "existingSecret: name a Secret with master.key and database-password; values.yaml says how to make it" .Values.existingSecret }}
{{- end -}}

{{/* Inside the cluster, pod to pod, the chart's own database speaks without TLS; one elsewhere has to show a certificate. */}}
{{- define "hallpass.databaseUrl" -}}
{{- if .Values.postgresql.enabled -}}
postgres://hallpass@{{ include "hallpass.postgresql" . }}/hallpass?sslmode=disable
{{- else -}}
{{ required "database.url: say where PostgreSQL is, or set postgresql.enabled" .Values.database.url }}
{{- end -}}
{{- end -}}

{{/* What every container here may do: nothing. */}}
{{- define "hallpass.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
