package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/sas"
)

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
	if len(metrics) < 30 {
		t.Fatalf("only %d metrics found in docs/metrics.md", len(metrics))
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
	t.Parallel()
	wanted := documentedMetrics(t)
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

// The demo may never publish a row of the table; its source says all the same that it is there.
func TestMetricsPageHasEveryRowOfTheTable(t *testing.T) {
	t.Parallel()
	wanted := documentedMetrics(t)
	rows := regexp.MustCompile(`name: "(aliyun_vulscan_[a-z_]+)"`).FindAllStringSubmatch(readDoc(t, "../collector/metrics.go"), -1)
	if len(rows) < 25 {
		t.Fatalf("only %d rows found", len(rows))
	}
	for _, row := range rows {
		if _, known := wanted[row[1]]; !known {
			t.Errorf("docs/metrics.md lacks %s", row[1])
		}
	}
}

func TestMetricsPageHasAQueryForEveryMetric(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "metrics.md")
	for name := range documentedMetrics(t) {
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| [^|]*`[^`]*" + name + "[^`]*`")
		if !row.MatchString(page) {
			t.Errorf("docs/metrics.md has no example query for %s", name)
		}
	}
}

// mentioned finds names of metrics; the last part leaves out those of recording rules.
var mentioned = regexp.MustCompile(`\baliyun_vulscan_[a-z_]*[a-z]\b`)

// histogramParts are what Prometheus appends to the name of a histogram.
var histogramParts = regexp.MustCompile(`_(bucket|count|sum)$`)

// expectKnownMetrics fails for every metric that a text mentions and the page does not have.
func expectKnownMetrics(t *testing.T, where, text string) {
	t.Helper()
	known := documentedMetrics(t)
	for _, name := range mentioned.FindAllString(text, -1) {
		if name == "aliyun_vulscan_exporter" { // the program
			continue
		}
		_, is := known[name]
		of, isHistogram := known[histogramParts.ReplaceAllString(name, "")]
		if !is && (!isHistogram || of.kind != "histogram") {
			t.Errorf("%s mentions %s, which is no metric", where, name)
		}
	}
}

func TestPagesMentionMetricsThatExist(t *testing.T) {
	t.Parallel()
	recorded := regexp.MustCompile(`[a-z_]+:aliyun_vulscan_[a-z_]+:[a-z0-9_]+`)
	for _, page := range []string{english, chinese, quick, "metrics.md", "results.md", "runbooks.md", "scaling.md", "state.md", "alibaba-cloud.md", "examples/README.md"} {
		text := recorded.ReplaceAllString(readDoc(t, page), "")
		expectKnownMetrics(t, page, strings.ReplaceAll(text, "__meta_aliyun_vulscan_", ""))
	}
}

func TestMetricsPageHasEveryAnomaly(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "metrics.md")
	for _, reason := range sas.Anomalies() {
		if !strings.Contains(page, "\n| `"+string(reason)+"` |") {
			t.Errorf("docs/metrics.md lacks the reason %s", reason)
		}
	}
}
