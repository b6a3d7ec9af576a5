{{- /* The values that extraArgs has for a flag, as JSON. Arguments: root, flag. */}}
{{- define "vulscan.flag" -}}
{{- $values := list }}
{{- $start := printf "--%s=" (index . 1) }}
{{- range (index . 0).Values.extraArgs }}
{{- if hasPrefix $start . }}{{ $values = append $values (trimPrefix $start .) }}{{ end }}
{{- end }}
{{- toJson $values }}
{{- end }}

{{- /*
Where the exporter serves, as its flags have it: port, host (for requests from
the same pod), loopback (nobody else reaches it), prefix ("" or "/x"), telemetry
(path of the metrics), config (TLS or authentication may be on).
*/}}
{{- define "vulscan.web" -}}
{{- $web := dict "loopback" true }}
{{- range include "vulscan.flag" (list . "web.listen-address") | fromJsonArray | default (list ":10877") }}
{{- if not (regexMatch "^[^/]*:[0-9]+$" .) }}
{{- fail (printf "extraArgs: --web.listen-address=%s: the chart needs HOST:PORT, with the port as a number" .) }}
{{- end }}
{{- $host := regexReplaceAll ":[0-9]+$" . "" }}
{{- $loopback := regexMatch "^(localhost|127\\.[0-9.]+|\\[::1\\])$" $host }}
{{- /* The first one that others reach, else the first one. */}}
{{- if or (not (hasKey $web "port")) (and $web.loopback (not $loopback)) }}
{{- $_ := set $web "port" (regexFind "[0-9]+$" . | int) }}
{{- $_ := set $web "host" (has $host (list "" "0.0.0.0" "[::]") | ternary "127.0.0.1" $host) }}
{{- $_ := set $web "loopback" $loopback }}
{{- end }}
{{- end }}
{{- $prefix := include "vulscan.flag" (list . "web.route-prefix") | fromJsonArray | last }}
{{- with include "vulscan.flag" (list . "web.external-url") | fromJsonArray | last }}
{{- $prefix = $prefix | default (urlParse .).path }}
{{- end }}
{{- $prefix = $prefix | default "" | trimAll "/" }}
{{- $_ := set $web "prefix" (printf "/%s" $prefix | trimSuffix "/") }}
{{- $telemetry := include "vulscan.flag" (list . "web.telemetry-path") | fromJsonArray | last | default "metrics" }}
{{- $_ := set $web "telemetry" (printf "%s/%s" $web.prefix (trimPrefix "/" $telemetry)) }}
{{- $given := include "vulscan.flag" (list . "web.config.file") | fromJsonArray }}
{{- if and $given .Values.web.existingSecret }}
{{- fail "web.existingSecret and --web.config.file in extraArgs exclude each other" }}
{{- end }}
{{- $_ := set $web "config" (or (not (empty $given)) (not (empty .Values.web.existingSecret))) }}
{{- toJson $web }}
{{- end }}

{{- /* A probe whose handler is made of the flags, unless there is one. Arguments: root, name. */}}
{{- define "vulscan.probe" -}}
{{- $root := index . 0 }}
{{- $web := include "vulscan.web" $root | fromJson }}
{{- with get $root.Values (index . 1) }}
{{- $probe := deepCopy . }}
{{- $other := or (hasKey . "exec") (hasKey . "tcpSocket") (hasKey . "grpc") }}
{{- if hasKey . "httpGet" }}
{{- $scheme := and $web.config (eq $root.Values.web.scheme "https") | ternary "HTTPS" "HTTP" }}
{{- $get := dict "path" (printf "%s/-/healthy" $web.prefix) "port" "http" "scheme" $scheme }}
{{- $_ := set $probe "httpGet" (mergeOverwrite $get .httpGet) }}
{{- else if not $other }}
{{- if $web.loopback }}
{{- fail (printf "extraArgs: with --web.listen-address the exporter only serves on loopback, where no probe reaches it: add another, or give %s a handler" (index $ 1)) }}
{{- end }}
{{- if $web.config }}
{{- $_ := set $probe "tcpSocket" (dict "port" "http") }}
{{- else }}
{{- $_ := set $probe "httpGet" (dict "path" (printf "%s/-/healthy" $web.prefix) "port" "http") }}
{{- end }}
{{- end }}
{{ index $ 1 }}:
  {{- toYaml $probe | nindent 2 }}
{{- end }}
{{- end }}

{{- /* "true" if a sidecar reloads the configuration: with a web configuration it needs a URL, because it knows no password. */}}
{{- define "vulscan.reloads" -}}
{{- $web := include "vulscan.web" . | fromJson }}
{{- if and .Values.configReloader.enabled (or .Values.configReloader.reloadURL (not $web.config)) }}true{{ end }}
{{- end }}

{{- define "vulscan.reloader" -}}
{{- $web := include "vulscan.web" . | fromJson }}
{{- with .Values.configReloader }}
- name: config-reloader
  image: {{ include "vulscan.image" (list $ .image) | quote }}
  imagePullPolicy: {{ .image.pullPolicy }}
  args:
    - --watched-dir=/etc/aliyun_vulscan_exporter
    - {{ printf "--reload-url=%s" (.reloadURL | default (printf "http://%s:%d%s/-/reload" $web.host (int $web.port) $web.prefix)) | quote }}
    - --watch-interval=1m
    - --retry-interval=1m # a configuration that is refused is refused again
    {{- range .extraArgs }}
    - {{ . | quote }}
    {{- end }}
  {{- with .extraEnv }}
  env: {{- toYaml . | nindent 4 }}
  {{- end }}
  resources: {{- toYaml .resources | nindent 4 }}
  securityContext: {{- toYaml .securityContext | nindent 4 }}
  volumeMounts:
    - {name: config, mountPath: /etc/aliyun_vulscan_exporter, readOnly: true}
{{- end }}
{{- end }}
