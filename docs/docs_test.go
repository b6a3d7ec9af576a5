// Package docs tests that the documentation and the program agree.
package docs

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/commandline"
	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/sas"
)

func TestMain(m *testing.M) { os.Exit(processtest.Main(m)) }

func readDoc(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented is a metric as docs/metrics.md has it.
type documented struct {
	kind   string
	labels []string
}

// documentedMetrics reads the first table of metrics.md.
func documentedMetrics(t *testing.T) map[string]documented {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `(aliyun_vulscan_[a-z_]+)` \\| (gauge|counter|histogram) \\| ([^|]*)\\|")
	metrics := map[string]documented{}
	for _, m := range row.FindAllStringSubmatch(readDoc(t, "metrics.md"), -1) {
		var labels []string
		for label := range strings.SplitSeq(m[3], ",") {
			switch label = strings.TrimSpace(label); label {
			case "S":
				labels = append(labels, "account", "uuid", "server", "task_id", "type")
			case "and the configured labels":
				labels = append(labels, "team") // the demo configures it
			case "":
			default:
				labels = append(labels, label)
			}
		}
		slices.Sort(labels)
		metrics[m[1]] = documented{m[2], labels}
	}
	return metrics
}

// demoFamilies runs the demo until it shows all the wanted metrics.
func demoFamilies(t *testing.T, wanted map[string]documented) map[string]*dto.MetricFamily {
	t.Helper()
	p := processtest.Serve(t, "--demo")
	var families map[string]*dto.MetricFamily
	processtest.Until(t, "the demo publishes every documented metric", func() error {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		var err error
		if families, err = parser.TextToMetricFamilies(strings.NewReader(p.Get("/metrics").Body)); err != nil {
			return fmt.Errorf("reading the exposition: %w", err)
		}
		for name := range wanted {
			if families[name] == nil {
				return fmt.Errorf("%s is documented, but not published", name)
			}
		}
		return nil
	})
	return families
}

func TestMetricsPageAgreesWithTheProgram(t *testing.T) {
	wanted := documentedMetrics(t)
	if len(wanted) < 20 {
		t.Fatalf("only %d metrics found in docs/metrics.md", len(wanted))
	}
	for name, family := range demoFamilies(t, wanted) {
		if !strings.HasPrefix(name, "aliyun_vulscan_") {
			continue
		}
		want, known := wanted[name]
		if !known {
			t.Errorf("%s is published, but not documented", name)
			continue
		}
		if kind := strings.ToLower(family.GetType().String()); kind != want.kind {
			t.Errorf("%s is a %s, documented as %s", name, kind, want.kind)
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		slices.Sort(labels)
		if !slices.Equal(labels, want.labels) {
			t.Errorf("%s has labels %q, documented are %q", name, labels, want.labels)
		}
	}
}

func TestReadmeHasAQueryForEveryMetric(t *testing.T) {
	readme := readDoc(t, "../README.md")
	for name := range documentedMetrics(t) {
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| [^|]*`[^`]*" + name + "[^`]*`")
		if !row.MatchString(readme) {
			t.Errorf("README.md has no example query for %s", name)
		}
	}
}

func TestMetricsPageHasEveryAnomaly(t *testing.T) {
	page := readDoc(t, "metrics.md")
	for _, reason := range sas.Anomalies() {
		if !strings.Contains(page, "\n| `"+string(reason)+"` |") {
			t.Errorf("docs/metrics.md lacks the reason %s", reason)
		}
	}
}

func TestReadmeHasEveryFlag(t *testing.T) {
	app, _ := commandline.New("aliyun_vulscan_exporter", "", new(bytes.Buffer), new(bytes.Buffer))
	readme := readDoc(t, "../README.md")
	for _, flag := range app.Model().Flags {
		if !flag.Hidden && !strings.Contains(readme, "`--"+flag.Name+"`") {
			t.Errorf("README.md lacks --%s", flag.Name)
		}
	}
	for _, m := range regexp.MustCompile("`--([a-z.-]+)`").FindAllStringSubmatch(readme, -1) {
		if app.GetFlag(m[1]) == nil && m[1] != "help" && m[1] != "version" {
			t.Errorf("README.md names --%s, which is no flag", m[1])
		}
	}
}

func TestReadmeConfigurationLoadsAndHasTenLines(t *testing.T) {
	m := regexp.MustCompile("(?s)```yaml\n(accounts:.*?)```").FindStringSubmatch(readDoc(t, "../README.md"))
	if m == nil {
		t.Fatal("README.md shows no configuration")
	}
	if lines := strings.Count(m[1], "\n"); lines > 10 {
		t.Errorf("the first configuration has %d lines", lines)
	}
	secret := t.TempDir() + "/sk"
	if err := os.WriteFile(secret, []byte("a-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/run/secrets/sk", secret, "YOUR-KEY-ID", "LTAI5tExample").Replace(m[1])
	if _, err := config.Parse("README.yml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestExampleConfigurationLoads(t *testing.T) {
	cfg, err := config.Load("example.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Accounts) != 2 || len(cfg.Accounts[0].Servers) != 2 {
		t.Errorf("accounts: %+v", cfg.Accounts)
	}
}
