package collector_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// Of a fleet whose lists are of no use the same is asked as without lists.
func TestFleetsWhoseListsAreOfNoUse(t *testing.T) {
	t.Parallel()
	calls := func(f simulator.Fleet, config string) map[string]int {
		per := make(map[string]int)
		inBubble(t, func(t *testing.T) {
			a := simulated("main")
			f.Seed, f.Size, f.TaskEvery, f.ScanDuration, f.FailRatio = 3, 30, time.Hour, 5*time.Minute, 0.2
			a.Fleet = f
			w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: shortPages}, config)
			pass(20 * time.Minute)
			for _, r := range w.asked {
				if r.UUID != "" {
					per[r.UUID]++
				}
			}
			if sum := w.value("server_scans"); f.BlankDetailData != (sum == 30) {
				t.Errorf("%v servers in server_scans", sum)
			}
			wantEqual(t, "server_scan_status", w.value("server_scan_status"), 0)
			lines := 1
			if strings.Contains(config, "off") {
				lines = 0
			}
			wantEqual(t, "lines of log about it", len(linesWith(w.log.severe(), "kind=server_scans")), lines)
		})
		return per
	}
	config := discovering("requests_per_second: 500\npoll_interval: 1m\ntypes: [cve, sys, cms, sca]")
	want := calls(simulator.Fleet{}, without(config))
	for name, f := range map[string]simulator.Fleet{
		"blank":         {BlankDetailData: true},
		"denied":        {ServerListsDenied: true},
		"fails":         {ServerListFailsAt: 1},
		"fails halfway": {ServerListFailsAt: 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := calls(f, config)
			wantEqual(t, "servers", len(got), 30)
			for uuid, n := range got { // whose scan moves at the moment of a poll may be seen to by one or the next
				if diff := n - want[uuid]; diff < -1 || diff > 1 {
					t.Errorf("%s was asked about %d times, %d without lists", uuid, n, want[uuid])
				}
			}
		})
	}
}

// A list that names instances only is of use once the instances are known.
func TestListsThatNameInstances(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(1, "t/cve/4")
		s.says(2, "t/cve/4")
		c.list(ended("t", leafWith("x", `[{"instanceId":"i-1"}]`, 2), leafWith("y", `[{"instanceId":"i-2"}]`, 3)))
		w := startListed(t, c, s, discovering("poll_interval: 1m\nsettled_interval: 1m\nstale_after: 30m"))
		pass(10 * time.Second)
		w.wants("server_scan_status server_scans", scanStatusIs(1, "t", 2)+scanStatusIs(2, "t", 3)+scansAre("t", 0, 0, 1, 1, 0))
		wantEqual(t, "pages", c.read("t"), 1)
		pass(31*time.Minute - 10*time.Second)
		// The first poll may begin before or after the list is read: then there is another.
		if polls := len(pollTimes(w, 1)); polls < 2 || polls > 3 {
			t.Errorf("%d polls, want 2 or 3", polls)
		}
		wantEqual(t, "anomalies", w.counted("response_anomalies_total", "reason"), "map[]")
		wantEqual(t, "lines of log", len(w.log.severe()), len(linesWith(w.log.severe(), "level=info")))
	})
}

// A server that comes later, or comes back, is known to the lists read before.
func TestListsTellOfServersThatComeLater(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		c.online(1, false)
		s.says(2, "t/cve/4")
		c.list(ended("t", leavesOf("t", 3, 2)...))
		bySelf := both(c.intercept, func(w http.ResponseWriter, r *simulator.Request) bool { // leaves' IDs alone are known
			for _, id := range r.TaskIDs {
				if strings.Contains(id, "leaf") {
					reply{body: subtasks(id + "/cve/4")}.write(w)
					return true
				}
			}
			reply{body: subtasks()}.write(w)
			return true
		})
		w := startWorld(t, simulator.Options{Intercept: bySelf}, strings.Replace(discovering("settled_interval: 1m\nstale_after: 1m\npoll_interval: 1m"), "online_only: false", "online_only: true", 1))
		pass(time.Minute)
		wantEqual(t, "servers", w.servers(), "[web-2]")
		w.wants("server_scans server_scan_status", scansAre("t", 0, 0, 1, 1, 0)+scanStatusIs(2, "t", 2))
		for range 3 {
			c.online(1, true)
			pass(6 * time.Minute)
			w.wants("server_scan_status subtask_status", scanStatusIs(1, "t", 3)+scanStatusIs(2, "t", 2)+statusIs(1, "t", "cve", 4)+statusIs(2, "t", "cve", 4))
			c.online(1, false)
			pass(6 * time.Minute)
			w.wants("server_scan_status subtask_status", scanStatusIs(2, "t", 2)+statusIs(2, "t", "cve", 4))
		}
		wantEqual(t, "pages", c.read("t"), 1)
	})
}

// What the lists know does not cover what a server is asked for since a reload.
func TestTypesThatAReloadAddsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(1), newScript()
		s.says(1, "t/cve/4")
		c.list(ended("t", leavesOf("t", 2)...))
		w := startListed(t, c, s, discovering("types: [cve]"))
		pass(5 * time.Minute)
		polls := len(pollTimes(w, 1))
		w.apply(discovering("types: [cve, sca]"))
		pass(10 * time.Second)
		wantEqual(t, "polls", len(pollTimes(w, 1)), polls+1)
		wantEqual(t, "types", w.questionsOf(uuid(1))[polls].Types, "[cve sca]")
	})
}

