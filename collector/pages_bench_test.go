package collector_test

import (
	"net/http"
	"net/http/httptest"
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
		Scrape: c.Scrape, Others: prometheus.NewRegistry(), Overview: c.Overview, Targets: c.Targets, TelemetryPath: "/metrics", Logger: log.NewNopLogger(),
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
	t.Parallel()
	h := pagesOf(t, newLargeFleet(20_000).Collector)
	size := view(t, h, "/status")
	if size > 300<<10 || size < 10<<10 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("%d KiB", size>>10)
}

// BenchmarkStatusPage loads pages of 100,000 servers. What they show is gathered anew for the first
// one in a second.
func BenchmarkStatusPage(b *testing.B) {
	fleet := newLargeFleet(100_000)
	fleet.changeAll()
	for _, of := range []struct{ name, path string }{
		{"first", "/status"}, {"last", "/status?page=2000"}, {"search", "/status?search=web-77777"}, {"server", "/status/server?account=production&uuid=" + fleet.uuid(99_999)},
	} {
		b.Run(of.name, func(b *testing.B) {
			h := pagesOf(b, fleet.Collector)
			fleet.change(100)
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
