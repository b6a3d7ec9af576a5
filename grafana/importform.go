package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The data source, as a dashboard that is imported names it: whoever imports the dashboard chooses
// it then, not by a variable.
const input = "DS_PROMETHEUS"

// oldest is the oldest Grafana that the dashboards are made for.
const oldest = "10.4.0"

// importForm returns a provisioned dashboard in the form for import.
func importForm(provisioned []byte) ([]byte, error) {
	text := strings.NewReplacer(
		"${datasource:queryparam}\\u0026", "", // links need not pass on what is no variable
		"${datasource}", "${"+input+"}",
	).Replace(string(provisioned))
	var d map[string]any
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("reading the provisioned form: %w", err)
	}
	templating, _ := d["templating"].(map[string]any)
	list, _ := templating["list"].([]any)
	templating["list"] = slices.DeleteFunc(list, func(v any) bool {
		variable, _ := v.(map[string]any)
		return variable["type"] == "datasource"
	})
	d["id"] = nil
	d["__elements"] = map[string]any{}
	d["__inputs"] = []map[string]any{{
		"name": input, "label": "Prometheus", "description": "The Prometheus that scrapes the exporter.",
		"type": "datasource", "pluginId": "prometheus", "pluginName": "Prometheus",
	}}
	d["__requires"] = requirements(d)
	out, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the form for import: %w", err)
	}
	return out, nil
}

// requirements are what a dashboard needs of a Grafana.
func requirements(d map[string]any) []map[string]any {
	names := map[string]string{"stat": "Stat", "state-timeline": "State timeline", "table": "Table", "timeseries": "Time series"}
	used := map[string]bool{}
	panels, _ := d["panels"].([]any)
	for _, p := range panels {
		panel, _ := p.(map[string]any)
		kind, _ := panel["type"].(string)
		used[kind] = true
	}
	needed := make([]map[string]any, 0, 2+len(names))
	needed = append(needed,
		map[string]any{"type": "grafana", "id": "grafana", "name": "Grafana", "version": oldest},
		map[string]any{"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"})
	for _, kind := range slices.Sorted(maps.Keys(names)) {
		if used[kind] {
			needed = append(needed, map[string]any{"type": "panel", "id": kind, "name": names[kind], "version": ""})
		}
	}
	return needed
}
