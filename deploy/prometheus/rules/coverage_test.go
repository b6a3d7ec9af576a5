package rules_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"
)

// promtoolTests is a file for promtool test rules.
type promtoolTests struct {
	Tests []struct {
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		Expressions []struct {
			Expr    string `yaml:"expr"`
			Samples []struct {
				Labels string `yaml:"labels"`
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	} `yaml:"tests"`
}

// covered returns the alerts and recording rules that a file expects, as fire and quiet has them.
func covered(t *testing.T, path string) (fires, quiet map[string]bool) {
	t.Helper()
	var file promtoolTests
	if err := yaml.Unmarshal([]byte(content(t, path)), &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	fires, quiet = map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`alertname="(\w+)"`)
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			if len(a.Expected) > 0 {
				fires[a.Name] = true
			} else {
				quiet[a.Name] = true
			}
		}
		for _, e := range test.Expressions {
			fires[e.Expr] = true
			for _, s := range e.Samples {
				if m := name.FindStringSubmatch(s.Labels); m != nil {
					fires[m[1]] = true
				}
			}
			if m := name.FindStringSubmatch(e.Expr); m != nil && len(e.Samples) == 0 {
				quiet[m[1]] = true
			}
		}
	}
	return fires, quiet
}

func TestEveryRuleIsTestedFiringAndQuiet(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		inFile, quietInFile := covered(t, path)
		for name := range inFile {
			fires[name] = true
		}
		for name := range quietInFile {
			quiet[name] = true
		}
	}
	files := rendered(t, nil)
	for _, r := range parsed(t, files["alerts.yml"]) {
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s is tested firing: %t, quiet: %t", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
	}
	for _, r := range parsed(t, files["recording.yml"]) {
		if !fires[r.Record] {
			t.Errorf("%s is not tested", r.Record)
		}
	}
}

// Each file of these puts every alert into one situation. NoScanFinished takes a day: finished.yml
// has all situations of it.
func TestEveryAlertIsTestedInEverySituation(t *testing.T) {
	t.Parallel()
	for file, mayBeQuiet := range map[string]func(alert string) bool{
		"pair.yml":    func(string) bool { return false },
		"shards.yml":  func(string) bool { return false },
		"missed.yml":  func(alert string) bool { return alert == "AliyunVulscanExporterDown" },
		"refused.yml": func(string) bool { return true },
	} {
		fires, quiet := covered(t, "../tests/"+file)
		for _, r := range parsed(t, rendered(t, nil)["alerts.yml"]) {
			isTested := fires[r.Alert] || quiet[r.Alert] && mayBeQuiet(r.Alert)
			if !isTested && (file == "refused.yml" || r.Alert != "AliyunVulscanNoScanFinished") {
				t.Errorf("%s does not test %s", file, r.Alert)
			}
		}
	}
}

// In refused.yml a scan had failed before: that is told besides.
func TestWhatFollowsFromARefusedAccountIsInhibited(t *testing.T) {
	t.Parallel()
	inhibited := regexp.MustCompile(`AccountRefused\|NoCredentials\)"'\]\n +target_matchers: \['alertname=~"(.+)"'\]`).FindStringSubmatch(content(t, "../alertmanager.yml"))
	if inhibited == nil {
		t.Fatal("no inhibit rule has AliyunVulscanAccountRefused as its source")
	}
	target := regexp.MustCompile("^(?:" + inhibited[1] + ")$")
	fires, _ := covered(t, "../tests/refused.yml")
	count := 0
	for _, r := range parsed(t, rendered(t, nil)["alerts.yml"]) {
		if !fires[r.Alert] || r.Alert == "AliyunVulscanAccountRefused" || r.Alert == "AliyunVulscanScanFailed" {
			continue
		}
		count++
		if !target.MatchString(r.Alert) {
			t.Errorf("%s is notified beside AliyunVulscanAccountRefused", r.Alert)
		}
	}
	if count < 5 {
		t.Errorf("only %d alerts fire", count)
	}
}
