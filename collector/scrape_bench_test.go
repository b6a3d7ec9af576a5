package collector_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	fastgzip "github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/internal/web"
)

// seriesPerServer is how many a server of a LargeFleet has, nearly.
const seriesPerServer = 12.8

const (
	text      = "text/plain;version=0.0.4"
	open      = "application/openmetrics-text;version=1.0.0"
	protobuf  = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	changedIn = 100 // one server of so many answers between two scrapes
)

// BenchmarkScrape times whole HTTP scrapes over loopback, 1% of the servers
// having changed since the last, beside the same series by other ways.
func BenchmarkScrape(b *testing.B) {
	for _, series := range []int{10_000, 100_000, 400_000, 800_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			servers := int(float64(series) / seriesPerServer)
			fleet := collector.NewLargeFleet(servers)
			change := func() { _ = fleet.Change(servers / changedIn) }
			took := map[string]time.Duration{}
			run := func(name string, h http.Handler, change func(), accept, encoding string) {
				b.Run(name, func(b *testing.B) { took[name] = scrapes(b, h, change, accept, encoding) })
			}
			ours := exporter(b, fleet)
			run("text", ours, change, text, "identity")
			run("text_gzip", ours, change, text, "gzip")
			run("openmetrics", ours, change, open, "identity")
			run("openmetrics_gzip", ours, change, open, "gzip")
			run("protobuf_gzip", ours, change, protobuf, "gzip")
			b.Run("text_and_loopback_in_turn", func(b *testing.B) { inTurn(b, ours, fromMemory(b, ours), change) })
			for name, compress := range map[string]func(io.Writer) io.WriteCloser{
				"on_change": nil, "on_change_gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
				"on_change_fast_gzip": func(w io.Writer) io.WriteCloser { return fastgzip.NewWriter(w) },
			} {
				h, change := renderedOnChange(fleet, compress)
				run(name, h, func() { change(servers / changedIn) }, text, "")
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(fleet.Fleet())
			constMetrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
			run("const", constMetrics, change, text, "identity")
			run("const_gzip", constMetrics, change, text, "gzip")
			gauges, set := gaugeVecs(b, registry)
			run("gaugevec", gauges, func() { set(servers / changedIn) }, text, "identity")
			run("gaugevec_gzip", gauges, func() { set(servers / changedIn) }, text, "gzip")
			b.Run("ratios", func(b *testing.B) {
				for b.Loop() { // all was measured above
				}
				for _, r := range [][2]string{
					{"const", "text"},
					{"gaugevec", "text"},
					{"const_gzip", "text_gzip"},
					{"gaugevec_gzip", "text_gzip"},
					{"on_change_gzip", "text_gzip"},
					{"on_change_fast_gzip", "text_gzip"},
					{"on_change", "text"},
				} {
					b.ReportMetric(float64(took[r[0]])/float64(took[r[1]]), r[0]+"/"+r[1])
				}
			})
		})
	}
}

// exporter is the handler of an exporter of the fleet.
func exporter(b testing.TB, fleet *collector.LargeFleet) http.Handler {
	b.Helper()
	rest, servers := prometheus.NewRegistry(), prometheus.NewRegistry()
	rest.MustRegister(fleet)
	servers.MustRegister(fleet.Fleet())
	h, err := web.New(web.Options{
		Families: fleet.Families, Fleet: servers, Rest: rest, Summaries: fleet.Summaries,
		TelemetryPath: "/metrics", Logger: log.NewNopLogger(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// scrapes times scrapes from request to the answer's last byte, and gives what
// one takes.
func scrapes(b *testing.B, h http.Handler, change func(), accept, encoding string) time.Duration {
	server := httptest.NewServer(h)
	defer server.Close()
	size := scrape(b, server, accept, encoding)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		change()
		b.StartTimer()
		scrape(b, server, accept, encoding)
	}
	b.ReportMetric(float64(size), "bytes/scrape")
	return b.Elapsed() / time.Duration(b.N)
}

// inTurn times scrapes of text and the same bytes sent from memory, one after
// the other: what else the machine does then slows both. It compares medians.
func inTurn(b *testing.B, h, memory http.Handler, change func()) {
	ours, loopback := httptest.NewServer(h), httptest.NewServer(memory)
	defer ours.Close()
	defer loopback.Close()
	timed := func(server *httptest.Server) time.Duration {
		start := time.Now()
		scrape(b, server, text, "identity")
		return time.Since(start)
	}
	timed(ours)
	timed(loopback)
	var texts, copies []time.Duration
	for b.Loop() {
		change()
		texts, copies = append(texts, timed(ours)), append(copies, timed(loopback))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2])
	}
	b.ReportMetric(median(texts), "text-ns")
	b.ReportMetric(median(copies), "loopback-ns")
	b.ReportMetric(median(texts)/median(copies), "text/loopback")
}

// scrape reads an answer to its last byte, and gives its size.
func scrape(b *testing.B, server *httptest.Server, accept, encoding string) int64 {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/metrics", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	resp, err := server.Client().Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.StatusCode, err)
	}
	return n
}

// fromMemory answers with the bytes that another handler has answered with.
func fromMemory(b *testing.B, h http.Handler) http.Handler {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", text)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	all := w.Body.Bytes()
	b.Logf("%d series", bytes.Count(all, []byte("\n"))-2*bytes.Count(all, []byte("# HELP ")))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(all)))
		_, _ = w.Write(all)
	})
}

// renderedOnChange serves text that was rendered when a server changed, as
// kube-state-metrics does: a map of objects, each with a text for every family.
// It is compressed, if at all, when it is asked for.
func renderedOnChange(fleet *collector.LargeFleet, compress func(io.Writer) io.WriteCloser) (h http.Handler, change func(servers int)) {
	texts, headers := fleet.Texts()
	change = func(servers int) {
		for _, i := range fleet.Change(servers) {
			texts[fleet.UUID(i)] = fleet.TextOf(i)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := io.Writer(w)
		if compress != nil {
			zipped := compress(w)
			defer func() { _ = zipped.Close() }()
			out = zipped
		}
		for family, header := range headers {
			_, _ = io.WriteString(out, header)
			for _, text := range texts {
				_, _ = out.Write(text[family])
			}
		}
	}), change
}

// gaugeVecs serves the series of another registry from client_golang's vectors.
// set gives so many servers' series another value.
func gaugeVecs(b *testing.B, from prometheus.Gatherer) (h http.Handler, set func(servers int)) {
	b.Helper()
	families, err := from.Gather()
	if err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	var gauges []prometheus.Gauge
	for _, f := range families {
		names, _ := labels(f.GetMetric()[0])
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.GetName(), Help: f.GetHelp()}, names)
		registry.MustRegister(vec)
		for _, m := range f.GetMetric() {
			_, values := labels(m)
			g := vec.WithLabelValues(values...)
			g.Set(m.GetGauge().GetValue() + m.GetCounter().GetValue())
			if strings.Contains(f.GetName(), "subtask_") {
				gauges = append(gauges, g)
			}
		}
	}
	next := 0
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), func(servers int) {
		for range servers * 8 {
			gauges[next%len(gauges)].Set(float64(next))
			next += changedIn
		}
	}
}

func labels(m *dto.Metric) (names, values []string) {
	for _, pair := range m.GetLabel() {
		names, values = append(names, pair.GetName()), append(values, pair.GetValue())
	}
	return names, values
}
