package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// pollTimes returns when a server was asked, in seconds since the beginning.
func pollTimes(w *world, server int) []int {
	var times []int
	for _, r := range w.questionsOf(uuid(server)) {
		times = append(times, int(r.Time.Sub(time.Unix(epoch, 0)).Seconds()))
	}
	return times
}

func TestServersWaitAsTheirScansStand(t *testing.T) {
	t.Parallel()
	const settings = "poll_interval: 1m\nsettled_interval: 10m\nstall_after: 5m"
	tests := map[string]struct {
		said []string // subtasks; nil: none
		want []int    // in 31 minutes
	}{
		"unfinished, stalled after 5 minutes": {[]string{"t/cve/4", "u/cve/3"}, []int{0, 60, 120, 180, 240, 300, 360, 432, 518, 622, 746, 895, 1074, 1289, 1547, 1857}},
		"complete":                            {[]string{"t/cve/4", "u/cve/4"}, []int{0, 600, 1200, 1800}},
		"complete, failing":                   {[]string{"t/cve/4/A"}, []int{0, 600, 1200, 1800}},
		"without a subtask":                   {nil, []int{0, 60, 120, 180, 240, 300, 900, 1500}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, tt.said...)
				w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", settings, serverYAML(1))))
				pass(31*time.Minute - time.Second)
				wantEqual(t, "polled at", pollTimes(w, 1), tt.want)
			})
		})
	}
}

func TestFailingServersBackOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.fails(1, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 30s", serverYAML(1))))
		pass(2 * time.Hour)
		times, longest := pollTimes(w, 1), 30
		for i := 1; i < len(times); i++ {
			if gap := times[i] - times[i-1]; gap > longest || gap < longest*3/4-1 {
				t.Errorf("poll %d came %d s after the one before, want %d to %d", i, gap, longest*3/4, longest)
			}
			longest = min(2*longest, 300)
		}
		if len(times) < 24 {
			t.Errorf("%d polls in two hours", len(times))
		}
		s.says(1, "t/cve/1")
		pass(6 * time.Minute)
		recovered := len(pollTimes(w, 1))
		pass(5 * time.Minute)
		wantEqual(t, "polls in 5 minutes after it recovered", len(pollTimes(w, 1))-recovered, 10)
	})
}

func TestFailingServersBackOffOverAReload(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.fails(1, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "", serverYAML(1))))
		pass(time.Hour)
		polls := len(pollTimes(w, 1))
		w.apply(yamlOf(yamlAccount("main", "timeout: 5s", serverYAML(1))))
		pass(time.Hour)
		if more := len(pollTimes(w, 1)) - polls; more < 12 || more > 17 {
			t.Errorf("%d polls in the hour after a reload, want 12 to 17", more)
		}
		wantEqual(t, "lines of log", len(w.log.severe()), 1)
	})
}

// An outage fails all servers together; they do not come back together.
func TestFailingServersAreSpread(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		for i := range 20 {
			s.fails(i+1, 500, "ServerError")
		}
		w := startWorld(t, simulator.Options{Intercept: s.intercept},
			yamlOf(yamlAccount("main", "poll_interval: 2m\nrequests_per_second: 1000\nconcurrency: 20", serversYAML(20)...)))
		pass(3 * time.Minute)
		var seconds []int
		for i := range 20 {
			seconds = append(seconds, pollTimes(w, i+1)[1])
		}
		slices.Sort(seconds)
		if distinct := len(slices.Compact(seconds)); distinct < 8 {
			t.Errorf("20 servers come back in %d seconds", distinct)
		}
		wantEqual(t, "lines of log", len(w.log.severe()), 1)
	})
}

// Where the quota is short, servers with unfinished scans are polled, and those that are settled
// wait. However many calls may be in flight, a server is chosen only when its call may start.
func TestUnfinishedServersComeFirst(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 40} {
		t.Run(fmt.Sprint("concurrency ", concurrency), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				for i := range 40 {
					s.says(i+1, fmt.Sprintf("t/cve/%d", 4-i%2))
				}
				w := startWorld(t, simulator.Options{Intercept: s.intercept},
					yamlOf(yamlAccount("main", fmt.Sprint("poll_interval: 10s\nsettled_interval: 10s\nrequests_per_second: 2\nconcurrency: ", concurrency), serversYAML(40)...)))
				pass(5 * time.Minute)
				for i := range 40 {
					polls, unfinished := len(pollTimes(w, i+1)), i%2 == 1
					if unfinished && polls < 20 || !unfinished && polls > 3 {
						t.Errorf("server %d, unfinished %v, was polled %d times", i+1, unfinished, polls)
					}
				}
			})
		})
	}
}

// hang answers an account's calls when the caller has given up.
func hang(account string) func(http.ResponseWriter, *simulator.Request) bool {
	return func(_ http.ResponseWriter, r *simulator.Request) bool {
		if r.Account == account {
			<-r.HTTP.Context().Done()
		}
		return r.Account == account
	}
}

func TestBrokenAccountsDelayNoOther(t *testing.T) {
	t.Parallel()
	firstPass := func(t *testing.T, text string) (took time.Duration) {
		inBubble(t, func(t *testing.T) {
			denied := simulated("denied")
			denied.DeniedActions = []string{"DescribeVulCheckTaskStatusDetail"}
			start := time.Now()
			var mu sync.Mutex
			seen := map[string]bool{}
			intercept := func(w http.ResponseWriter, r *simulator.Request) bool {
				if r.Account != "main" {
					return hang("slow")(w, r)
				}
				mu.Lock()
				defer mu.Unlock()
				if seen[r.UUID] = true; len(seen) == 100 && took == 0 {
					took = r.Time.Sub(start)
				}
				return false
			}
			startWorld(t, simulator.Options{
				Intercept: intercept, Latency: 100 * time.Millisecond,
				Accounts: []simulator.Account{simulated("main"), denied, simulated("slow")},
			}, text)
			pass(time.Minute)
		})
		return took
	}
	healthy := yamlAccount("main", "poll_interval: 10m", serversYAML(100)...)
	alone := firstPass(t, yamlOf(healthy))
	among := firstPass(t, yamlOf(yamlAccount("denied", "", serversYAML(100)...), yamlAccount("slow", "timeout: 5s", serversYAML(100)...), healthy))
	t.Logf("first pass: %v alone, %v among broken ones", alone, among)
	if alone == 0 || among == 0 || float64(among) > 1.1*float64(alone) {
		t.Errorf("the first pass took %v alone, %v among broken accounts", alone, among)
	}
}
