package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/processtest"
)

// version is one of the Prometheus servers that the exporter is tested with.
type version struct {
	name, binary string // binary: the environment variable that names it
	native       bool   // it is made to ingest native histograms
}

var versions = []version{
	{name: "newest", binary: "PROMETHEUS_NEWEST", native: true},
	{name: "oldest", binary: "PROMETHEUS_OLDEST"},
}

// server is a Prometheus that scrapes one exporter every second.
type server struct {
	*processtest.Process
	t *testing.T
}

// prometheus starts a server. rules are the paths of rule files; alertmanager is an address, empty
// for none.
func prometheus(t *testing.T, v version, target *processtest.Process, rules []string, alertmanager string) *server {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n")
	fmt.Fprintf(&b, "rule_files: [%s]\n", strings.Join(rules, ", "))
	if alertmanager != "" {
		fmt.Fprintf(&b, "alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}\n", alertmanager)
	}
	fmt.Fprintf(&b, "scrape_configs:\n  - job_name: aliyun_vulscan\n    static_configs: [{targets: [%q]}]\n", strings.TrimPrefix(target.URL, "http://"))
	if v.native {
		b.WriteString("    scrape_native_histograms: true\n    always_scrape_classic_histograms: true\n")
	}
	address := freeAddress(t)
	p := start(t, address, "/-/ready", program(t, v.binary),
		"--config.file="+write(t, filepath.Join(dir, "prometheus.yml"), b.String()),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	return &server{Process: p, t: t}
}

// api decodes the data of an answer of Prometheus' HTTP API.
func (s *server) api(path string, parameters url.Values, data any) error {
	body, err := get(s.URL + "/api/v1/" + path + "?" + parameters.Encode())
	if err != nil {
		return err
	}
	answer := struct {
		Status   string
		Error    string
		Warnings []string
		Data     json.RawMessage
	}{}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %w in %.300s", path, err, body)
	}
	if answer.Status != "success" || len(answer.Warnings) > 0 {
		return fmt.Errorf("%s: %s %s %q", path, answer.Status, answer.Error, answer.Warnings)
	}
	return json.Unmarshal(answer.Data, data)
}

// sample is a series of a query's answer.
type sample struct {
	Metric map[string]string
	Value  []any // of an instant query: time and text
	Values [][]any
	// Histogram and Histograms take the place of values where these are native.
	Histogram  []any
	Histograms [][]any
}

// number returns the value of an instant query's sample.
func (s sample) number() float64 {
	if len(s.Value) != 2 {
		return 0
	}
	text, _ := s.Value[1].(string)
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// query runs an instant query.
func (s *server) query(expr string) ([]sample, error) {
	var data struct{ Result []sample }
	err := s.api("query", url.Values{"query": {expr}}, &data)
	return data.Result, err
}

// queryRange runs a query over the last minutes, as a graph does.
func (s *server) queryRange(expr string, over time.Duration) ([]sample, error) {
	var data struct{ Result []sample }
	now := time.Now()
	err := s.api("query_range", url.Values{
		"query": {expr}, "start": {unix(now.Add(-over))}, "end": {unix(now)}, "step": {"5"},
	}, &data)
	return data.Result, err
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// value waits until an expression has one value that is good.
func (s *server) value(expr string, good func(float64) bool) {
	s.t.Helper()
	processtest.Until(s.t, expr+" is as expected", func() error {
		found, err := s.query(expr)
		if err != nil {
			return err
		}
		if len(found) != 1 || !good(found[0].number()) {
			return fmt.Errorf("%v", found)
		}
		return nil
	})
}

func is(want float64) func(float64) bool {
	return func(got float64) bool { return got == want }
}

func above(least float64) func(float64) bool {
	return func(got float64) bool { return got > least }
}

// shippedRules are the files of deploy/prometheus, but that groups which are evaluated seldom do
// not keep tests waiting.
func shippedRules(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, name := range []string{"alerts.yml", "recording.yml"} {
		text := regexp.MustCompile(`(?m)^    interval: \w+\n`).ReplaceAllString(read(t, "../deploy/prometheus/"+name), "")
		paths = append(paths, write(t, filepath.Join(t.TempDir(), name), text))
	}
	return paths
}
