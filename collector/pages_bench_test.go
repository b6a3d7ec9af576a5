package collector_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/internal/web"
)

// pagesOf are the pages over a collector.
func pagesOf(tb testing.TB, c *collector.Collector) http.Handler {
	tb.Helper()
	h, err := web.New(web.Options{
		Families: c.Families, Fleet: prometheus.NewRegistry(), Rest: prometheus.NewRegistry(), Summaries: c.Summaries,
		Overview: c.Overview, TelemetryPath: "/metrics", Logger: log.NewNopLogger(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// view loads a page and gives its size.
func view(tb testing.TB, h http.Handler, path string) int {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	if w.Code != http.StatusOK {
		tb.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.Len()
}

func TestFirstPageOfALargeFleetIsSmall(t *testing.T) {
	h := pagesOf(t, collector.NewLargeFleet(100_000).Collector)
	began := time.Now()
	size := view(t, h, "/status")
	if took := time.Since(began); took > 2*time.Second { // the race detector's share included
		t.Errorf("it took %s", took)
	}
	if size > 300<<10 || size < 10<<10 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("%d KiB", size>>10)
}

// BenchmarkStatusPage loads pages of 100,000 servers. What they show is gathered
// anew for the first one in a second.
func BenchmarkStatusPage(b *testing.B) {
	fleet := collector.NewLargeFleet(100_000)
	fleet.ChangeAll()
	for _, of := range []struct{ name, path string }{
		{"first", "/status"}, {"last", "/status?page=2000"}, {"search", "/status?search=web-77777"}, {"server", "/status/server?account=production&uuid=" + fleet.UUID(99_999)},
	} {
		b.Run(of.name, func(b *testing.B) {
			h := pagesOf(b, fleet.Collector)
			fleet.Change(100)
			view(b, h, of.path)
			for b.Loop() {
				view(b, h, of.path)
			}
		})
	}
	b.Run("gathered-anew", func(b *testing.B) {
		h := pagesOf(b, fleet.Collector)
		for b.Loop() {
			b.StopTimer()
			time.Sleep(1100 * time.Millisecond) // what was gathered is too old now
			b.StartTimer()
			b.ReportMetric(float64(view(b, h, "/status"))/1024, "KiB")
		}
	})
}

// BenchmarkPollingBesideReaders polls 10,000 servers as fast as 1,000 calls a
// second allow, alone and while 50 readers load one page after the other.
func BenchmarkPollingBesideReaders(b *testing.B) {
	const settings = "  requests_per_second: 1000\n  concurrency: 32\n  poll_interval: 1s\n  settled_interval: 1s\n"
	for b.Loop() {
		p := poll(b, 10_000, settings, 0)
		_, _ = p.during(12 * time.Second) // all are known
		alone, _ := p.during(watchFor / 2)
		ctx, stop := context.WithCancel(b.Context())
		server := httptest.NewServer(pagesOf(b, p.collector))
		server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 50
		var pages atomic.Int64
		var reading sync.WaitGroup
		for range 50 {
			reading.Go(func() {
				for ctx.Err() == nil {
					r, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/status?page=%d", server.URL, 1+rand.IntN(200)), http.NoBody)
					if resp, err := server.Client().Do(r); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
						pages.Add(1)
					}
				}
			})
		}
		beside, _ := p.during(watchFor / 2)
		stop()
		reading.Wait()
		server.Close()
		b.ReportMetric(float64(pages.Load())/(watchFor/2).Seconds(), "pages/s")
		b.ReportMetric(float64(beside)/float64(alone), "beside/alone")
	}
}
