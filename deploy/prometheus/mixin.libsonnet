// The alerts and recording rules as a mixin, made from the same files as
// alerts.yml and recording.yml. Settings are those of rules/settings.yml:
//
//   (import 'mixin.libsonnet') + { _config+:: { scanFailedFor: '30m', selector: 'job="vulscan"' } }
//
// It needs jsonnet 0.18 or newer.
local defaults = std.parseYaml(importstr 'rules/settings.yml');

{
  _config+:: defaults,

  local config = $._config,
  local unknown = std.setDiff(std.objectFields(config), std.objectFields(defaults)),
  local render(text) =
    assert unknown == [] : 'not settings: ' + std.join(', ', unknown);
    local replaced = std.foldl(
      function(t, name) std.strReplace(t, '%(' + name + ')s', '' + config[name]), std.objectFields(config), text
    );
    // What an empty selector leaves.
    std.parseYaml(std.strReplace(std.strReplace(replaced, ',}', '}'), '{}', '')),

  prometheusAlerts+:: render(importstr 'rules/alerts.tmpl'),
  prometheusRules+:: render(importstr 'rules/recording.tmpl'),
}
