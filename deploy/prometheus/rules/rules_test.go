package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/deploy/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

// rule is an alert or a recording rule.
type rule struct {
	Alert         string            `yaml:"alert"`
	Record        string            `yaml:"record"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for"`
	KeepFiringFor string            `yaml:"keep_firing_for"`
	Labels        map[string]string `yaml:"labels"`
	Annotations   map[string]string `yaml:"annotations"`
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rendered(t *testing.T, overrides map[string]any) map[string]string {
	t.Helper()
	files, err := rules.Render(overrides)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// parsed returns the rules of a file that Render has made.
func parsed(t *testing.T, text string) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	for folder, files := range map[string]map[string]string{
		"..": rendered(t, nil),
		"../../helm/aliyun-vulscan-exporter/rules": rules.Sources(),
	} {
		for name, want := range files {
			if content(t, folder, name) != want {
				t.Errorf("%s/%s is out of date: go run ./deploy/prometheus/rules/generate", folder, name)
			}
		}
	}
}

func TestEverySettingChangesTheRules(t *testing.T) {
	t.Parallel()
	defaults := map[string]any{}
	if err := yaml.Unmarshal([]byte(rules.Sources()["settings.yml"]), &defaults); err != nil {
		t.Fatal(err)
	}
	if len(defaults) < 50 {
		t.Fatalf("only %d settings", len(defaults))
	}
	before := rendered(t, nil)
	for name := range defaults {
		after := rendered(t, map[string]any{name: `job="other"`})
		if after["alerts.yml"] == before["alerts.yml"] {
			t.Errorf("%s changes nothing", name)
		}
	}
}

func TestASettingThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := rules.Render(map[string]any{"scanFailedfor": "1m"}); err == nil || !strings.Contains(err.Error(), `"scanFailedfor" is not a setting`) {
		t.Errorf("error %v", err)
	}
}

// Without this a rule of several installations would mix them up.
func TestClusterAndNamespaceSurviveEveryAggregation(t *testing.T) {
	t.Parallel()
	aggregation := regexp.MustCompile(`\b(sum|max|min|avg|count|group|topk|count_values)\s*(by \([^)]*\))?\s*\(`)
	files := rendered(t, nil)
	for _, r := range slices.Concat(parsed(t, files["alerts.yml"]), parsed(t, files["recording.yml"])) {
		for _, m := range aggregation.FindAllStringSubmatch(strings.ReplaceAll(r.Expr, ":max", ""), -1) {
			if !strings.Contains(m[2], "cluster, namespace") {
				t.Errorf("%s%s: %q", r.Alert, r.Record, m[0])
			}
		}
	}
}

func TestTheSelectorReachesEveryMetric(t *testing.T) {
	t.Parallel()
	metric := regexp.MustCompile(`(?m)[^:\w](aliyun_vulscan_\w+|up)\b(\{[^}]*\})?`)
	files := rendered(t, map[string]any{"selector": `job="mine"`})
	for _, r := range slices.Concat(parsed(t, files["alerts.yml"]), parsed(t, files["recording.yml"])) {
		found := metric.FindAllStringSubmatch(" "+r.Expr, -1)
		if len(found) == 0 {
			t.Errorf("%s%s reads no metric", r.Alert, r.Record)
		}
		for _, m := range found {
			if !strings.Contains(m[2], `job="mine"}`) {
				t.Errorf("%s%s: %s%s", r.Alert, r.Record, m[1], m[2])
			}
		}
	}
}

func TestAlertsHaveASeverityAndOutlastAMissedScrape(t *testing.T) {
	t.Parallel()
	critical := 0
	for _, r := range parsed(t, rendered(t, nil)["alerts.yml"]) {
		switch severity := r.Labels["severity"]; severity {
		case "critical":
			critical++
		case "warning":
		default:
			t.Errorf("%s has the severity %q", r.Alert, severity)
		}
		// A scrape that is missed is what AliyunVulscanExporterDown is about.
		if r.For == "" || (r.KeepFiringFor == "") != (r.Alert == "AliyunVulscanExporterDown") {
			t.Errorf("%s: for %q, keep_firing_for %q", r.Alert, r.For, r.KeepFiringFor)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", r.Alert)
		}
	}
	if critical != 1 {
		t.Errorf("%d alerts wake somebody, want 1", critical)
	}
}

func TestTheRunbooksBaseCanBeSet(t *testing.T) {
	t.Parallel()
	for _, r := range parsed(t, rendered(t, map[string]any{"runbookUrl": "https://wiki.example/vulscan"})["alerts.yml"]) {
		if want := "https://wiki.example/vulscan#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
	}
}

// A misspelt name in an inhibit rule silences nothing, and nobody sees it.
func TestInhibitRulesNameAlertsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range parsed(t, rendered(t, nil)["alerts.yml"]) {
		known[r.Alert] = true
	}
	matchers := regexp.MustCompile(`alertname=~?"AliyunVulscan\(?([\w|]+)\)?"`).FindAllStringSubmatch(content(t, "../alertmanager.yml"), -1)
	if len(matchers) != 12 {
		t.Errorf("%d matchers, want two for each of 6 rules", len(matchers))
	}
	for _, m := range matchers {
		for name := range strings.SplitSeq(m[1], "|") {
			if !known["AliyunVulscan"+name] {
				t.Errorf("there is no alert %s", name)
			}
		}
	}
}
