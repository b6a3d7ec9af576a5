package manifests

import (
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

func TestRulesArriveWhole(t *testing.T) {
	var want []any
	for _, name := range []string{"alerts", "recording"} {
		var file struct{ Groups []any }
		if err := yaml.Unmarshal([]byte(read(t, "../../deploy/prometheus/"+name+".yml")), &file); err != nil {
			t.Fatal(err)
		}
		want = append(want, file.Groups...)
	}
	rule := find[monitoringv1.PrometheusRule](objectsOf(t, mapping{"prometheusRule": mapping{"enabled": true}}))
	same(t, "rules", rule.Spec.Groups, want)
	if text, err := yaml.Marshal(rule.Spec); err != nil || !strings.Contains(string(text), "{{ $labels.server }}") {
		t.Errorf("Helm has replaced what Prometheus has to: %v", err)
	}
}

func TestRulesOfTheUserFollow(t *testing.T) {
	set := cases(t)["everything"]["prometheusRule"].(mapping)
	rule := find[monitoringv1.PrometheusRule](rendered(t, "everything"))
	same(t, "namespace", rule.Namespace, "prometheus")
	same(t, "the label that the Operator looks for", rule.Labels["release"], "prometheus")
	last := rule.Spec.Groups[len(rule.Spec.Groups)-1]
	same(t, "rules of the user", last, mapping{"name": "scans-of-production", "rules": set["rules"]})
}

// A file of rules with names of settings, as they will be: the values fill them in.
func TestSettingsOfRulesArrive(t *testing.T) {
	files := map[string]string{
		"rules/settings.yml": "selector: ''\nfailedFor: 5m\nseconds: 86400\n",
		"rules/alerts.tmpl": "groups: [{name: a, rules: [{alert: Failed, for: '%(failedFor)s', expr: 'x{a=\"b\",%(selector)s} + y{%(selector)s} > %(seconds)s'," +
			" annotations: {summary: 'of {{ $labels.server }}'}}]}]",
		"rules/recording.tmpl": "groups: [{name: r, rules: [{record: c, expr: 'd'}]}]",
	}
	for name, c := range map[string]struct {
		settings      mapping
		waits, expect string
	}{
		"the defaults": {mapping{}, "5m", `x{a="b"} + y > 86400`},
		"others":       {mapping{"failedFor": "1h", "seconds": 1209600.0, "selector": `job="j"`}, "1h", `x{a="b",job="j"} + y{job="j"} > 1209600`},
	} {
		loaded, err := loader.Load(chartFolder)
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range files {
			loaded.Files = slices.DeleteFunc(loaded.Files, func(f *common.File) bool { return f.Name == path })
			loaded.Files = append(loaded.Files, &common.File{Name: path, Data: []byte(text)})
		}
		text, _, err := renderChart(loaded, mapping{"prometheusRule": mapping{"enabled": true, "settings": c.settings}})
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, find[monitoringv1.PrometheusRule](decodeAll(t, text)).Spec.Groups, []any{
			mapping{"name": "a", "rules": []any{mapping{
				"alert": "Failed", "for": c.waits, "expr": c.expect, "annotations": mapping{"summary": "of {{ $labels.server }}"},
			}}},
			mapping{"name": "r", "rules": []any{mapping{"record": "c", "expr": "d"}}},
		})
	}
}
