// Package prometheus tests what the rules beside it name and how they are tested.
package prometheus

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alertRule is one rule of deploy/prometheus.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// ruleTests is a file for promtool test rules.
type ruleTests struct {
	Tests []struct {
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		Expressions []struct {
			Expr string `yaml:"expr"`
		} `yaml:"promql_expr_test"`
	} `yaml:"tests"`
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decodeYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// shippedRules are those of both files, by name.
func shippedRules(t *testing.T) map[string]alertRule {
	t.Helper()
	rules := map[string]alertRule{}
	for _, path := range []string{"alerts.yml", "recording.yml"} {
		var file struct {
			Groups []struct {
				Rules []alertRule `yaml:"rules"`
			} `yaml:"groups"`
		}
		decodeYAML(t, path, &file)
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				rules[r.Alert+r.Record] = r
			}
		}
	}
	if len(rules) < 15 {
		t.Fatalf("only %d rules found", len(rules))
	}
	return rules
}

func TestRulesAreTestedFiringAndQuiet(t *testing.T) {
	t.Parallel()
	firing, quiet, evaluated := map[string]bool{}, map[string]bool{}, map[string]bool{}
	paths, err := filepath.Glob("tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var file ruleTests
		decodeYAML(t, path, &file)
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				if len(a.Expected) > 0 {
					firing[a.Name] = true
				} else {
					quiet[a.Name] = true
				}
			}
			for _, e := range test.Expressions {
				evaluated[e.Expr] = true
			}
		}
	}
	for name, r := range shippedRules(t) {
		if r.Record != "" && !evaluated[name] {
			t.Errorf("recording rule %s has no test", name)
		}
		if r.Alert != "" && (!firing[name] || !quiet[name]) {
			t.Errorf("alert %s is tested firing: %t, not firing: %t", name, firing[name], quiet[name])
		}
	}
}

func TestRulesHaveARunbookEach(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(read(t, "../../docs/runbooks.md"), -1) {
		headings[m[1]] = true
	}
	for name, r := range shippedRules(t) {
		if r.Alert == "" {
			continue
		}
		if !headings[name] {
			t.Errorf("%s has no section in docs/runbooks.md", name)
		}
		delete(headings, name)
		if want := "docs/runbooks.md#" + strings.ToLower(name); r.Annotations["runbook"] != want {
			t.Errorf("%s names the runbook %q, want %q", name, r.Annotations["runbook"], want)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", name)
		}
	}
	for name := range headings {
		t.Errorf("docs/runbooks.md has a section %s of no alert", name)
	}
}

// Names in rules, tests and runbooks are those of docs/metrics.md, which
// another test compares with the program.
func TestRulesUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]string{} // kinds
	for _, m := range regexp.MustCompile("(?m)^\\| `(aliyun_vulscan_[a-z_]+)` \\| (gauge|counter|histogram) \\|").FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1) {
		known[m[1]] = m[2]
	}
	paths, err := filepath.Glob("*.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob("tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range slices.Concat(paths, tests, []string{"../../docs/runbooks.md", "../../docs/scaling.md"}) {
		texts[path] = read(t, path)
	}
	recorded := map[string]bool{}
	for name := range shippedRules(t) {
		recorded[name] = true
	}
	name := regexp.MustCompile(`[a-z_]+:aliyun_vulscan_[a-z_]+:\w+|\baliyun_vulscan_[a-z_]+`)
	suffix := regexp.MustCompile(`_(bucket|count|sum)$`)
	// Names of files, programs and groups, not of metrics.
	other := []string{"aliyun_vulscan_exporter", "aliyun_vulscan_scans", "aliyun_vulscan_polling", "aliyun_vulscan_recording", "aliyun_vulscan_subtask_"}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		for _, found := range name.FindAllString(texts[path], -1) {
			base := suffix.ReplaceAllString(found, "")
			_, metric := known[found]
			if !metric && !recorded[found] && known[base] != "histogram" && !slices.Contains(other, found) {
				t.Errorf("%s: there is no metric %s", path, found)
			}
		}
	}
	if _, err := os.Stat("prometheus.yml"); err != nil {
		t.Error(err)
	}
}
