package rules

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"

	"aliyun_vulscan_exporter/deploy/prometheus/rules"
)

// chartGroups renders the chart's PrometheusRule and returns its groups.
func chartGroups(t *testing.T, settings map[string]any) (any, error) {
	t.Helper()
	chart, err := loader.Load("../../deploy/helm/aliyun-vulscan-exporter")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"prometheusRule": map[string]any{"enabled": true, "settings": settings}}
	release := common.ReleaseOptions{Name: "vulscan", Namespace: "monitoring", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("checking values: %w", err)
	}
	files, err := engine.Engine{Strict: true}.RenderWithContext(t.Context(), chart, all)
	if err != nil {
		return nil, fmt.Errorf("rendering: %w", err)
	}
	for path, text := range files {
		if !strings.HasSuffix(path, ".yaml") {
			continue // notes and helpers
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			if object, _ := decoded(t, document).(map[string]any); object["kind"] == "PrometheusRule" {
				return object["spec"].(map[string]any)["groups"], nil
			}
		}
	}
	t.Fatal("the chart has no PrometheusRule")
	return nil, nil
}

func TestTheChartEqualsTheGeneratedRules(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]any{"defaults": {}, "other settings": otherSettings()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := rules.Render(settings)
			if err != nil {
				t.Fatal(err)
			}
			var want []any
			for _, file := range []string{"alerts.yml", "recording.yml"} {
				want = append(want, decoded(t, files[file]).(map[string]any)["groups"].([]any)...)
			}
			got, err := chartGroups(t, settings)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, any(want)) {
				t.Error("the chart's rules are not what alerts.yml and recording.yml say")
			}
		})
	}
}

func TestTheChartRefusesASettingThatDoesNotExist(t *testing.T) {
	t.Parallel()
	_, err := chartGroups(t, map[string]any{"scanFailedfor": "1h"})
	if err == nil || !strings.Contains(err.Error(), "prometheusRule.settings.scanFailedfor: there is no such setting") {
		t.Errorf("error %v", err)
	}
}
