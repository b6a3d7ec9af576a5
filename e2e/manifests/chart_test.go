// Package manifests tests the Helm chart and the plain manifests: with Helm's
// own linter and engine, and by decoding what they make into Kubernetes' types.
package manifests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chartFolder = "../../deploy/helm/aliyun-vulscan-exporter"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cases are the values that the chart is tested with, by name.
func cases(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d files of values: %v", len(paths), err)
	}
	all := map[string]map[string]any{}
	for _, path := range paths {
		values := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(read(t, path)), &values); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".yml")] = values
	}
	return all
}

// templates are all that make manifests, in the order in which they are joined.
var templates = []string{"config", "workload", "service", "guards", "monitoring"}

// render gives the chart's manifests, one after the other, and its notes. A
// value that does not exist is an error.
func render(values map[string]any) (manifests, notes string, err error) {
	chart, err := loader.Load(chartFolder)
	if err != nil {
		return "", "", fmt.Errorf("loading the chart: %w", err)
	}
	release := common.ReleaseOptions{Name: "vulscan", Namespace: "monitoring", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return "", "", fmt.Errorf("checking values: %w", err)
	}
	files, err := engine.Engine{Strict: true}.RenderWithContext(context.Background(), chart, all)
	if err != nil {
		return "", "", fmt.Errorf("rendering: %w", err)
	}
	var b strings.Builder
	for _, name := range templates {
		path := chart.Name() + "/templates/" + name + ".yaml"
		b.WriteString("---\n" + files[path] + "\n")
		delete(files, path)
	}
	for path, text := range files {
		switch {
		case strings.HasSuffix(path, "NOTES.txt"):
			notes = text
		case strings.TrimSpace(text) != "":
			return "", "", fmt.Errorf("%s is not tested", path)
		}
	}
	return b.String(), notes, nil
}

func TestHelmLintFindsNothing(t *testing.T) {
	for name, values := range cases(t) {
		result := lint.RunAll(chartFolder, values, "monitoring")
		for _, m := range result.Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestTheSchemaRefusesMistakes(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"an unknown value":      {"shard": 3},
		"an unknown mode":       {"mode": "daemonset"},
		"no shards":             {"shards": 0},
		"text for a switch":     {"persistence": map[string]any{"enabled": "yes"}},
		"an odd size":           {"persistence": map[string]any{"size": "much"}},
		"an argument, no flag":  {"extraArgs": []any{"debug"}},
		"no account":            {"config": map[string]any{"accounts": []any{}}},
		"an unknown key inside": {"rrsa": map[string]any{"role": "x"}},
		"two jobs' names":       {"serviceMonitor": map[string]any{"endpoint": map[string]any{"relabelings": []any{}}}},
	} {
		if _, _, err := render(values); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, _, err := render(map[string]any{"rrsa": map[string]any{"enabled": true}}); err == nil {
		t.Error("RRSA without a role is accepted")
	}
}

func TestEveryValueIsInTheReadme(t *testing.T) {
	values := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(read(t, chartFolder+"/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	readme := read(t, chartFolder+"/README.md")
	for name := range values {
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md has nothing on %s", name)
		}
	}
}

func TestNotesNameWhatIsInstalled(t *testing.T) {
	for name, kind := range map[string]string{"default": "deployment", "everything": "statefulset"} {
		_, notes, err := render(cases(t)[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"vulscan-aliyun-vulscan-exporter.monitoring:", "-n monitoring exec " + kind + "/vulscan-aliyun-vulscan-exporter --"} {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: no %q in\n%s", name, want, notes)
			}
		}
	}
}
