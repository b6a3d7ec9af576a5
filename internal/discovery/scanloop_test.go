package discovery

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// endedEntry is a task that began and ended so many minutes ago.
func endedEntry(minutes int) string {
	start := time.Now().Add(-time.Duration(minutes) * time.Minute).UnixMilli()
	return fmt.Sprintf(`{"TaskId":%q,"Source":"schedule","TaskStatusText":"SUCCESS","Progress":"100%%","TaskStartTime":%d,"TaskEndTime":%d}`, taskIDOf(minutes), start, start)
}

// watchScans discovers the tasks of a service and reads their lists.
func watchScans(t *testing.T, s *service) *world {
	t.Helper()
	w := startWorldOf(t, one(), Options{Tasks: everyTask(), Scans: &ScanOptions{Interval: 2 * time.Minute}}, s.answer)
	pass(time.Second)
	return w
}

// shownReadings are readings as text: task, number of scans, and whether it ended.
func shownReadings(readings []ServerScans) string {
	shown := times(len(readings), func(i int) string {
		r := readings[i]
		return fmt.Sprintf("%s:%d,%t", r.Task.ID, len(r.Scans), r.Final())
	})
	return strings.Join(shown, " ")
}

func TestRunningTasksListsAreReadUntilOnceAfterTheirEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: []string{taskEntry(1)}, leaves: map[string][]string{"task-1": times(150, leafEntry)}}
		w := watchScans(t, s)
		first := w.read()
		wantEqual(t, "at once", shownReadings(first), "task-1:150,false")
		wantEqual(t, "error", first[0].Err, nil)
		wantEqual(t, "a scan", first[0].Scans[149].UUID+" "+first[0].Scans[149].TaskID, uuidOf(149)+" leaf-149")
		pass(20 * time.Minute)
		readings := w.read()
		wantEqual(t, "readings in 20 minutes", len(readings), 10)
		wantEqual(t, "from beginning to beginning", readings[1].Began.Sub(readings[0].Began), 2*time.Minute)
		s.set(func(s *service) { s.tasks = []string{strings.Replace(s.tasks[0], `"PROCESSING"`, `"SUCCESS"`, 1)} })
		pass(time.Hour)
		wantEqual(t, "after its end", shownReadings(w.read()), "task-1:150,true")
	})
}

func TestEndedTasksListsAreReadOnceAndNotAfterAReload(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		tasks := []string{taskEntry(1), endedEntry(5), endedEntry(9)}
		leaves := map[string][]string{"task-1": times(3, leafEntry), "task-5": times(2, leafEntry), "task-9": times(1, leafEntry)}
		w := watchScans(t, &service{tasks: tasks, leaves: leaves})
		known := w.read()
		wantEqual(t, "running first, then the newest", shownReadings(known), "task-1:3,false task-5:2,true task-9:1,true")
		pass(3 * time.Minute)
		wantEqual(t, "after a while", shownReadings(w.read()), "task-1:3,false")
		w.stop()
		again := startWorldOf(t, one(), Options{
			Tasks: everyTask(), Known: w.known(), Scans: &ScanOptions{Interval: 2 * time.Minute, Known: known},
		}, (&service{tasks: tasks, leaves: leaves}).answer)
		pass(time.Hour)
		for _, r := range again.read() {
			wantEqual(t, "task read after a reload", r.Task.ID, "task-1")
		}
	})
}

// What somebody has to mend is logged once and seldom asked for.
func TestListsThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code string) func(int, *pageOf) {
		return func(_ int, p *pageOf) {
			if p.root != "" {
				p.status, p.code = status, code
			}
		}
	}
	unnamed := func(int) string { return `{"TaskId":"leaf","TaskStatus":1,"DetailData":"[]"}` }
	tests := map[string]struct {
		leaves   []string
		bend     func(int, *pageOf)
		readings int
		told     string
	}{
		"no permission":     {times(3, leafEntry), refuse(http.StatusForbidden, "NoPermission"), 6, "grant the RAM action yundun-sas:DescribeOnceTask"},
		"no such operation": {times(3, leafEntry), refuse(http.StatusNotFound, "InvalidAction.NotFound"), 6, "InvalidAction.NotFound"},
		"an empty list":     {nil, nil, 30, "it is empty"},
		"names no server":   {times(1, unnamed), nil, 8, "the list names no server"},
		"trouble":           {times(3, leafEntry), refuse(http.StatusInternalServerError, "ServerError"), 30, "ServerError"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{tasks: []string{taskEntry(1)}, leaves: map[string][]string{"task-1": tt.leaves}}
				s.set(func(s *service) { s.bend = tt.bend })
				w := watchScans(t, s)
				pass(59 * time.Minute)
				wantEqual(t, "readings in an hour", len(w.read()), tt.readings)
				w.wantTold(
					[]string{"level=info", "kind=tasks", "the list is complete"},
					[]string{"level=warn", "kind=server_scans", "task_id=task-1", "the list of a task's servers is of no use: its servers are polled as without it", tt.told},
				)
				s.set(func(s *service) {
					s.tasks = []string{taskEntry(2), s.tasks[0]}
					s.leaves = map[string][]string{"task-1": times(3, leafEntry), "task-2": times(3, leafEntry)}
				})
				pass(11 * time.Minute)
				w.wantTold([]string{"level=info", "kind=server_scans", "the lists of the tasks' servers are of use again"})
			})
		})
	}
}

