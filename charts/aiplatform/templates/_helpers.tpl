{{- define "aiplatform.selector" -}}
app.kubernetes.io/name: aiplatform
app.kubernetes.io/component: operator
{{- end }}

{{- define "aiplatform.labels" -}}
app.kubernetes.io/name: aiplatform
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end }}

{{- define "aiplatform.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- /* An object of the RBAC files, for the namespace and the release at hand. */ -}}
{{- define "aiplatform.rbac" -}}
{{- $object := deepCopy .object }}
{{- $_ := set $object.metadata "labels" (include "aiplatform.labels" .root | fromYaml) }}
{{- if .namespace }}{{ $_ := set $object.metadata "namespace" .namespace }}{{ end }}
{{- range $subject := $object.subjects }}{{ $_ := set $subject "namespace" $.root.Release.Namespace }}{{ end }}
---
{{ toYaml $object }}
{{ end }}
