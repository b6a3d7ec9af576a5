{{- define "vulscan.pod" -}}
metadata:
  labels:
    {{- include "vulscan.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    {{- if not .Values.existingConfigMap }}
    checksum/config: {{ toYaml .Values.config | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: exporter
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "vulscan.serviceAccount" . }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 15
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: exporter
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - --config.file=/etc/aliyun_vulscan_exporter/vulscan.yml
        {{- if .Values.persistence.enabled }}
        - --state.file=/var/lib/aliyun_vulscan_exporter/state.db
        {{- end }}
        {{- if eq .Values.mode "statefulset" }}
        - --shard=auto
        - --total-shards={{ .Values.shards }}
        {{- end }}
        {{- if .Values.web.existingSecret }}
        - --web.config.file=/run/web/web-config.yml
        {{- end }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- if or .Values.rrsa.enabled .Values.extraEnv }}
      env:
        {{- with .Values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- end }}
      {{- if .Values.rrsa.enabled }}
        - {name: ALIBABA_CLOUD_ROLE_ARN, value: {{ required "rrsa.roleArn" .Values.rrsa.roleArn | quote }}}
        - {name: ALIBABA_CLOUD_OIDC_PROVIDER_ARN, value: {{ required "rrsa.oidcProviderArn" .Values.rrsa.oidcProviderArn | quote }}}
        - {name: ALIBABA_CLOUD_OIDC_TOKEN_FILE, value: /var/run/secrets/rrsa/token}
      {{- end }}
      ports:
        - {name: http, containerPort: 10877}
      # Readiness is that of the process, not /-/ready: Prometheus scrapes only
      # ready pods, and the first pass over a large fleet takes long.
      {{- range $probe := list "livenessProbe" "readinessProbe" }}
      {{ $probe }}:
        {{- if $.Values.web.existingSecret }}
        tcpSocket: {port: http}
        {{- else }}
        httpGet: {path: /-/healthy, port: http}
        {{- end }}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
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
        {{- if .Values.persistence.enabled }}
        - {name: state, mountPath: /var/lib/aliyun_vulscan_exporter}
        {{- end }}
  volumes:
    - {name: config, configMap: {name: {{ .Values.existingConfigMap | default (include "vulscan.name" .) }}}}
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
    {{- if and .Values.persistence.enabled (eq .Values.mode "deployment") }}
    - {name: state, persistentVolumeClaim: {claimName: {{ include "vulscan.name" . }}}}
    {{- end }}
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
  topologySpreadConstraints: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
