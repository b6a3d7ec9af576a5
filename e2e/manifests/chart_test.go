// Package manifests tests the Helm chart and the plain manifests: with Helm's own linter and
// engine, and by decoding what they make into Kubernetes' types.
package manifests

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	chartFolder = "../../deploy/helm/aliyun-vulscan-exporter"
	examples    = chartFolder + "/ci"
	suffix      = "-values.yaml"
)

// mapping is an object of YAML.
type mapping = map[string]any

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func valuesOf(t *testing.T, path string) mapping {
	t.Helper()
	values := mapping{}
	if err := yaml.UnmarshalStrict([]byte(read(t, path)), &values); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return values
}

// cases returns the values that the chart is tested with, by name: the examples of ci/, and what is
// not an example.
func cases(t *testing.T) map[string]mapping {
	t.Helper()
	found := map[string]mapping{}
	for _, pattern := range []string{examples + "/*" + suffix, "testdata/*.yml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 2 {
			t.Fatalf("%d files of values at %s: %v", len(paths), pattern, err)
		}
		for _, path := range paths {
			name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), suffix), ".yml")
			found[name] = valuesOf(t, path)
		}
	}
	return found
}

// templates are all that make manifests, in the order in which they are joined.
var templates = []string{"config", "workload", "service", "guards", "routes", "extra", "tests/test-connection", "monitoring"}

// render returns the chart's manifests, one after the other, and its notes. A value that does not
// exist is an error.
func render(values mapping) (manifests, notes string, err error) {
	loaded, err := loader.Load(chartFolder)
	if err != nil {
		return "", "", fmt.Errorf("loading the chart: %w", err)
	}
	return renderChart(loaded, values)
}

func renderChart(loaded *chart.Chart, values mapping) (manifests, notes string, err error) {
	release := common.ReleaseOptions{Name: "vulscan", Namespace: "monitoring", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, release, common.DefaultCapabilities)
	if err != nil {
		return "", "", fmt.Errorf("checking values: %w", err)
	}
	files, err := engine.Engine{Strict: true}.RenderWithContext(context.Background(), loaded, all)
	if err != nil {
		return "", "", fmt.Errorf("rendering: %w", err)
	}
	var b strings.Builder
	for _, name := range templates {
		path := loaded.Name() + "/templates/" + name + ".yaml"
		if strings.TrimSpace(files[path]) != "" {
			b.WriteString("---\n" + files[path] + "\n")
		}
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

// objectsOf returns what the chart makes of values.
func objectsOf(t *testing.T, values mapping) []any {
	t.Helper()
	text, _, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	return decodeAll(t, text)
}

// rendered returns what the chart makes of the values of a case.
func rendered(t *testing.T, name string) []any {
	t.Helper()
	return objectsOf(t, cases(t)[name])
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

func TestTheChartSaysWhoseItIs(t *testing.T) {
	loaded, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	m := loaded.Metadata
	if m.Home == "" || len(m.Sources) == 0 || len(m.Maintainers) == 0 || m.KubeVersion == "" || m.Icon == "" {
		t.Errorf("%+v", m)
	}
	for _, f := range loaded.Raw {
		if strings.HasPrefix(f.Name, "ci/") {
			t.Errorf("%s would be installed", f.Name)
		}
	}
}

func TestNotesSayWhatToDo(t *testing.T) {
	storage, restart := "default StorageClass", "rollout restart"
	for name, c := range map[string]struct{ want, not []string }{
		"default": {want: []string{
			"http://vulscan-aliyun-vulscan-exporter.monitoring:10877/", "-n monitoring exec deployment/vulscan-aliyun-vulscan-exporter -c exporter --",
			storage, "persistence.enabled=false", "is reloaded", "helm -n monitoring test vulscan", "create secret generic aliyun-vulscan-exporter",
		}, not: []string{restart}},
		"everything": {want: []string{"https://scans-of-production.monitoring:80/", "exec statefulset/scans-of-production "}, not: []string{storage, restart}},
		"prefix":     {want: []string{"http://vulscan-aliyun-vulscan-exporter.monitoring:80/vulscan/"}},
		"podmonitor": {want: []string{"restarts the pods"}, not: []string{storage, "reloaded"}},
		"rest":       {want: []string{restart}, not: []string{storage, "helm -n"}},
		"demo":       {not: []string{storage, "create secret"}},
	} {
		_, notes, err := render(cases(t)[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: no %q in\n%s", name, want, notes)
			}
		}
		for _, not := range c.not {
			if strings.Contains(notes, not) {
				t.Errorf("%s: %q in\n%s", name, not, notes)
			}
		}
	}
}

// without returns a copy of values that lacks what is at a path, and whether there was something.
func without(values mapping, path ...string) (rest mapping, found bool) {
	rest = maps.Clone(values)
	v, found := rest[path[0]]
	inner, isMapping := v.(mapping)
	switch {
	case len(path) == 1:
		delete(rest, path[0])
	case isMapping:
		rest[path[0]], found = without(inner, path[1:]...)
	default:
		return rest, false
	}
	return rest, found
}

// A value that is declared and read nowhere, or that no case sets, is found.
func TestEveryValueHasAnEffect(t *testing.T) {
	leaves := map[string]bool{}
	for _, v := range documented(t) {
		leaves[v.path] = false
	}
	delete(leaves, "prometheusRule.settings") // see TestSettingsOfRulesArrive
	for name, values := range cases(t) {
		all, notes, err := render(values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for leaf, has := range leaves {
			less, set := without(values, strings.Split(leaf, ".")...)
			if has || !set {
				continue
			}
			text, lessNotes, err := render(less)
			leaves[leaf] = err != nil || text != all || lessNotes != notes
		}
	}
	for _, leaf := range slices.Sorted(maps.Keys(leaves)) {
		if !leaves[leaf] {
			t.Errorf("%s changes nothing, or no case sets it", leaf)
		}
	}
}
