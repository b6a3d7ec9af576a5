package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/shard"
	"aliyun_vulscan_exporter/internal/simulator"
)

// --once waits for the lists, so that every server is asked by all of its IDs.
func TestPollingOnceAsksByAllIDs(t *testing.T) {
	t.Parallel()
	for known, name := range map[simulator.KnownIDs]string{simulator.RootIDs: "root", simulator.LeafIDs: "leaf", simulator.BothIDs: "both"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: 120, TaskEvery: time.Hour, KnownIDs: known, Start: time.Unix(epoch, 0).Add(-90 * time.Minute)}
				w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}, Latency: 50 * time.Millisecond}, poll.Options{Once: true})
				w.apply(discovering("requests_per_second: 100\ntypes: [cve, sys, cms, sca]"))
				w.poller.Wait()
				wantEqual(t, "servers ok", w.value("servers", "state=ok"), 120)
				wantEqual(t, "polls", w.detailCalls(), 120)
				wantEqual(t, "subtasks", w.value("subtasks"), 2*3*120)
				wantEqual(t, "tasks", len(w.counts("subtask_status", "task_id")), 2)
				wantEqual(t, "servers listed", w.value("server_scans"), 240)
				wantEqual(t, "servers' scans", len(w.counts("server_scan_status", "uuid")), 120)
			})
		})
	}
}

// It does not wait for ever for lists that cannot be read.
func TestPollingOnceWithoutLists(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]simulator.Fleet{"denied": {ServerListsDenied: true}, "fails": {ServerListFailsAt: 1}, "blank": {BlankDetailData: true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := simulated("main")
				f.Seed, f.Size, f.TaskEvery = 3, 20, time.Hour
				a.Fleet = f
				w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}}, poll.Options{Once: true})
				start := time.Now()
				w.apply(discovering("types: [cve, sys, cms, sca]"))
				w.poller.Wait()
				wantEqual(t, "servers ok", w.value("servers", "state=ok"), 20)
				wantEqual(t, "polls", w.detailCalls(), 20)
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// No server is watched by two shards. Each publishes the sums of the whole list, as it does other
// facts about tasks.
func TestShardsShareTheServersOfAListAndNotItsSums(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 120, TaskEvery: time.Hour, ScanDuration: time.Minute, FailRatio: 0.3, OfflineRatio: 0.2, Start: time.Unix(epoch, 0).Add(-30 * time.Minute)}
		scans := make(map[string]float64)
		var sums [3]map[string]float64
		watched := 0
		for index := range 3 {
			w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}}, poll.Options{Owns: shard.Shard{Index: index, Total: 3}.Owns})
			w.apply(discovering("requests_per_second: 100\ntypes: [cve, sys, cms, sca]"))
			pass(5 * time.Minute)
			sums[index] = w.counts("server_scans", "status")
			own := w.counts("server_scan_status", "uuid")
			for uuid, status := range own {
				if _, twice := scans[uuid]; twice {
					t.Errorf("%s is watched by two shards", uuid)
				}
				scans[uuid] = status
			}
			watched += len(w.servers())
			w.poller.Close()
		}
		wantEqual(t, "servers", watched, 120)
		byStatus := map[float64]float64{}
		for _, status := range scans {
			byStatus[status]++
		}
		wantEqual(t, "sums of two shards", fmt.Sprint(sums[0], sums[1]), fmt.Sprint(sums[2], sums[2]))
		wantEqual(t, "sums", sums[0], map[string]float64{"not_started": 0, "started": 0, "completed": byStatus[2], "failed": byStatus[3], "timed_out": 0})
		if byStatus[3] < 10 {
			t.Errorf("%v servers failed", byStatus[3])
		}
	})
}

// Running tasks stay although newer ones come, each with its list, and what a task that is followed
// no more has said leaves at once; counters stay.
func TestTasksThatAreFollowedNoMoreLeaveAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(2), newScript()
		s.says(1, "t/cve/4/A", "u/cve/4", "v/cve/1")
		s.says(2, "t/cve/4/A", "u/cve/4/B", "v/cve/1")
		aged := func(task listedTask, age time.Duration) listedTask {
			task.start = time.Unix(epoch, 0).Add(-age)
			return task
		}
		c.list(running("v", leavesOf("v", 1, 1)...), aged(ended("u", leavesOf("u", 2, 3)...), 30*time.Minute), aged(ended("t", leavesOf("t", 3, 3)...), 50*time.Minute))
		w := startListed(t, c, s, strings.Replace(discovering("stale_after: 5h"), "max_age: 1d", "max_age: 1h", 1))
		pass(8 * time.Minute)
		for _, family := range []string{"server_scan_status", "server_scans", "subtask_last_change_timestamp_seconds", "task_info"} {
			wantEqual(t, "tasks in "+family, keysOfCounts(w.counts(family, "task_id")), "[t u v]")
		}
		// Polls are held up, so that no answer can be what takes the subtasks.
		for n := range 2 {
			s.fails(n+1, 500, "ServerError")
		}
		pass(3 * time.Minute)
		for _, family := range []string{"server_scan_status", "server_scans", "subtask_last_change_timestamp_seconds", "task_info"} {
			wantEqual(t, "tasks in "+family, keysOfCounts(w.counts(family, "task_id")), "[u v]")
		}
		wantEqual(t, "errors counted", w.counted("subtask_errors_total", "code"), "map[A:2 B:1]")
		pass(20 * time.Minute)
		wantEqual(t, "tasks", keysOfCounts(w.counts("subtask_last_change_timestamp_seconds", "task_id")), "[v]")
		pass(31 * time.Minute) // the last one, too
		wantEqual(t, "tasks", keysOfCounts(w.counts("subtask_last_change_timestamp_seconds", "task_id")), "[]")
		wantEqual(t, "errors counted", w.counted("subtask_errors_total", "code"), "map[A:2 B:1]")
	})
}

