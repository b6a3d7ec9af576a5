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
