// Package manifests tests the Helm chart and the plain manifests: with Helm's
// own linter and engine, and by decoding what they make into Kubernetes' types.
package manifests

import (
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

// render gives the chart's manifests, one after the other.
func render(t *testing.T, values map[string]any) (string, error) {
	t.Helper()
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "vulscan", Namespace: "monitoring", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range []string{"config", "workload", "service", "guards", "monitoring"} {
		b.WriteString("---\n" + files[chart.Name()+"/templates/"+name+".yaml"] + "\n")
		delete(files, chart.Name()+"/templates/"+name+".yaml")
	}
	for name := range files {
		if !strings.HasSuffix(name, ".tpl") && !strings.HasSuffix(name, "NOTES.txt") {
			t.Errorf("%s is not tested", name)
		}
	}
	return b.String(), nil
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
	} {
		if _, err := render(t, values); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := render(t, map[string]any{"rrsa": map[string]any{"enabled": true}}); err == nil {
		t.Error("RRSA without a role is accepted")
	}
}

// What the chart carries of other folders is what is there.
func TestCopiesAreTheOriginals(t *testing.T) {
	for dest, source := range copies {
		for _, name := range filesOf(t, source) {
			if read(t, filepath.Join(chartFolder, dest, name)) != read(t, filepath.Join(source, name)) {
				t.Errorf("%s/%s differs from %s: run .ci/manifests -update", dest, name, source)
			}
		}
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
