{{- /* The endpoint of a ServiceMonitor or PodMonitor. Arguments: root, the monitor's values. */}}
{{- define "vulscan.endpoint" -}}
{{- $root := index . 0 }}
{{- $monitor := index . 1 }}
{{- $web := include "vulscan.web" $root | fromJson }}
{{- $endpoint := dict "port" "http" "path" ($monitor.path | default $web.telemetry) }}
{{- $scheme := $monitor.scheme | default $root.Values.web.scheme }}
{{- if ne $scheme "http" }}{{ $_ := set $endpoint "scheme" $scheme }}{{ end }}
{{- range list "interval" "scrapeTimeout" "tlsConfig" "honorLabels" "metricRelabelings" }}
{{- $value := index $monitor . }}
{{- if $value }}{{ $_ := set $endpoint . $value }}{{ end }}
{{- end }}
{{- /* The job's name is the same however the exporter is installed. */}}
{{- $_ := set $endpoint "relabelings" (prepend $monitor.relabelings (dict "targetLabel" "job" "replacement" "aliyun_vulscan")) }}
{{- mergeOverwrite $endpoint (deepCopy $monitor.endpoint) | toYaml }}
{{- end }}

{{- /* What a monitor selects. Arguments as above. */}}
{{- define "vulscan.monitored" -}}
{{- $root := index . 0 }}
{{- with (index . 1).namespace }}
namespaceSelector: {matchNames: [{{ $root.Release.Namespace }}]}
{{- end }}
selector:
  matchLabels: {{- include "vulscan.selector" $root | nindent 4 }}
{{- end }}

{{- /*
The groups of rules. A name in a file of rules/ as %(name)s stands for a setting;
rules/settings.yml has the defaults.
*/}}
{{- define "vulscan.rules" -}}
{{- $settings := .Files.Get "rules/settings.yml" | default "{}" | fromYaml }}
{{- range $name, $value := .Values.prometheusRule.settings }}
{{- if not (hasKey $settings $name) }}{{ fail (printf "prometheusRule.settings: there is no setting %s" $name) }}{{ end }}
{{- $_ := set $settings $name $value }}
{{- end }}
{{- range $kind := list "alerts" "recording" }}
{{- $text := $.Files.Get (printf "rules/%s.tmpl" $kind) | default ($.Files.Get (printf "rules/%s.yml" $kind)) }}
{{- range $name, $value := $settings }}{{ $text = replace (printf "%%(%s)s" $name) (toString $value) $text }}{{ end }}
{{- /* What an empty selector leaves. */}}
{{ ($text | replace ",}" "}" | replace "{}" "" | fromYaml).groups | toYaml }}
{{- end }}
{{- with .Values.prometheusRule.rules }}
- name: {{ include "vulscan.name" $ }}
  rules: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
