package collector_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// throttling refuses the calls that it is told to.
type throttling struct {
	mu     sync.Mutex
	refuse int
	header string
	last   time.Time // of the last refusal
	first  time.Time // of the first call after it
}

func (h *throttling) set(refuse int, header string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse, h.header = refuse, header
}

func (h *throttling) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse == 0 {
		if h.first.Before(h.last) {
			h.first = r.Time
		}
		return false
	}
	h.refuse--
	h.last = r.Time
	reply{status: 429, header: h.header, body: `{"RequestId":"R","Code":"Throttling.User"}`}.write(w)
	return true
}

func TestThrottlingHalvesTheLimitWhichRecoversByAndBy(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := &throttling{}
		w := startWorld(t, simulator.Options{Intercept: h.intercept}, saturating(10, "concurrency: 1"))
		limit := func() float64 { return w.value("api_request_limit") }
		pass(5 * time.Second)
		wantEqual(t, "limit", limit(), 10)
		h.set(1, "")
		pass(150 * time.Millisecond)
		wantEqual(t, "limit after a refusal", limit(), 5)
		low, steps := limit(), 0
		for range 60 {
			pass(time.Second)
			now := limit()
			if now < low || now > low+0.41 {
				t.Fatalf("the limit goes from %v to %v within a second", low, now)
			}
			if now > low {
				steps++
			}
			low = now
		}
		wantEqual(t, "limit at last", low, 10)
		if steps < 10 {
			t.Errorf("recovered in %d steps", steps)
		}
		h.set(100000, "")
		pass(10 * time.Minute)
		wantEqual(t, "lowest limit", limit(), 10.0/64)
		h.set(0, "")
		pass(2 * time.Minute)
		wantEqual(t, "limit after the flood", limit(), 10)
	})
}

func TestCallsRefusedTogetherHalveTheLimitOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := &throttling{}
		w := startWorld(t, simulator.Options{Intercept: h.intercept, Latency: time.Second}, saturating(10, "concurrency: 8"))
		h.set(4, "")
		pass(1001 * time.Millisecond)
		pass(450 * time.Millisecond)
		wantEqual(t, "limit", w.value("api_request_limit"), 5)
	})
}

func TestHintsAreObeyed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header string
		want   time.Duration // no call before
	}{
		"none":                      {"X-Other: 1", 100 * time.Millisecond},
		"x-acs-retry-after":         {"X-Acs-Retry-After: 7000", 7 * time.Second},
		"x-ratelimit-user":          {"X-Ratelimit-User: Limit:1,Remain:0,TimeLeft:3000,Reset:9", 3 * time.Second},
		"Retry-After":               {"Retry-After: 20", 20 * time.Second},
		"more than a minute is one": {"Retry-After: 86400", time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				h := &throttling{}
				w := startWorld(t, simulator.Options{Intercept: h.intercept}, saturating(10, "concurrency: 4"))
				pass(3 * time.Second)
				h.set(1, tt.header)
				pass(tt.want + 2*time.Second)
				if got := h.first.Sub(h.last); got < tt.want || got > tt.want+300*time.Millisecond {
					t.Errorf("called again after %v, want %v", got, tt.want)
				}
				wantEqual(t, "refusals counted", w.value("api_requests_total", "result=Throttling.User"), 1)
				wantEqual(t, "failing servers", w.value("servers", "state=failing"), 0)
			})
		})
	}
}

// A poll that is throttled three times has failed; it is tried again later.
func TestThrottledCallIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := &throttling{}
		h.set(1000, "")
		w := startWorld(t, simulator.Options{Intercept: h.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m", serverYAML(1))))
		pass(20 * time.Second)
		w.wants("server_up", upIs(1, 0))
		wantEqual(t, "calls", len(w.observed()), 3)
	})
}

// Where the account's real quota is smaller than configured, the exporter finds it, and throws few
// calls away.
func TestSmallerQuotaIsFound(t *testing.T) {
	t.Parallel()
	for _, hints := range []bool{false, true} {
		for _, rps := range []float64{3, 10, 30} {
			t.Run(fmt.Sprint(rps, " configured, hints ", hints), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					a := simulated("main")
					a.RequestsPerSecond, a.ThrottleHints = rps/3, hints
					w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Latency: 50 * time.Millisecond}, saturating(rps, ""))
					pass(5 * time.Minute)
					calls, refused := w.observed(), 0
					for _, c := range calls {
						if c.Code != "" {
							refused++
						}
					}
					thrown := float64(refused) / float64(len(calls))
					used := float64(len(calls)-refused) / (300 * rps / 3)
					t.Logf("%.1f%% of the calls thrown away, %.1f%% of the quota used", 100*thrown, 100*used)
					if thrown > 0.1 || used < 0.6 {
						t.Errorf("%.1f%% of the calls thrown away, %.1f%% of the quota used", 100*thrown, 100*used)
					}
				})
			})
		}
	}
}
