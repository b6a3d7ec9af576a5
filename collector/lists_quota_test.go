package collector_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// isList reports whether a call is for a page of a task's list of servers.
func isList(r *simulator.Request) bool { return r.Params.Get("RootTaskId") != "" }

// shares counts the calls since a moment: all, those for lists, and those about servers.
func (w *world) shares(since time.Time) (all, lists, polls int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.asked {
		switch {
		case r.Time.Before(since):
			continue
		case isList(r):
			lists++
		case r.UUID != "":
			polls++
		}
		all++
	}
	return all, lists, polls
}

// shortPages makes pages of lists of servers short: a list of a small fleet takes as many calls as
// that of a large one, and each of them little computing.
func shortPages(_ http.ResponseWriter, r *simulator.Request) bool {
	if isList(r) {
		r.Params.Set("PageSize", "10")
	}
	return false
}

// While both wait, lists and polls share the quota evenly; where either has nothing to do, the
// other has all of it. No second sees more than the quota.
func TestListsAndPollsShareTheQuota(t *testing.T) {
	t.Parallel()
	const rps, size = 5, 90
	tests := map[string]struct {
		poll, lists          string // intervals
		latency              time.Duration
		leastList, leastPoll float64 // shares of the quota
		mostList             float64
	}{
		"both wait":            {"1s", "1s", 0, 0.44, 0.44, 0.501},
		"both wait, slow":      {"1s", "1s", 300 * time.Millisecond, 0.2, 0.44, 0.501},
		"lists are read later": {"1s", "1h", 0, 0, 0.9, 0.1},
		"no poll waits":        {"1d", "1s", 0, 0.85, 0, 1.001},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: size, TaskEvery: 100 * time.Hour, ScanDuration: 40 * time.Hour}
				config := strings.Replace(discovering(fmt.Sprintf("requests_per_second: %d\ntypes: [cve, sys, cms, sca]\nstall_after: 10d\nstale_after: 10d\npoll_interval: %s\nsettled_interval: 10d", rps, tt.poll)),
					"max_tasks: 10", "max_tasks: 10, server_scans_interval: "+tt.lists, 1)
				config = strings.Replace(config, "refresh_interval: 30s", "refresh_interval: 1h", 1)
				config = strings.Replace(config, "refresh_interval: 5m", "refresh_interval: 1h", 1)
				w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: shortPages, Latency: tt.latency}, config)
				warm := 20 * time.Second
				if tt.poll == "1d" { // until every server was polled
					warm = time.Minute
				}
				pass(warm)
				const window = 100 * time.Second
				start := time.Now()
				pass(window)
				all, lists, polls := w.shares(start)
				quota := float64(rps) * window.Seconds()
				list, poll, used := float64(lists)/quota, float64(polls)/quota, float64(all)/quota
				t.Logf("lists %.1f%%, polls %.1f%%, in all %.1f%% of the quota", 100*list, 100*poll, 100*used)
				if used < 0.95 || used > 1.001 {
					t.Errorf("%.1f%% of the quota used, want 95 to 100", 100*used)
				}
				if list < tt.leastList || list > tt.mostList || poll < tt.leastPoll {
					t.Errorf("lists %.1f%%, polls %.1f%% of the quota", 100*list, 100*poll)
				}
				if got := busiestSecond(w.observed()); got > rps {
					t.Errorf("%d calls in a second, want at most %d", got, rps)
				}
			})
		})
	}
}

// The promise holds with lists, retries, failing and throttled calls together.
func TestQuotaIsKeptWithListsRetriesAndFailures(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 150, TaskEvery: 10 * time.Minute, ScanDuration: 5 * time.Minute, FailRatio: 0.2, DropRatio: 0.2}
		a.RequestsPerSecond, a.ThrottleHints = 15, true // less than it is said to have
		var calls atomic.Int64
		faults := func(w http.ResponseWriter, r *simulator.Request) bool {
			switch calls.Add(1) % 23 {
			case 3:
				r.Fail(w, 500, "ServerError", "m")
			case 9:
				r.Fail(w, 400, "InvalidTimeStamp.Expired", "m") // tried again at once
			case 14:
				r.Fail(w, 400, "SignatureNonceUsed", "m")
			default:
				return false
			}
			return true
		}
		config := strings.Replace(discovering("requests_per_second: 20\ntypes: [cve, sys, cms, sca]\npoll_interval: 1s"), "max_tasks: 10", "max_tasks: 10, server_scans_interval: 1s", 1)
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(shortPages, faults), Latency: 50 * time.Millisecond}, config)
		pass(5 * time.Minute)
		if got := busiestSecond(w.observed()); got > 20 {
			t.Errorf("%d calls in a second, want at most 20", got)
		}
		all, lists, polls := w.shares(time.Unix(epoch, 0))
		if targets := all - lists - polls; targets < 10 {
			t.Errorf("%d calls for the lists of tasks and servers, beside %d for tasks' lists and %d polls", targets, lists, polls)
		}
		results := map[string]int{}
		for _, c := range w.observed() {
			results[c.Action+" "+c.Code]++
		}
		if results[sas.ActionVulCheckTaskStatusDetail+" Throttling.User"] == 0 {
			t.Errorf("no call was throttled: %v", results)
		}
		for _, want := range []string{"ServerError", "SignatureNonceUsed"} {
			for _, action := range []string{sas.ActionOnceTask, sas.ActionVulCheckTaskStatusDetail} {
				if results[action+" "+want] == 0 {
					t.Errorf("no call of %s ended with %s: %v", action, want, results)
				}
			}
		}
		if n := len(w.observed()); n < 2700 {
			t.Errorf("%d calls in five minutes", n)
		}
	})
}
