package collector_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/simulator"
)

// onlineOnly is discovering with online_only.
func onlineOnly(more string, servers ...string) string {
	return strings.Replace(discovering(more, servers...), "online_only: false", "online_only: true", 1)
}

func agentIs(server, online int) string {
	return labelled("server_agent_online", fmt.Sprintf(`,server="web-%d",uuid="%s"`, server, uuid(server)), online)
}

// An agent that is lost in a scan, of a server whose other scan fails, hides nothing; one whose
// server is settled leaves.
func TestAnAgentThatGoesOfflineHidesNothing(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("lists %v, state %v", lists, kept), func(t *testing.T) {
				inBubble(t, func(t *testing.T) { goesOffline(t, lists, kept) })
			})
		}
	}
}

func goesOffline(t *testing.T, lists, kept bool) {
	c, s := newTaskCenter(3), newScript()
	s.says(1, "t/cve/1", "u/cve/4/A")
	s.says(2, "t/cve/4/B")
	s.says(3, "t/cve/4")
	c.list(ended("t", leavesOf("t", 2, 3, 2)...), ended("u", leafOf("u", 1, 3)))
	config := onlineOnly("poll_interval: 30s\nsettled_interval: 1m\nstall_after: 10m\nstale_after: 5m\nrequests_per_second: 100")
	if !lists {
		config = without(config)
	}
	path := filepath.Join(t.TempDir(), "state")
	start := func() (w *world, stop func()) {
		options := poll.Options{}
		stop = func() { w.poller.Close() }
		if kept {
			store := openState(t, path)
			options.State = store
			stop = func() { w.poller.Close(); _ = store.Close() }
		}
		w = prepareWorldWith(t, simulator.Options{Intercept: both(c.intercept, s.intercept)}, options)
		w.apply(config)
		return w, stop
	}
	const families = "subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds scan_failures_total server_info server_scan_status"
	w, stop := start()
	pass(12 * time.Minute)
	before := w.familiesOf(families + " subtask_stalled subtasks subtasks_stalled subtasks_failing")
	wantEqual(t, "stalled", w.value("subtask_stalled"), 1)
	for n := range 3 {
		c.online(n+1, false)
	}
	pass(6 * time.Minute)
	wantEqual(t, "servers while they are offline", w.servers(), "[web-1 web-2]")
	w.wants("server_agent_online", agentIs(1, 0)+agentIs(2, 0))
	wantEqual(t, "published of them", w.familiesOf(families+" subtask_stalled subtasks_stalled subtasks_failing"), linesOf(before, func(line string) bool {
		return !strings.Contains(line, uuid(3)) && !strings.Contains(line, "_subtasks{")
	}))
	polls := len(pollTimes(w, 1))
	pass(10 * time.Minute)
	if n := len(pollTimes(w, 1)) - polls; n < 2 || !lists && n < 5 {
		t.Errorf("%d polls in ten minutes of a server that is offline", n)
	}
	if kept { // while it is offline, another process takes over
		stop()
		pass(3 * time.Minute)
		w, stop = start()
		pass(time.Minute)
		wantEqual(t, "servers after a restart", w.servers(), "[web-1 web-2]")
		w.wants("server_agent_online", agentIs(1, 0)+agentIs(2, 0))
	}
	for n := range 3 {
		c.online(n+1, true)
	}
	pass(12 * time.Minute)
	w.wants("server_agent_online", agentIs(1, 1)+agentIs(2, 1)+agentIs(3, 1))
	// The third one left: only a state remembers its last change.
	forgotten := func(line string) bool {
		return kept || !strings.Contains(line, "last_change") || !strings.Contains(line, uuid(3))
	}
	wantEqual(t, "published once they are back", linesOf(w.familiesOf(families+" subtask_stalled subtasks subtasks_stalled subtasks_failing"), forgotten), linesOf(before, forgotten))
	s.says(1, "t/cve/4", "u/cve/4")
	c.online(1, false)
	pass(12 * time.Minute)
	wantEqual(t, "servers", w.servers(), "[web-2 web-3]")
	stop()
}

func linesOf(text string, wanted func(string) bool) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if wanted(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A server that was never online is watched while a running task lists it.
func TestOfflineServersAreWatchedWhileATaskListsThem(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(4), newScript()
		for _, n := range []int{1, 2, 3} {
			c.online(n, false)
			s.says(n, "t/cve/4")
		}
		s.says(4, "t/cve/4")
		c.list(running("t", leafOf("t", 1, 1), leafOf("t", 4, 2)), ended("u", leafOf("u", 2, 3)))
		w := startListed(t, c, s, onlineOnly(fareSettings))
		pass(10 * time.Second)
		wantEqual(t, "servers", w.servers(), "[web-1 web-4]")
		w.wants("server_agent_online server_scan_status", agentIs(1, 0)+agentIs(4, 1)+scanStatusIs(1, "t", 1)+scanStatusIs(4, "t", 2))
		wantEqual(t, "servers in sums", w.value("server_scans", "task_id=t"), 2)
		c.list(running("t", leafOf("t", 1, 2), leafOf("t", 3, 0), leafOf("t", 4, 2)))
		pass(2*time.Minute + 10*time.Second)
		wantEqual(t, "servers", w.servers(), "[web-1 web-3 web-4]")
		c.list(running("t", leafOf("t", 3, 0), leafOf("t", 4, 2)))
		pass(2*time.Minute + 10*time.Second)
		wantEqual(t, "servers once the task lists one no more", w.servers(), "[web-3 web-4]")
		c.list(ended("t", leafOf("t", 3, 2), leafOf("t", 4, 2)))
		pass(time.Minute)
		wantEqual(t, "servers once the task has ended", w.servers(), "[web-4]")
		wantEqual(t, "servers in sums", w.value("server_scans", "task_id=t"), 2)
	})
}

