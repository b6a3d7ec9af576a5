{{- define "vulscan.pod" -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" "exporter" }}
{{- if not (or (include "vulscan.reloads" .) (include "vulscan.configExists" .)) }}
{{- $_ := set $annotations "checksum/config" (toYaml .Values.config | sha256sum) }}
{{- end }}
metadata:
  labels: {{- mergeOverwrite (include "vulscan.selector" . | fromYaml) .Values.commonLabels .Values.podLabels | toYaml | nindent 4 }}
  annotations: {{- mergeOverwrite $annotations .Values.podAnnotations | toYaml | nindent 4 }}
spec:
  serviceAccountName: {{ include "vulscan.serviceAccount" . }}
  automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
  terminationGracePeriodSeconds: 15
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- include "vulscan.pullSecrets" . | nindent 2 }}
  {{- with .Values.podSecurityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraInitContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "vulscan.exporter" . | nindent 4 }}
    {{- if include "vulscan.reloads" . }}
    {{- include "vulscan.reloader" . | nindent 4 }}
    {{- end }}
    {{- with .Values.extraContainers }}{{ toYaml . | nindent 4 }}{{ end }}
  volumes:
    {{- include "vulscan.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $all := dict "labelSelector" (dict "matchLabels" (include "vulscan.selector" $ | fromYaml)) }}
    - {{- merge (deepCopy .) (hasKey . "labelSelector" | ternary dict $all) | toYaml | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end }}

{{- define "vulscan.exporter" -}}
{{- $web := include "vulscan.web" . | fromJson }}
- name: exporter
  image: {{ include "vulscan.image" (list . .Values.image) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: {{- include "vulscan.args" . | fromYamlArray | toYaml | nindent 4 }}
  {{- if or .Values.rrsa.enabled .Values.extraEnv }}
  env:
    {{- with .Values.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- if .Values.rrsa.enabled }}
    - {name: ALIBABA_CLOUD_ROLE_ARN, value: {{ required "rrsa.roleArn" .Values.rrsa.roleArn | quote }}}
    - {name: ALIBABA_CLOUD_OIDC_PROVIDER_ARN, value: {{ required "rrsa.oidcProviderArn" .Values.rrsa.oidcProviderArn | quote }}}
    - {name: ALIBABA_CLOUD_OIDC_TOKEN_FILE, value: /var/run/secrets/rrsa/token}
    {{- end }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom: {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: http, containerPort: {{ int $web.port }}}
  {{- include "vulscan.probe" (list . "livenessProbe") | nindent 2 }}
  {{- include "vulscan.probe" (list . "readinessProbe") | nindent 2 }}
  resources: {{- toYaml .Values.resources | nindent 4 }}
  {{- with .Values.securityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - {name: config, mountPath: /etc/aliyun_vulscan_exporter, readOnly: true}
    {{- if .Values.credentials.existingSecret }}
    - {name: credentials, mountPath: /run/credentials, readOnly: true}
    {{- end }}
    {{- if .Values.web.existingSecret }}
    - {name: web, mountPath: /run/web, readOnly: true}
    {{- end }}
    {{- if .Values.rrsa.enabled }}
    - {name: rrsa, mountPath: /var/run/secrets/rrsa, readOnly: true}
    {{- end }}
    {{- if include "vulscan.state" . }}
    - {name: state, mountPath: /var/lib/aliyun_vulscan_exporter}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}

{{- /* "true" if the chart says where the state is, not extraArgs. */}}
{{- define "vulscan.state" -}}
{{- if not (include "vulscan.flag" (list . "state.file") | fromJsonArray) }}true{{ end }}
{{- end }}

{{- /* The exporter takes no flag twice: extraArgs goes first. */}}
{{- define "vulscan.args" -}}
{{- $args := .Values.extraArgs }}
{{- if not (has "--demo" $args) }}
- --config.file=/etc/aliyun_vulscan_exporter/vulscan.yml
{{- end }}
{{- if include "vulscan.state" . }}
- --state.file=/var/lib/aliyun_vulscan_exporter/state.db
{{- end }}
{{- if eq .Values.mode "statefulset" }}
{{- if regexMatch "(^|\n)--(shard|total-shards)=" (join "\n" $args) }}
{{- fail "extraArgs: a statefulset sets --shard and --total-shards by itself: give shards" }}
{{- end }}
- --shard=auto
- --total-shards={{ .Values.shards }}
{{- end }}
{{- if .Values.web.existingSecret }}
- --web.config.file=/run/web/web-config.yml
{{- end }}
{{- if and (include "vulscan.reloads" .) (not (has "--web.enable-lifecycle" $args)) }}
- --web.enable-lifecycle
{{- end }}
{{- range $args }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "vulscan.volumes" -}}
{{- $own := include "vulscan.name" . }}
{{- if or .Values.configExistingSecretName (and (not .Values.existingConfigMap) (eq (include "vulscan.configKind" .) "Secret")) }}
- {name: config, secret: {secretName: {{ .Values.configExistingSecretName | default $own }}, defaultMode: 0440}}
{{- else }}
- {name: config, configMap: {name: {{ .Values.existingConfigMap | default $own }}}}
{{- end }}
{{- with .Values.credentials.existingSecret }}
- {name: credentials, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with .Values.web.existingSecret }}
- {name: web, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- if .Values.rrsa.enabled }}
- name: rrsa
  projected:
    sources:
      - serviceAccountToken: {path: token, audience: sts.aliyuncs.com, expirationSeconds: 3600}
{{- end }}
{{- if include "vulscan.state" . }}
{{- if not .Values.persistence.enabled }}
- {name: state, emptyDir: {}}
{{- else if eq .Values.mode "deployment" }}
- {name: state, persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default $own }}}}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}{{ toYaml . | nindent 0 }}{{ end }}
{{- end }}
