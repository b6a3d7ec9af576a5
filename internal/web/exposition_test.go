package web_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
)

// gauges is a collector of whatever metrics it is given, checked by nobody.
type gauges []prometheus.Metric

func (gauges) Describe(chan<- *prometheus.Desc) {}

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	for _, m := range g {
		ch <- m
	}
}

func gauge(name string, value float64) prometheus.Metric {
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, "Help.", nil, nil), prometheus.GaugeValue, value)
}

// slow is a collector that waits inside a scrape.
type slow struct{ arrived, release chan struct{} }

func (slow) Describe(chan<- *prometheus.Desc) {}

func (s slow) Collect(chan<- prometheus.Metric) {
	s.arrived <- struct{}{}
	<-s.release
}

func TestBrokenSeriesLeaveTheOthersServed(t *testing.T) {
	t.Parallel()
	broken := prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "Help.", nil, nil), errors.New("no value"))
	for name, metrics := range map[string]gauges{
		"duplicate": {gauge("good", 1), gauge("twice", 2), gauge("twice", 3)},
		"invalid":   {gauge("good", 1), broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			registry := prometheus.NewRegistry()
			registry.MustRegister(metrics)
			o := options()
			o.Others, o.Logger = registry, log.NewLogfmtLogger(&text)
			got := get(handler(t, o), "/metrics")
			if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "\ngood 1\n") {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if line := text.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "level=error") {
				t.Errorf("not one line of log: %q", line)
			}
		})
	}
}

func TestScrapeOfNothingButFailuresFails(t *testing.T) {
	t.Parallel()
	o := options()
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauges{prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "Help.", nil, nil), errors.New("no value"))})
	o.Others = registry
	if got := get(handler(t, o), "/metrics"); got.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestScrapesBeyondTheLimitAreAnswered503(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit, held int
		full        bool
	}{
		"below":    {3, 2, false},
		"beyond":   {2, 2, true},
		"no limit": {0, 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slow{arrived: make(chan struct{}, 100), release: make(chan struct{})}
			registry := prometheus.NewRegistry()
			registry.MustRegister(s, gauges{gauge("good", 1)})
			o := options()
			o.Others, o.MaxRequests = registry, c.limit
			h := handler(t, o)
			var scrapes sync.WaitGroup
			for range c.held {
				scrapes.Go(func() {
					if got := get(h, "/metrics"); got.Code != http.StatusOK {
						t.Errorf("a held scrape: %d", got.Code)
					}
				})
				<-s.arrived
			}
			if got := get(h, "/-/healthy"); got.Code != http.StatusOK {
				t.Errorf("other paths are limited as well: %d", got.Code)
			}
			if c.full {
				if got := get(h, "/metrics"); got.Code != http.StatusServiceUnavailable {
					t.Errorf("one too many: %d", got.Code)
				}
			}
			close(s.release)
			scrapes.Wait()
			if got := get(h, "/metrics"); got.Code != http.StatusOK {
				t.Errorf("afterwards: %d", got.Code)
			}
		})
	}
}

func TestFormatIsTheOneTheClientLikesBest(t *testing.T) {
	t.Parallel()
	const (
		text004  = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
		text100  = "text/plain; version=1.0.0; charset=utf-8; escaping="
		open100  = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
		protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping="
	)
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauges{gauge("good", 1)})
	o := options()
	o.Others = registry
	h := handler(t, o)
	for name, c := range map[string]struct{ accept, want string }{
		"nothing":            {"", text004},
		"browser":            {"text/html,application/xhtml+xml,*/*;q=0.8", text004},
		"unknown":            {"application/json", text004},
		"unknown version":    {"text/plain;version=9", text004},
		"text":               {"text/plain", text004},
		"text 1.0.0":         {"text/plain;version=1.0.0", text100 + "underscores"},
		"text 1.0.0 UTF-8":   {"text/plain;version=1.0.0;escaping=allow-utf-8", text100 + "allow-utf-8"},
		"0.0.4 before 1.0.0": {"text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.4", text004},
		"1.0.0 before 0.0.4": {"text/plain;version=0.0.4;q=0.3,text/plain;version=1.0.0;q=0.4", text100 + "underscores"},
		"Prometheus 3": {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
			"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", open100 + "allow-utf-8"},
		"native histograms": {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," +
			"text/plain;version=1.0.0;q=0.4", protobuf + "underscores"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(h, "/metrics", "Accept", c.accept)
			if kind := got.Header().Get("Content-Type"); got.Code != http.StatusOK || kind != c.want {
				t.Errorf("%d %s, want %s", got.Code, kind, c.want)
			}
			if strings.HasPrefix(c.want, "text") && !strings.HasSuffix(got.Body.String(), "\ngood 1\n") {
				t.Errorf("got %s", got.Body)
			}
		})
	}
}

func TestErrorsAreNoTextOfVersion1(t *testing.T) {
	t.Parallel()
	o := options()
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauges{prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "Help.", nil, nil), errors.New("no value"))})
	o.Others = registry
	got := get(handler(t, o), "/metrics", "Accept", "text/plain;version=1.0.0")
	if kind := got.Header().Get("Content-Type"); strings.Contains(kind, "version") {
		t.Errorf("%d %s", got.Code, kind)
	}
}
