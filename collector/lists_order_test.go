package collector_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// startedAt is an entry of a scan that began so long after the test.
func startedAt(task string, server, status int, after time.Duration) string {
	return strings.Replace(leafOf(task, server, status), `"TaskStartTime":0`, fmt.Sprintf(`"TaskStartTime":%d`, time.Unix(epoch, 0).Add(after).UnixMilli()), 1)
}

// Who failed or timed out is polled first, then who completed, then who started, those first that
// started first, and all others after them.
func TestNewsOfListsComesInItsOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(16), newScript()
		for n := range 12 {
			s.says(n+1, "t/cve/4")
		}
		for n := 13; n <= 16; n++ {
			s.says(n, "t/cve/1")
		}
		c.list(running("t", leavesOf("t", 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0)...))
		w := startListed(t, c, s, discovering("requests_per_second: 0.5\npoll_interval: 1s\nstall_after: 1d\nconcurrency: 1"))
		for c.read("t") < 3 {
			pass(time.Second)
		}
		reads := c.read("t")
		leaves := leavesOf("t", 2, 3, 0, 2, 0, 4, 0, 3, 2, 2, 2, 0, 0, 0, 0, 0)
		for n, start := range map[int]time.Duration{3: 3 * time.Minute, 5: time.Minute, 7: 2 * time.Minute} {
			leaves[n-1] = startedAt("t", n, 1, start)
		}
		c.list(running("t", leaves...))
		for c.read("t") == reads {
			pass(500 * time.Millisecond)
		}
		pass(2 * time.Second)
		after := w.detailCalls() - 1
		pass(30 * time.Second)
		news := w.polled(after)
		for len(news) > 0 && news[0] > 12 { // before the list was read
			news = news[1:]
		}
		if len(news) < 10 {
			t.Fatalf("polled: %v", news)
		}
		slices.Sort(news[:3])
		slices.Sort(news[3:6])
		wantEqual(t, "polled in turn", news[:9], "[2 6 8 1 4 9 5 7 3]")
		if news[9] < 13 {
			t.Errorf("after the news a server without news was polled that has no unfinished scan: %d", news[9])
		}
	})
}

// While a fleet rests under complete lists, each server is polled once in stale_after, and nothing
// goes stale; once the lists fail it is polled as without them.
func TestAFleetAtRestIsPolledSeldomAndNeverStale(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(20), newScript()
		for n := range 20 {
			s.says(n+1, "t/cve/4"+[]string{"", "/A"}[n%2])
		}
		var statuses []int
		for n := range 20 {
			statuses = append(statuses, 2+n%2)
		}
		c.list(running("t", leavesOf("t", statuses...)...))
		w := startListed(t, c, s, strings.Replace(discovering("stale_after: 40m\nrequests_per_second: 20"), "max_age: 1d", "max_age: 3d", 1))
		pass(10 * time.Minute)
		polls, pages := w.detailCalls(), c.read("t")
		for range 8 * 6 {
			pass(10 * time.Minute)
			if n := w.value("subtasks"); n != 20 {
				t.Fatalf("%v subtasks are published, want 20: %v", n, time.Since(time.Unix(epoch, 0)))
			}
			if n := w.value("subtask_error"); n != 10 {
				t.Fatalf("%v errors are published, want 10", n)
			}
		}
		if n := w.detailCalls() - polls; n < 20*12 || n > 20*13 {
			t.Errorf("%d polls in eight hours, want one a server in 40 minutes", n)
		}
		if n := c.read("t") - pages; n < 236 || n > 244 {
			t.Errorf("%d pages of lists in eight hours, want one every two minutes", n)
		}
		wantEqual(t, "lag", w.value("poll_lag_seconds"), 0)

		failingNow := running("t")
		failingNow.answer = failing(500, "ServerError")
		c.list(failingNow)
		pass(5 * time.Minute)
		polls = w.detailCalls()
		pass(time.Hour)
		if n := w.detailCalls() - polls; n < 20*6 || n > 20*6+20 {
			t.Errorf("%d polls in an hour once lists fail, want one a server in 10 minutes", n)
		}
		c.list(ended("t", leavesOf("t", statuses...)...))
		pass(20 * time.Minute)
		polls, pages = w.detailCalls(), c.read("t")
		pass(2 * time.Hour)
		if n := w.detailCalls() - polls; n > 20*4 {
			t.Errorf("%d polls in two hours once the lists are complete again", n)
		}
		wantEqual(t, "pages of the ended task", c.read("t")-pages, 0)
		wantEqual(t, "subtasks", w.value("subtasks"), 20)
	})
}

// A fleet so large that its quota is not enough for one poll in stale_after does not go stale
// either; the time of its last success stays that of its last poll.
func TestALargeFleetAtRestDoesNotGoStale(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 150, TaskEvery: 200 * time.Hour, ScanDuration: time.Minute, FailRatio: 0.2, Start: time.Unix(epoch, 0).Add(-time.Hour)}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
			discovering("stale_after: 20m\nrequests_per_second: 0.5\ntypes: [cve, sys, cms, sca]"))
		pass(30 * time.Minute)
		calls := len(w.observed())
		for range 10 {
			pass(30 * time.Minute)
			wantEqual(t, "subtasks", w.value("subtasks"), 450)
			wantEqual(t, "servers ok", w.value("servers", "state=ok"), 150)
		}
		polls := 0
		for _, c := range w.observed()[calls:] {
			if c.Action == sas.ActionVulCheckTaskStatusDetail {
				polls++
			}
		}
		if share := float64(polls) / (0.5 * 5 * 3600); share > 0.05 {
			t.Errorf("%.1f%% of the quota is spent on polls at rest", 100*share)
		}
		oldest := float64(time.Now().Unix())
		for _, at := range w.counts("server_last_success_timestamp_seconds", "uuid") {
			oldest = min(oldest, at)
		}
		if age := time.Duration(float64(time.Now().Unix())-oldest) * time.Second; age < time.Hour {
			t.Errorf("the oldest success is %v old: polls of a fleet at rest are not spread over the quota", age)
		}
	})
}

// Of a running scan the list says when to look again.
func TestScansAreFollowedByTheirList(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(1), newScript()
		s.says(1, "t/cve/1")
		c.list(running("t", leavesOf("t", 1)...))
		w := startListed(t, c, s, discovering("stall_after: 30m\nstale_after: 4h\npoll_interval: 30s"))
		pass(29 * time.Minute)
		// The first poll may have come before the list.
		if n := len(pollTimes(w, 1)); n > 2 {
			t.Errorf("polled at %v while the list says that the scan goes on", pollTimes(w, 1))
		}
		pass(2 * time.Minute)
		last := pollTimes(w, 1)
		if at := last[len(last)-1]; at < 1800 || at > 1810 {
			t.Errorf("polled at %v, want once when the scan counts as stalled", last)
		}
		wantEqual(t, "stalled", w.value("subtasks_stalled"), 1)
		s.says(1, "t/cve/3")
		c.list(running("t", leavesOf("t", 2)...))
		pass(3 * time.Minute)
		w.wants("subtask_status", statusIs(1, "t", "cve", 3))
		s.says(1, "t/cve/4") // the list was ahead of the subtask
		pass(31 * time.Second)
		w.wants("subtask_status", statusIs(1, "t", "cve", 4))
		polls := len(pollTimes(w, 1))
		pass(3 * time.Hour)
		wantEqual(t, "polls once it is settled", len(pollTimes(w, 1)), polls)
	})
}
