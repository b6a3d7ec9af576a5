// Package rules tests that the mixin and the Helm chart say what the generated rules say.
package rules

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-jsonnet"
	"sigs.k8s.io/yaml"

	"aliyun_vulscan_exporter/deploy/prometheus/rules"
)

// otherSettings differ from the defaults in every kind of value.
func otherSettings() map[string]any {
	return map[string]any{
		"selector": `job="mine",env=~"a|b"`, "groupLabels": "region", "runbookUrl": "https://wiki.example/vulscan",
		"scanFailedFor": "1h", "scanFailedSeverity": "critical", "manyScansFailShare": 0.5, "noScanFinishedSeconds": 691200,
	}
}

// mixin evaluates a field of the mixin with settings of our own.
func mixin(t *testing.T, field string, settings map[string]any) (any, error) {
	t.Helper()
	config, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	vm := jsonnet.MakeVM()
	vm.Importer(&jsonnet.FileImporter{JPaths: []string{"../../deploy/prometheus"}})
	text, err := vm.EvaluateAnonymousSnippet("test", fmt.Sprintf("((import 'mixin.libsonnet') + { _config+:: %s }).%s", config, field))
	if err != nil {
		return nil, err
	}
	return decoded(t, text), nil
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheMixinEqualsTheGeneratedRules(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]any{"defaults": {}, "other settings": otherSettings()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := rules.Render(settings)
			if err != nil {
				t.Fatal(err)
			}
			for field, file := range map[string]string{"prometheusAlerts": "alerts.yml", "prometheusRules": "recording.yml"} {
				got, err := mixin(t, field, settings)
				if err != nil {
					t.Fatal(err)
				}
				if want := decoded(t, files[file]); !reflect.DeepEqual(got, want) {
					t.Errorf("%s of the mixin is not what %s says", field, file)
				}
			}
		})
	}
}

func TestTheMixinRefusesASettingThatDoesNotExist(t *testing.T) {
	t.Parallel()
	if got, err := mixin(t, "prometheusAlerts", map[string]any{"scanFailedfor": "1h"}); err == nil {
		t.Errorf("it evaluates: %.100v", got)
	}
}