// The list of a new task is denied like that of the last one, so nothing is logged.
func TestDeniedListsOfNewTasksAreNotToldAnew(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: []string{taskEntry(1)}}
		s.bend = func(_ int, p *pageOf) {
			if p.root != "" {
				p.status, p.code = http.StatusForbidden, "NoPermission"
			}
		}
		w := watchScans(t, s)
		wantEqual(t, "lines", len(w.log.told()), 2)
		for minute := range 5 {
			s.mu.Lock()
			s.tasks = []string{taskEntry(100 + minute)}
			s.mu.Unlock()
			pass(time.Minute)
		}
		wantEqual(t, "readings", len(w.read()), 6)
		w.wantTold()
	})
}

// Without Scans nothing but tasks is asked for.
func TestListsAreOnlyReadWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startWorldOf(t, one(), Options{Tasks: everyTask()}, (&service{tasks: []string{taskEntry(1)}}).answer)
		pass(59*time.Minute + time.Second)
		wantEqual(t, "calls", len(w.callsOf(sas.ActionOnceTask)), 60)
	})
}

// A task that leaves is read no more, even if its list is due.
func TestTasksThatLeaveAreReadNoMore(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: []string{taskEntry(1), taskEntry(2)}, leaves: map[string][]string{"task-1": times(1, leafEntry), "task-2": times(1, leafEntry)}}
		w := watchScans(t, s)
		wantEqual(t, "first", shownReadings(w.read()), "task-1:1,false task-2:1,false")
		s.set(func(s *service) { s.tasks = s.tasks[1:] })
		pass(10 * time.Minute)
		for _, r := range w.read() {
			wantEqual(t, "task", r.Task.ID, "task-2")
		}
	})
}

// The simulator's lists are those of the service as it is best known.
func TestTheSimulatorsListsAreRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change       func(*simulator.Fleet)
		scans, named int
	}{
		"every server": {func(*simulator.Fleet) {}, 250, 250},
		"blank":        {func(f *simulator.Fleet) { f.BlankDetailData = true }, 250, 0},
		"denied":       {func(f *simulator.Fleet) { f.ServerListsDenied = true }, 0, 0},
		"halfway":      {func(f *simulator.Fleet) { f.ServerListFailsAt = 2 }, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fleet := simulator.Fleet{Seed: 3, Size: 250, Start: time.Now().Add(-10 * time.Minute), TaskIDs: []string{"root"}, FailRatio: 0.1}
				tt.change(&fleet)
				w := startWorld(t, fleet, Options{Tasks: everyTask(), Servers: everyServer(), Scans: &ScanOptions{Interval: 2 * time.Minute}})
				pass(time.Minute)
				readings := w.read()
				wantEqual(t, "readings", len(readings), 1)
				wantEqual(t, "complete", readings[0].Err == nil, tt.scans > 0)
				wantEqual(t, "scans", len(readings[0].Scans), tt.scans)
				named := map[string]bool{}
				for _, s := range readings[0].Scans {
					if s.NamesServer() {
						named[s.UUID] = true
					}
				}
				wantEqual(t, "servers named", len(named), tt.named)
				for _, s := range w.known().Servers.Items {
					if tt.named > 0 && !named[sas.UUIDKey(s.UUID)] {
						t.Errorf("server %s is in no list", s.UUID)
					}
				}
				wantEqual(t, "tasks and servers all the same", [2]int{len(w.known().Tasks.Items), len(w.known().Servers.Items)}, [2]int{1, 250})
			})
		})
	}
}
