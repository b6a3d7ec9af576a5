{{- /*
vulscan.rules makes the groups of alerts and recording rules. A setting stands in a file of rules/ as %(name)s;
rules/settings.yml has the defaults.
*/}}
{{- define "vulscan.rules" -}}
{{- $settings := .Files.Get "rules/settings.yml" | default "{}" | fromYaml }}
{{- range $name, $value := .Values.prometheusRule.settings }}
{{- if not (hasKey $settings $name) }}{{ fail (printf "prometheusRule.settings.%s: there is no such setting" $name) }}{{ end }}
{{- $_ := set $settings $name $value }}
{{- end }}
{{- range $file := list "alerts" "recording" }}
{{- $text := $.Files.Get (printf "rules/%s.tmpl" $file) | default ($.Files.Get (printf "rules/%s.yml" $file)) }}
{{- range $name, $value := $settings }}
{{- $text = replace (printf "%%(%s)s" $name) (kindIs "string" $value | ternary $value (toJson $value)) $text }}
{{- end }}
{{- /* What an empty selector leaves. */}}
{{ ($text | replace ",}" "}" | replace "{}" "" | fromYaml).groups | toYaml }}
{{- end }}
{{- end }}
