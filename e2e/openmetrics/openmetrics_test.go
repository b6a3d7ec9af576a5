// Package openmetrics has Prometheus' own strict parser read what collector/expose writes.
package openmetrics

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"aliyun_vulscan_exporter/collector/expose"
)

// source has one group, whose metrics are a gauge's and a counter's.
type source struct {
	values  []string
	gauge   float64
	counter float64
	created time.Time
}

func (source) Groups() []int  { return []int{0} }
func (source) Load(g int) int { return g }
func (s source) Collect(_ int, _ time.Time, emit expose.Emit) (int, time.Time) {
	emit(0, s.values, s.gauge, time.Time{})
	emit(1, s.values, s.counter, s.created)
	return 0, time.Time{}
}
func (source) Total([]int, time.Time, expose.Emit) {}

// exposed is what a scraper of OpenMetrics reads.
func exposed(t *testing.T, s source, encoding string) []byte {
	t.Helper()
	label := []expose.Label{{Name: "z", From: 0}, {Name: "A", From: 1}}
	families := []expose.Family{
		{Name: "some", Help: "A \"help\" \\ of\ntwo lines.", Labels: label},
		{Name: "events_total", Help: "Events.", Counter: true, Labels: label},
	}
	e, err := expose.NewEngine(families, s, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h := expose.Handler(expose.Options{Scrape: e.Scrape, Others: prometheus.NewRegistry(), Failed: func(err error) { t.Error(err) }})
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	r.Header.Set("Accept-Encoding", encoding)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	body := io.Reader(answer.Body)
	if encoding == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parsed returns the samples by their labels, the metric's name among them.
func parsed(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	p := textparse.NewOpenMetricsParser(text, labels.NewSymbolTable())
	samples := make(map[string]float64)
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return samples
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if entry == textparse.EntrySeries {
			var l labels.Labels
			p.Labels(&l)
			_, _, value := p.Series()
			samples[l.String()] = value
		}
	}
}

func FuzzOpenMetrics(f *testing.F) {
	f.Add("a", "b", 1.5, 3.0, int64(1_700_000_000_123_456_789))
	f.Add("", "\\ \" \n é", math.Inf(-1), 0.0, int64(0))
	f.Add("# EOF", "} 1", math.NaN(), 1e300, int64(1))
	f.Fuzz(func(t *testing.T, z, a string, gauge, counter float64, created int64) {
		z, a = strings.ToValidUTF8(z, "?"), strings.ToValidUTF8(a, "?")
		if math.IsNaN(counter) || counter < 0 || created < 0 {
			return // no counter is
		}
		s := source{values: []string{z, a}, gauge: gauge, counter: counter}
		if created > 0 {
			s.created = time.Unix(0, created)
		}
		named := func(name string) string { return labels.FromStrings("__name__", name, "z", z, "A", a).String() }
		want := map[string]float64{named("some"): gauge, named("events_total"): counter}
		if created > 0 {
			want[named("events_created")] = float64(created) / 1e9
		}
		for _, encoding := range []string{"identity", "gzip"} {
			if got := parsed(t, exposed(t, s, encoding)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %v, want %v", encoding, got, want)
			}
		}
	})
}
