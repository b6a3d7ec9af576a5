{{- /* The name of all objects: short enough for what is put behind it. */}}
{{- define "vulscan.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "vulscan.app" .) .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "vulscan.app" .) | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "vulscan.app" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 58 | trimSuffix "-" }}
{{- end }}

{{- define "vulscan.selector" -}}
app.kubernetes.io/name: {{ include "vulscan.app" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* What is left of a text is a label's value. */}}
{{- define "vulscan.labelValue" -}}
{{ regexReplaceAll "[^A-Za-z0-9._-]" . "_" | trunc 63 | trimAll "._-" }}
{{- end }}

{{- /* The image's version: its tag without a digest, or the digest alone, or the chart's appVersion. */}}
{{- define "vulscan.version" -}}
{{- $tag := regexReplaceAll "@.*" .Values.image.tag "" }}
{{- $digest := .Values.image.digest | trimPrefix "sha256:" | trunc 12 }}
{{- include "vulscan.labelValue" ($tag | default $digest | default .Chart.AppVersion) }}
{{- end }}

{{- define "vulscan.labels" -}}
{{ include "vulscan.labelsWith" (list . dict) }}
{{- end }}

{{- /* The labels of an object that has labels of its own. One key never comes twice. */}}
{{- define "vulscan.labelsWith" -}}
{{- $root := index . 0 }}
{{- $labels := include "vulscan.selector" $root | fromYaml }}
{{- $_ := set $labels "app.kubernetes.io/version" (include "vulscan.version" $root) }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | include "vulscan.labelValue") }}
{{- mergeOverwrite $labels $root.Values.commonLabels (index . 1) | toYaml }}
{{- end }}

{{- /* The name of an image. Arguments: root, image. */}}
{{- define "vulscan.image" -}}
{{- $root := index . 0 }}
{{- $image := index . 1 }}
{{- with dig "imageRegistry" "" ($root.Values.global | default dict) | default $image.registry }}{{ . | trimSuffix "/" }}/{{ end }}
{{- $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* image.pullSecrets is the name that imagePullSecrets had. */}}
{{- define "vulscan.pullSecrets" -}}
{{- with concat .Values.imagePullSecrets (get .Values.image "pullSecrets" | default list) }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "vulscan.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "vulscan.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "vulscan.stateClaim" -}}
accessModes: {{ toJson .Values.persistence.accessModes }}
{{- with .Values.persistence.storageClassName }}
storageClassName: {{ eq . "-" | ternary "" . | quote }}
{{- end }}
resources: {requests: {storage: {{ .Values.persistence.size }}}}
{{- end }}

{{- /* "Secret" if the configuration has keys in it, or is to be hidden anyway; else "ConfigMap". */}}
{{- define "vulscan.configKind" -}}
{{- $keys := regexMatch "(?m)^[ -]*(access_key_id|access_key_secret|security_token):" (toYaml .Values.config) }}
{{- or .Values.secretConfig $keys | ternary "Secret" "ConfigMap" }}
{{- end }}

{{- /* "true" if the configuration is the user's own object. */}}
{{- define "vulscan.configExists" -}}
{{- if and .Values.existingConfigMap .Values.configExistingSecretName }}
{{- fail "existingConfigMap and configExistingSecretName exclude each other" }}
{{- end }}
{{- if or .Values.existingConfigMap .Values.configExistingSecretName }}true{{ end }}
{{- end }}

{{- /* Labels of the pod of `helm test`: no Service and no workload selects them. */}}
{{- define "vulscan.testLabels" -}}
app.kubernetes.io/name: {{ include "vulscan.app" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