// A task that is found late may have ended before a server's last poll, which did not ask for it.
func TestScansOfATaskThatIsFoundLateAreNews(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(1, "t/cve/4")
		s.says(2, "t/cve/4")
		c.list(ended("t", leavesOf("t", 2, 2)...))
		w := startListed(t, c, s, discovering("settled_interval: 1h\nstale_after: 2h"))
		pass(20 * time.Minute)
		late := func(n, status int) string {
			return strings.Replace(leafOf("u", n, status), `"TaskStartTime":0,"TaskEndTime":0`, fmt.Sprintf(`"TaskStartTime":%d,"TaskEndTime":%d`, (epoch-600)*1000, (epoch-500)*1000), 1)
		}
		c.list(ended("t", leavesOf("t", 2, 2)...), ended("u", late(1, 3), late(2, 2)))
		polls := w.detailCalls()
		pass(time.Minute)
		got := w.polled(polls)
		if len(got) < 2 {
			t.Errorf("polled: %v, want both servers", got)
		}
		polls = w.detailCalls()
		pass(30 * time.Minute)
		wantEqual(t, "polls after that", w.detailCalls()-polls, 0)
	})
}

// A task may cease to be followed while its list is read.
func TestAListThatIsReadWhileItsTaskLeaves(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(1), newScript()
		s.says(1, "t/cve/1")
		slow := running("u", leavesOf("u", 1)...)
		slow.answer = func(w http.ResponseWriter, _ *simulator.Request, page int) {
			c.mu.Unlock()
			time.Sleep(45 * time.Second)
			c.mu.Lock()
			leavesPage(w, page, 1, leavesOf("u", 1))
		}
		c.list(running("t", leavesOf("t", 1)...), slow)
		w := startListed(t, c, s, strings.Replace(discovering("timeout: 1m"), "max_tasks: 10", "max_tasks: 10, server_scans_interval: 1s", 1))
		pass(3 * time.Minute)
		wantEqual(t, "tasks", len(w.counts("server_scan_status", "task_id")), 2)
		c.list(running("t", leavesOf("t", 1)...))
		pass(2 * time.Minute)
		wantEqual(t, "tasks", len(w.counts("server_scan_status", "task_id")), 1)
		wantEqual(t, "tasks", len(w.counts("server_scans", "task_id")), 1)
	})
}

// A reload that turns the lists off takes what they said.
func TestListsThatAreReadNoMore(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(1, "t/cve/1")
		s.says(2, "t/cve/4")
		c.list(running("t", leavesOf("t", 1, 2)...))
		w := startListed(t, c, s, discovering(fareSettings))
		pass(5 * time.Minute)
		w.wants("server_scans", scansAre("t", 0, 1, 1, 0, 0))
		for _, now := range []bool{false, true, false} {
			if now {
				w.apply(discovering(fareSettings))
				pass(10 * time.Second)
				w.wants("server_scan_status server_scans", scanStatusIs(1, "t", 1)+scanStatusIs(2, "t", 2)+scansAre("t", 0, 1, 1, 0, 0))
				continue
			}
			w.apply(without(discovering(fareSettings)))
			w.wants("server_scan_status server_scans", "")
			pages, polls := c.read("t"), len(pollTimes(w, 1))
			pass(10*time.Minute + time.Second)
			wantEqual(t, "pages", c.read("t"), pages)
			if n := len(pollTimes(w, 1)) - polls; n < 10 {
				t.Errorf("%d polls in ten minutes", n)
			}
			w.wants("subtask_status", statusIs(1, "t", "cve", 1)+statusIs(2, "t", "cve", 4))
		}
	})
}

// A reload while a list is read neither loses nor doubles anything.
func TestAReloadWhileListsAreRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 45, TaskEvery: time.Hour, ScanDuration: 5 * time.Minute, FailRatio: 0.2}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: shortPages, Latency: 300 * time.Millisecond}, discovering("requests_per_second: 100\nconcurrency: 60\ntypes: [cve, sys, cms, sca]"))
		for i := range 40 {
			pass(700 * time.Millisecond)
			w.apply(discovering(fmt.Sprintf("requests_per_second: 100\nconcurrency: 60\ntypes: [cve, sys, cms, sca]\ntimeout: %ds", 5+i)))
		}
		pass(30 * time.Minute)
		wantEqual(t, "servers", len(w.servers()), 45)
		wantEqual(t, "servers listed", w.value("server_scans"), 45)
		failed := w.value("server_scans", "status=failed")
		if failed == 0 || failed != w.value("task_servers", "state=fail") {
			t.Errorf("%v servers failed, %v by the task", failed, w.value("task_servers", "state=fail"))
		}
		wantEqual(t, "failures counted", w.value("subtask_errors_total"), w.value("subtask_error"))
		if got := busiestSecond(w.observed()); got > 100 {
			t.Errorf("%d calls in a second", got)
		}
		for _, c := range w.observed() {
			if c.Action == sas.ActionOnceTask && c.Code != "" {
				t.Errorf("a list failed: %s", c.Code)
			}
		}
	})
}
