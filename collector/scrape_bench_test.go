package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
)

// seriesPerServer is how many a server of a large fleet has, nearly.
const seriesPerServer = 12.8

const changedIn = 100 // one server of so many answers between two scrapes

// BenchmarkScrape times whole HTTP scrapes over loopback, 1% of the servers having changed since
// the last, beside client_golang's const metrics of the same series in the same format.
func BenchmarkScrape(b *testing.B) {
	formats := []struct{ name, accept string }{{"text", acceptText}, {"openmetrics", acceptOpenMetrics}, {"protobuf", acceptProtobuf}}
	for _, series := range []int{10_000, 100_000, 800_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			servers := int(float64(series) / seriesPerServer)
			fleet := newLargeFleet(servers)
			change := func() { fleet.change(servers / changedIn) }
			ours, constMetrics := exposition(b, fleet), constMetricsOf(fleet)
			took := map[string]time.Duration{}
			for _, f := range formats {
				b.Run(f.name+"_gzip", func(b *testing.B) { took[f.name] = scrapes(b, ours, change, f.accept, "gzip") })
				b.Run("const_"+f.name+"_gzip", func(b *testing.B) { took["const_"+f.name] = scrapes(b, constMetrics, change, f.accept, "gzip") })
			}
			b.Run("ratios", func(b *testing.B) {
				for b.Loop() { // all was measured above
				}
				slowest, fastest := time.Duration(0), time.Duration(1<<62)
				for _, f := range formats {
					b.ReportMetric(float64(took["const_"+f.name])/float64(took[f.name]), "const/"+f.name)
					slowest, fastest = max(slowest, took[f.name]), min(fastest, took[f.name])
				}
				b.ReportMetric(float64(slowest)/float64(fastest), "slowest/fastest")
			})
			b.Run("text_and_loopback_in_turn", func(b *testing.B) { inTurn(b, ours, fromMemory(b, ours), change) })
		})
	}
}

// exposition is the handler of an exporter of the fleet.
func exposition(tb testing.TB, fleet *largeFleet) http.Handler {
	tb.Helper()
	events := prometheus.NewRegistry()
	events.MustRegister(fleet)
	return expose.Handler(expose.Options{Scrape: fleet.Scrape, Others: events, Failed: func(err error) { tb.Error(err) }})
}

// constMetricsOf is the same by client_golang.
func constMetricsOf(fleet *largeFleet) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(fleet, fleet.ConstMetrics())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, EnableOpenMetricsTextCreatedSamples: true})
}

// scrapes times scrapes from request to the answer's last byte, and returns what one takes.
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

// inTurn times scrapes of text and the same bytes sent from memory, one after the other: what else
// the machine does then slows both. It compares medians.
func inTurn(b *testing.B, h, memory http.Handler, change func()) {
	ours, loopback := httptest.NewServer(h), httptest.NewServer(memory)
	defer ours.Close()
	defer loopback.Close()
	timed := func(server *httptest.Server) time.Duration {
		start := time.Now()
		scrape(b, server, acceptText, "identity")
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
	b.ReportMetric(median(texts)/median(copies), "text/loopback")
}

// scrape reads an answer to its last byte, and returns its size.
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
	var all bytes.Buffer
	if _, err := io.Copy(&all, scraped(b, h, acceptText, "identity")); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d series", bytes.Count(all.Bytes(), []byte("\n"))-2*bytes.Count(all.Bytes(), []byte("# HELP ")))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(all.Bytes()) })
}

// BenchmarkConcurrentScrapes compares the heap at its highest while eight scrapers of 20,000
// servers read protobuf, and while they read text. How high that is depends on when garbage is
// collected: each round begins without any, and medians of rounds in turn are compared.
func BenchmarkConcurrentScrapes(b *testing.B) {
	const rounds = 11
	fleet := newLargeFleet(20_000)
	for b.Loop() {
		peaks := map[string][]float64{}
		for range rounds {
			for _, accept := range []string{acceptText, acceptProtobuf} {
				peaks[accept] = append(peaks[accept], peak(b, fleet, accept))
			}
		}
		median := func(accept string) float64 {
			slices.Sort(peaks[accept])
			b.Logf("%s: MiB %.1f", accept, peaks[accept])
			return peaks[accept][rounds/2]
		}
		text, protobuf := median(acceptText), median(acceptProtobuf)
		b.ReportMetric(text, "text-MiB")
		b.ReportMetric(protobuf, "protobuf-MiB")
		b.ReportMetric(protobuf/text, "protobuf/text")
	}
}

// peak returns how high the heap is, in MiB, while eight scrapers read five times each what nobody
// has read before.
func peak(b *testing.B, fleet *largeFleet, accept string) float64 {
	fleet.Collector = collector.New(fleet.store, scan.NewClock(time.Now))
	server := httptest.NewServer(exposition(b, fleet))
	defer server.Close()
	heap() // frees what the last round has left
	stop, highest := make(chan struct{}), make(chan uint64)
	go func() { highest <- highestHeap(stop) }()
	var scraping sync.WaitGroup
	for range 8 {
		scraping.Go(func() {
			for range 5 {
				scrape(b, server, accept, "gzip")
			}
		})
	}
	scraping.Wait()
	close(stop)
	return float64(<-highest) / (1 << 20)
}

// highestHeap looks at the heap every millisecond until stop. It does not stop the world for it.
func highestHeap(stop <-chan struct{}) (highest uint64) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		metrics.Read(sample)
		highest = max(highest, sample[0].Value.Uint64())
		select {
		case <-ticker.C:
		case <-stop:
			return highest
		}
	}
}

// By every way that an answer goes, its text is the same.
func TestTextIsTheSameHoweverItIsSent(t *testing.T) {
	t.Parallel()
	const path = "/metrics?name[]=aliyun_vulscan_subtask_status&name[]=aliyun_vulscan_server_up"
	h := exposition(t, newLargeFleet(5_000))
	recorded := httptest.NewRecorder()
	h.ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	want := recorded.Body.String()
	if strings.Count(want, "\n") < 20_000 {
		t.Fatalf("%d bytes", len(want))
	}
	for name, way := range map[string]struct {
		method    string
		encrypted bool
		http2     bool
	}{
		"plain":            {http.MethodGet, false, false},
		"only the headers": {http.MethodHead, false, false},
		"TLS":              {http.MethodGet, true, false},
		"HTTP/2":           {http.MethodGet, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(h)
			server.EnableHTTP2 = way.http2
			if way.encrypted {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			for range 2 { // on the same connection
				r, err := http.NewRequestWithContext(t.Context(), way.method, server.URL+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Accept-Encoding", "identity")
				resp, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || way.method == http.MethodGet && string(got) != want {
					t.Errorf("%d bytes, which are not the %d wanted: %v", len(got), len(want), err)
				}
				if wantHTTP2 := resp.ProtoMajor == 2; wantHTTP2 != way.http2 {
					t.Errorf("answered in %s", resp.Proto)
				}
			}
		})
	}
}