// That of another process is not this one's to watch, even where a list names it by its instance
// only. Nothing looks for it again and again.
func TestOfflineServersOfAnotherShardAreLeftToIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(2, "t/cve/4")
		c.online(1, false)
		c.list(running("t", leafWith(leafID("t", 1), `[{"instanceId":"i-1"}]`, 1), leafOf("t", 2, 2)))
		asked := 0
		w := prepareWorldWith(t, simulator.Options{Intercept: both(c.intercept, s.intercept)}, poll.Options{Owns: func(key string) bool {
			asked++
			return key == uuid(2) || asked > 1000 // which ends the search
		}})
		w.apply(onlineOnly(fareSettings))
		pass(time.Minute)
		wantEqual(t, "servers", w.servers(), "[web-2]")
		if asked > 100 {
			t.Errorf("in a minute it was asked %d times whose a server is", asked)
		}
	})
}

// One that fails stays until nothing asks for its task any more.
func TestAnOfflineServerLeavesWithItsLastTask(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(1, "t/cve/4/A")
		s.says(2, "t/cve/4")
		c.list(running("t", leavesOf("t", 3, 2)...))
		w := startListed(t, c, s, strings.Replace(onlineOnly(""), "max_age: 1d", "max_age: 1h", 1))
		pass(time.Minute)
		c.online(1, false)
		pass(50 * time.Minute)
		wantEqual(t, "servers", w.servers(), "[web-1 web-2]")
		pass(20 * time.Minute)
		wantEqual(t, "servers", w.servers(), "[web-2]")
		wantEqual(t, "subtasks", w.value("subtask_status"), 0)
	})
}

// Nor does a state that still has its subtasks bring it back: with the next server that is found, or
// after a restart.
func TestAnOfflineServerThatLeftWithItsLastTaskStaysAway(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c, s := newTaskCenter(2), newScript()
				s.says(1, "t/cve/4/A")
				s.says(2, "t/cve/4")
				c.list(running("t", leavesOf("t", 3, 2)...))
				path := filepath.Join(t.TempDir(), "state")
				start := func() (*world, *watchedState) {
					store := openState(t, path)
					w := prepareWorldWith(t, simulator.Options{Intercept: both(c.intercept, s.intercept)}, poll.Options{State: store})
					w.apply(strings.Replace(onlineOnly("stale_after: 5h"), "max_age: 1d", "max_age: 1h", 1))
					return w, store
				}
				w, store := start()
				pass(time.Minute)
				c.online(1, false)
				pass(50 * time.Minute)
				wantEqual(t, "servers", w.servers(), "[web-1 web-2]")
				if restart {
					w.poller.Close()
					_ = store.Close()
				}
				pass(20 * time.Minute)
				c.online(3, true)
				if restart {
					w, _ = start()
				}
				pass(10 * time.Minute)
				wantEqual(t, "servers", w.servers(), "[web-2 web-3]")
			})
		})
	}
}

// Configured servers are watched whatever their agents do, and say so.
func TestConfiguredServersTellOfTheirAgents(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(1), newScript()
		s.says(1, "t/cve/4")
		s.says(2, "t/cve/4")
		c.online(1, false)
		w := startListed(t, c, s, onlineOnly("task_ids: [t]", serverYAML(1), serverYAML(2)))
		pass(time.Minute)
		w.wants("server_agent_online", agentIs(1, 0)) // of the other nothing is known
		wantEqual(t, "servers", w.servers(), "[web-1 web-2]")
		c.online(1, true)
		pass(6 * time.Minute)
		w.wants("server_agent_online", agentIs(1, 1))
	})
}

// In a fleet whose agents are lost in every scan nothing is lost or counted twice by that.
func TestFleetsThatLoseAgentsCountAsThoseThatDoNot(t *testing.T) {
	t.Parallel()
	figures := func(drop float64) string {
		var got string
		inBubble(t, func(t *testing.T) {
			a := simulated("main")
			a.Fleet = simulator.Fleet{
				Seed: 5, Size: 30, TaskEvery: 100 * time.Hour, ScanDuration: 20 * time.Minute, FailRatio: 0.2,
				DropRatio: drop, DropAfter: 5 * time.Minute, DropFor: 25 * time.Minute,
			}
			w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
				strings.Replace(onlineOnly("requests_per_second: 50\ntypes: [cve, sys, cms, sca]\nstale_after: 10m"), "refresh_interval: 5m", "refresh_interval: 1m", 1))
			pass(20 * time.Minute)
			offline := w.counts("server_agent_online", "uuid")
			lost := 0
			for _, online := range offline {
				if online == 0 {
					lost++
				}
			}
			if drop > 0 != (lost > 0) || len(offline) != 30 {
				t.Errorf("%d of %d agents are offline", lost, len(offline))
			}
			pass(2 * time.Hour)
			wantEqual(t, "servers", len(w.servers()), 30)
			got = fmt.Sprint(w.counts("scan_failures_total", "type"), w.counts("subtask_errors_total", "code"), w.counts("subtasks", "status"))
		})
		return got
	}
	wantEqual(t, "failures and statuses", figures(0.4), figures(0))
}
