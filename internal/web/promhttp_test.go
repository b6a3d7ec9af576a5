package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/web"
)

// stoppedDemo is an exporter of the demo's Security Center after its first
// pass, no longer polling: its metrics, and the handler that serves them.
func stoppedDemo(t *testing.T) (prometheus.Gatherer, http.Handler) {
	t.Helper()
	running, err := simulator.Start(t.Context(), simulator.Demo(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo", simulator.DemoConfig(running.URL))
	if err != nil {
		t.Fatal(err)
	}
	connect := func(a config.Account, observe func(action, result string, took time.Duration)) collector.API {
		return sas.ForAccount(a, "test", observe)
	}
	scans := collector.New(collector.Options{Connect: connect, Logger: log.NewNopLogger(), Once: true})
	t.Cleanup(scans.Close)
	scans.Apply(cfg)
	scans.Wait()
	o := options()
	rest, fleet := web.NewRegistry("test"), prometheus.NewRegistry()
	rest.MustRegister(scans)
	fleet.MustRegister(scans.Fleet())
	o.Families, o.Fleet, o.Rest, o.Summaries = scans.Families, fleet, rest, scans.Summaries
	return prometheus.Gatherers{rest, fleet}, handler(t, o)
}

// scrapeBody is what a client reads, unpacked.
func scrapeBody(t *testing.T, h http.Handler, accept, encoding string) (text, contentType string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body := io.Reader(w.Body)
	if w.Header().Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = zipped
	}
	all, err := io.ReadAll(body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, err)
	}
	return string(all), w.Header().Get("Content-Type")
}

// own gives the exporter's own families, the samples of each in order, and
// what comes after the last; runtime figures are others at every scrape.
func own(text string) string {
	var b strings.Builder
	for i, family := range strings.Split(text, "# HELP ") {
		if i == 0 || strings.HasPrefix(family, "go_") || strings.HasPrefix(family, "process_") {
			continue
		}
		lines := slices.Collect(strings.Lines(family))
		slices.Sort(lines[2:])
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

func TestScrapesAreWhatPromhttpWouldAnswer(t *testing.T) {
	metrics, h := stoppedDemo(t)
	promhttpHandler := promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for name, accept := range map[string]string{
		"text": "text/plain;version=0.0.4", "OpenMetrics": "application/openmetrics-text;version=1.0.0", "nothing": "",
		"OpenMetrics 0.0.1": "application/openmetrics-text;version=0.0.1",
		"a name in UTF-8":   "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
	} {
		for _, encoding := range []string{"gzip", "identity", "", "deflate, gzip;q=0.5", "gzip;q=0", "br"} {
			t.Run(name+", "+encoding, func(t *testing.T) {
				var got, kind, want, wantKind string
				for settled := false; !settled; { // what depends on the time may change in between
					before, _ := scrapeBody(t, promhttpHandler, accept, encoding)
					got, kind = scrapeBody(t, h, accept, encoding)
					want, wantKind = scrapeBody(t, promhttpHandler, accept, encoding)
					settled = own(before) == own(want)
				}
				if kind != wantKind {
					t.Errorf("content type %s, promhttp's is %s", kind, wantKind)
				}
				if own(got) != own(want) {
					t.Errorf("got\n%s\nwant\n%s", own(got), own(want))
				}
				if strings.HasSuffix(want, "# EOF\n") != strings.HasSuffix(got, "# EOF\n") {
					t.Error("the end is not promhttp's")
				}
				if !slices.Equal(familyNames(got), familyNames(want)) {
					t.Errorf("families in the order\n%q\npromhttp:\n%q", familyNames(got), familyNames(want))
				}
			})
		}
	}
}

func familyNames(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if name, isType := strings.CutPrefix(line, "# TYPE "); isType {
			names = append(names, name)
		}
	}
	return names
}

func TestScrapesCanAskForFamiliesByName(t *testing.T) {
	_, h := stoppedDemo(t)
	r := httptest.NewRequest(http.MethodGet, "/metrics?name[]=aliyun_vulscan_server_up&name[]=go_goroutines&name[]=nothing", http.NoBody)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := familyNames(w.Body.String()); !slices.Equal(got, []string{"aliyun_vulscan_server_up gauge\n", "go_goroutines gauge\n"}) {
		t.Errorf("got %q", got)
	}
}
