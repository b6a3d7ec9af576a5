//go:build unix

package collector_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// polling is a collector that polls a simulator over loopback, in real time.
type polling struct {
	collector *collector.Collector

	mu        sync.Mutex
	arrived   []time.Time
	throttled int
}

// startPolling begins to poll so many servers, as the settings of the account say. The simulator
// grants so many calls a second; 0: any number.
func startPolling(b *testing.B, servers int, settings string, granted int) *polling {
	b.Helper()
	p := &polling{}
	fleet := simulator.Fleet{Seed: 1, Size: servers, TaskIDs: []string{"ad8afca3914a5fff4636e67f18e259c7"}, ScanDuration: time.Minute, ScanPeriod: 5 * time.Minute, FailRatio: .1}
	center := httptest.NewServer(simulator.New(simulator.Options{
		Accounts: []simulator.Account{{Name: "a", AccessKeyID: "LTAIbench", AccessKeySecret: "secret", RequestsPerSecond: float64(granted), Fleet: fleet}},
		Observe: func(c simulator.Call) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.arrived = append(p.arrived, c.Time)
			if strings.HasPrefix(c.Code, "Throttling") {
				p.throttled++
			}
		},
	}))
	var text strings.Builder
	fmt.Fprintf(&text, "accounts:\n- name: a\n  endpoint: %s\n  credentials: {access_key_id: LTAIbench, access_key_secret: secret}\n", center.URL)
	fmt.Fprintf(&text, "  task_ids: [ad8afca3914a5fff4636e67f18e259c7]\n%s  servers:\n", settings)
	for _, s := range fleet.Servers() {
		fmt.Fprintf(&text, "  - {uuid: %s, name: %s}\n", s.UUID, s.Name)
	}
	cfg, err := config.Parse("bench", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	store, clock := scan.NewStore(), scan.NewClock(time.Now)
	p.collector = collector.New(store, clock)
	poller := poll.New(poll.Options{
		Store: store, Clock: clock, Events: p.collector.Events, Logger: log.NewNopLogger(),
		Connect: func(a config.Account, observe func(string, string, time.Duration)) poll.API {
			return sas.ForAccount(a, "bench", observe)
		},
	})
	poller.Apply(cfg)
	b.Cleanup(func() {
		poller.Close()
		center.Close()
	})
	return p
}

// count gives the calls since begin, and the most that arrived within any second.
func (p *polling) count(begin time.Time) (calls, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	arrived := slices.Clone(p.arrived)
	slices.SortFunc(arrived, time.Time.Compare)
	from := 0
	for i, t := range arrived {
		for t.Sub(arrived[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
		if !t.Before(begin) {
			calls++
		}
	}
	return calls, most
}

const watchFor = 20 * time.Second // of real time

// BenchmarkQuota polls more servers than the quota suffices for.
func BenchmarkQuota(b *testing.B) {
	for _, quota := range []int{10, 200} {
		settings := fmt.Sprintf("  requests_per_second: %d\n  poll_interval: 1s\n  settled_interval: 1s\n", quota)
		b.Run(fmt.Sprintf("quota=%d", quota), func(b *testing.B) {
			for b.Loop() {
				p := startPolling(b, 2*quota+20, settings, 0)
				calls, most := p.during(watchFor)
				b.ReportMetric(100*float64(calls)/(float64(quota)*watchFor.Seconds()), "%used")
				b.ReportMetric(float64(most)/float64(quota), "busiest-second/quota")
			}
		})
		b.Run(fmt.Sprintf("quota=%d,granted=a-third", quota), func(b *testing.B) {
			for b.Loop() {
				p := startPolling(b, 2*quota+20, settings, quota/3)
				calls, _ := p.during(watchFor)
				p.mu.Lock()
				b.ReportMetric(100*float64(p.throttled)/float64(calls), "%thrown-away")
				p.mu.Unlock()
			}
		})
	}
}

func (p *polling) during(d time.Duration) (calls, most int) {
	begin := time.Now()
	time.Sleep(d)
	return p.count(begin)
}

// BenchmarkPollingBesideScrapes polls as fast as it can, alone and while one scrape follows the
// other without a pause.
func BenchmarkPollingBesideScrapes(b *testing.B) {
	const settings = "  requests_per_second: 1000\n  concurrency: 32\n  poll_interval: 1s\n  settled_interval: 1s\n"
	for b.Loop() {
		p := startPolling(b, 10_000, settings, 0)
		_, _ = p.during(12 * time.Second) // all are known
		alone, _ := p.during(watchFor / 2)
		ctx, stop := context.WithCancel(b.Context())
		var scrapes int
		var scraping sync.WaitGroup
		scraping.Go(func() { scrapes = p.scrapeUntil(ctx, b) })
		beside, _ := p.during(watchFor / 2)
		stop()
		scraping.Wait()
		b.ReportMetric(float64(alone)/(watchFor/2).Seconds(), "calls/s-alone")
		b.ReportMetric(float64(scrapes)/(watchFor/2).Seconds(), "scrapes/s")
		b.ReportMetric(float64(beside)/float64(alone), "beside/alone")
	}
}

func (p *polling) scrapeUntil(ctx context.Context, b *testing.B) (scrapes int) {
	b.Helper()
	events := prometheus.NewRegistry()
	events.MustRegister(p.collector)
	server := httptest.NewServer(expose.Handler(expose.Options{Scrape: p.collector.Scrape, Others: events, Failed: func(err error) { b.Error(err) }}))
	defer server.Close()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/metrics", http.NoBody)
		if err != nil {
			b.Error(err)
			return scrapes
		}
		r.Header.Set("Accept-Encoding", "gzip")
		resp, err := server.Client().Do(r)
		if ctx.Err() != nil {
			return scrapes
		}
		if err != nil {
			b.Error(err)
			return scrapes
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		scrapes++
	}
}

// BenchmarkPollingBesideReaders polls 10,000 servers as fast as 1,000 calls a second allow, alone
// and while 50 readers load one page after the other.
func BenchmarkPollingBesideReaders(b *testing.B) {
	const settings = "  requests_per_second: 1000\n  concurrency: 32\n  poll_interval: 1s\n  settled_interval: 1s\n"
	for b.Loop() {
		p := startPolling(b, 10_000, settings, 0)
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

// BenchmarkCall is a whole poll, from the schedule to the record: signature, HTTP over loopback,
// decoding. The simulator runs in the same process, so that its CPU time counts too.
func BenchmarkCall(b *testing.B) {
	for b.Loop() {
		p := startPolling(b, 10_000, "  requests_per_second: 10000\n  concurrency: 8\n  poll_interval: 1s\n  settled_interval: 1s\n", 0)
		cpu := cpuTime(b)
		calls, _ := p.during(5 * time.Second)
		b.ReportMetric(float64(calls)/(cpuTime(b)-cpu).Seconds(), "calls/CPU-s")
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