func keysOfCounts(counts map[string]float64) []string {
	var keys []string
	for key := range counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// So does what was answered under another ID than that asked for, with the last task.
func TestSubtasksUnderOtherIDsLeaveWithTheLastTask(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 3, TaskEvery: 100 * time.Hour, DecimalTaskIDs: true, FailRatio: 0.5}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}}, strings.Replace(discovering("stale_after: 5h\ntypes: [cve, sys, cms, sca]"), "max_age: 1d", "max_age: 1h", 1))
		pass(55 * time.Minute)
		wantEqual(t, "tasks", len(w.counts("subtask_status", "task_id")), 1)
		failed := w.value("subtask_errors_total")
		pass(7 * time.Minute)
		wantEqual(t, "tasks", len(w.counts("subtask_status", "task_id")), 0)
		wantEqual(t, "errors counted", w.value("subtask_errors_total"), failed)
	})
}

// A poll that is under way when a task leaves does not bring its subtasks back.
func TestATaskThatLeftDoesNotComeBackWithAPoll(t *testing.T) {
	t.Parallel()
	for name, tasks := range map[string]string{"the last task": "", "one of several": "task_ids: [u]\n"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c, s := newTaskCenter(1), newScript()
				s.says(1, "t/cve/1", "u/cve/1")
				c.list(running("t", leafOf("t", 1, 1)))
				slow := func(w http.ResponseWriter, r *simulator.Request) bool {
					if r.UUID != "" {
						time.Sleep(38 * time.Second)
					}
					return s.intercept(w, r)
				}
				w := startWorld(t, simulator.Options{Intercept: both(c.intercept, slow)},
					strings.Replace(without(discovering(tasks+"poll_interval: 42s\ntimeout: 1m\nstale_after: 5h\nstall_after: 2h")), "max_age: 1d", "max_age: 1h", 1))
				pass(59 * time.Minute)
				wantEqual(t, "subtasks", w.value("subtask_status", "task_id=t"), 1)
				back := 0
				for range 90 {
					pass(time.Second)
					if w.value("task_info") == 0 && w.value("subtask_status", "task_id=t") != 0 {
						back++
					}
				}
				wantEqual(t, "tasks", w.value("task_info"), 0)
				wantEqual(t, "seconds for which it was back", back, 0)
				w.poller.Close()
				pass(time.Minute) // for the call under way
			})
		})
	}
}

// A task every other second: those that run are followed with their lists.
func TestRunningTasksStayBeyondMaxTasks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 5, TaskEvery: 20 * time.Second, ScanDuration: 2 * time.Minute}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
			strings.Replace(discovering("requests_per_second: 100\nstall_after: 1d\npoll_interval: 5s\ntypes: [cve, sys, cms, sca]"), "refresh_interval: 30s, max_age: 1d, max_tasks: 10", "refresh_interval: 5s, server_scans_interval: 5s, max_age: 1d, max_tasks: 3", 1))
		a.Fleet.Start = time.Unix(epoch, 0)
		pass(8 * time.Minute)
		running := 0
		for _, task := range a.Fleet.Tasks(time.Now().Add(-12 * time.Second)) {
			if status := w.value("task_info", "task_id="+task.ID, "status=PROCESSING"); status == 1 {
				running++
				if n := w.value("server_scans", "task_id="+task.ID); n != 5 {
					t.Errorf("%v servers of the task of %v are listed", n, time.Since(task.Start))
				}
			}
		}
		if running < 5 {
			t.Errorf("%d running tasks are followed, with max_tasks 3", running)
		}
		wantEqual(t, "scans of tasks", keysOfCounts(w.counts("server_scan_status", "task_id")), fmt.Sprint(keysOfCounts(w.counts("server_scans", "task_id"))))
	})
}
