package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// idsAsked says which kinds of ID calls about servers carried: "root", "leaf" or "both", given
// which is a root's.
func (w *world) idsAsked(after int, isRoot func(string) bool) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	kinds := make(map[string]int)
	for _, r := range w.asked {
		if r.UUID == "" {
			continue
		}
		if after--; after >= 0 {
			continue
		}
		root, leaf := slices.ContainsFunc(r.TaskIDs, isRoot), slices.ContainsFunc(r.TaskIDs, func(id string) bool { return !isRoot(id) })
		switch {
		case root && leaf:
			kinds["both"]++
		case root:
			kinds["root"]++
		default:
			kinds["leaf"]++
		}
	}
	return kinds
}

// Whichever IDs the service knows, each subtask is published once and under the root task's ID.
// What never answers is dropped, and tried once an hour.
func TestSubtasksComeUnderTheRootsIDWhicheverIsKnown(t *testing.T) {
	t.Parallel()
	for known, name := range map[simulator.KnownIDs]string{simulator.RootIDs: "root", simulator.LeafIDs: "leaf", simulator.BothIDs: "both"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: 6, TaskEvery: 12 * time.Hour, ScanDuration: 4 * time.Hour, FailRatio: 0.2, KnownIDs: known}
				w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
					discovering("requests_per_second: 50\npoll_interval: 1m\nsettled_interval: 1m\nstall_after: 1d\ntypes: [cve, sys, cms, sca]"))
				a.Fleet.Start = time.Unix(epoch, 0)
				task := a.Fleet.Tasks(time.Now())[0]
				pass(20 * time.Minute)
				series := w.counts("subtask_status", "task_id")
				wantEqual(t, "tasks", len(series), 1)
				if _, root := series[task.ID]; !root {
					t.Errorf("published under %v, want the root's ID %s", series, task.ID)
				}
				statuses := w.counts("subtasks", "status")
				wantEqual(t, "subtasks", statuses["unhandled"]+statuses["collecting"]+statuses["collected"]+statuses["matching"]+statuses["complete"], 18)
				wantEqual(t, "kinds of ID", w.store.Load().Accounts[0].Status().IDs, name)
				wantEqual(t, "anomalies", w.counted("response_anomalies_total", "reason"), "map[]")

				isRoot := func(id string) bool { return id == task.ID }
				after := w.detailCalls()
				pass(30 * time.Minute)
				asked := w.idsAsked(after, isRoot)
				if len(asked) != 1 || asked[name] == 0 {
					t.Errorf("asked for %v, want %s alone", asked, name)
				}
				after = w.detailCalls()
				pass(time.Hour)
				asked = w.idsAsked(after, isRoot)
				if name != "both" && (asked["both"] < 1 || asked["both"] > 8) {
					t.Errorf("in an hour: asked for %v, want both once", asked)
				}
				wantEqual(t, "servers ok", w.value("servers", "state=ok"), 6)
				compareWithPromhttp(t, w.collector)
			})
		})
	}
}

// answersFor answers a call about a server's one task if it carries the root's or the leaf's ID,
// under an ID that need not be either.
func answersFor(c *taskCenter, task string, byLeaf bool, under string, asked *[]string) func(http.ResponseWriter, *simulator.Request) bool {
	return both(c.intercept, func(w http.ResponseWriter, r *simulator.Request) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		*asked = append(*asked, strings.Join(r.TaskIDs, " "))
		if slices.ContainsFunc(r.TaskIDs, func(id string) bool { return (id == task) != byLeaf }) {
			reply{body: subtasks(under + "/cve/1/A")}.write(w)
		} else {
			reply{body: subtasks()}.write(w)
		}
		return true
	})
}

// The documentation speaks of an answer under the main task's ID for the ID of the task that
// corresponds to the machine. No subtask may leave because the leaf's ID seems never to answer.
func TestAnAnswerUnderAnotherIDDoesNotSayWhichOneBroughtIt(t *testing.T) {
	t.Parallel()
	for _, byLeaf := range []bool{false, true} {
		for _, under := range []string{"t", "16190385"} {
			t.Run(fmt.Sprintf("under %s, by leaf %v", under, byLeaf), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					c := newTaskCenter(4)
					c.list(running("t", leavesOf("t", 1, 1, 1, 1)...))
					var asked []string
					w := startWorld(t, simulator.Options{Intercept: answersFor(c, "t", byLeaf, under, &asked)},
						discovering("poll_interval: 10s\nsettled_interval: 10s\nstall_after: 10s\nstale_after: 10s\nrequests_per_second: 50"))
					pass(20 * time.Second)
					for range 15 {
						pass(time.Minute)
						wantEqual(t, "subtasks", w.value("subtasks"), 4)
						if t.Failed() {
							t.FailNow()
						}
					}
					wantEqual(t, "errors", w.value("subtask_errors_total"), 4)
					wantEqual(t, "under that ID", w.value("subtask_status", "task_id="+under), 4)
				})
			})
		}
	}
}

// An account may have more tasks than one call takes, each with two IDs.
func TestManyTasksWithTwoIDsEach(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c := newTaskCenter(1)
		var tasks []listedTask
		for i := range 60 {
			id := fmt.Sprintf("t%02d", i)
			tasks = append(tasks, running(id, leafOf(id, 1, 1)))
		}
		c.list(tasks...)
		most := 0
		intercept := both(c.intercept, func(w http.ResponseWriter, r *simulator.Request) bool {
			var said []string
			for _, id := range r.TaskIDs { // known as root by even numbers, as leaf by odd ones
				root, _, leaf := strings.Cut(id, "-")
				if leaf == ((root[2]-'0')%2 == 1) {
					said = append(said, id+"/cve/1")
				}
			}
			c.mu.Lock()
			most = max(most, len(r.TaskIDs))
			c.mu.Unlock()
			reply{body: subtasks(said...)}.write(w)
			return true
		})
		w := startWorld(t, simulator.Options{Intercept: intercept},
			strings.Replace(discovering("requests_per_second: 100\nstall_after: 1d"), "max_tasks: 10", "max_tasks: 60", 1))
		pass(5 * time.Minute)
		wantEqual(t, "most IDs in a call", most, 50)
		wantEqual(t, "subtasks", w.value("subtask_status"), 60) // each 1
		wantEqual(t, "tasks", len(w.counts("subtask_status", "task_id")), 60)
		wantEqual(t, "those known by their root", w.value("subtask_status", "task_id=t00"), 1)
		wantEqual(t, "those known by their leaf", w.value("subtask_status", "task_id=t59"), 1)
		var sizes []int
		for _, r := range w.questionsOf(uuid(1)) {
			sizes = append(sizes, len(r.TaskIDs))
		}
		wantEqual(t, "IDs in the last calls", sizes[len(sizes)-3:], "[50 50 20]")
	})
}
