package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/version"

	"aliyun_vulscan_exporter/internal/commandline"
	"aliyun_vulscan_exporter/internal/shard"
	"aliyun_vulscan_exporter/internal/web"
)

// demoExporter is an exporter that polls the demo's Security Center.
func demoExporter(t *testing.T, args ...string) *exporter {
	t.Helper()
	app, f := commandline.New(program, "", new(bytes.Buffer), new(bytes.Buffer))
	if _, err := app.Parse(append([]string{"--demo", "--log.level=error"}, args...)); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newExporter(f, cfg, shard.Shard{Total: 1}, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	if err := e.apply(cfg); err != nil {
		t.Fatal(err)
	}
	return e
}

// stoppedDemo is the demo's exporter after its first pass, no longer polling,
// so that two scrapes of it say the same.
func stoppedDemo(t *testing.T) (*exporter, http.Handler) {
	t.Helper()
	e := demoExporter(t, "--once")
	e.collector.Wait()
	e.collector.Close()
	h, err := web.New(web.Options{
		Families: e.collector.Families, Fleet: e.fleet, Rest: e.rest, Summaries: e.collector.Summaries,
		TelemetryPath: "/metrics", Version: version.Info(), Logger: e.logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, h
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
	e, h := stoppedDemo(t)
	promhttpHandler := promhttp.HandlerFor(prometheus.Gatherers{e.rest, e.fleet}, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for name, accept := range map[string]string{
		"text": "text/plain;version=0.0.4", "OpenMetrics": "application/openmetrics-text;version=1.0.0", "nothing": "",
		"OpenMetrics 0.0.1": "application/openmetrics-text;version=0.0.1",
		"a name in UTF-8":   "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
	} {
		for _, encoding := range []string{"gzip", "identity", "", "deflate, gzip;q=0.5", "gzip;q=0", "br"} {
			t.Run(name+", "+encoding, func(t *testing.T) {
				got, kind := scrapeBody(t, h, accept, encoding)
				want, wantKind := scrapeBody(t, promhttpHandler, accept, encoding)
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
