package discovery

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestTheNewestTasksAreFollowed(t *testing.T) {
	t.Parallel()
	fleet := func() simulator.Fleet {
		return simulator.Fleet{Seed: 7, Size: 3, Start: time.Now().Add(-100 * time.Minute), TaskEvery: time.Minute, TaskIDs: []string{"by-hand"}, ScanDuration: time.Second}
	}
	tests := map[string]struct {
		settings config.TaskDiscovery
		want     int
		byHand   bool
		calls    int
	}{
		"as many as allowed":               {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 5}, 5, false, 1},
		"as young as allowed":              {config.TaskDiscovery{MaxAge: 10*time.Minute + time.Second, MaxTasks: 1000}, 11, false, 1},
		"no older than that":               {config.TaskDiscovery{MaxAge: 98*time.Minute + time.Second, MaxTasks: 1000}, 99, false, 1},
		"all there are":                    {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 1000}, 101, true, 2},
		"of one source":                    {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 5, Sources: []string{"console"}}, 1, true, 1},
		"of two sources":                   {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 1000, Sources: []string{"console", "schedule"}}, 101, true, 2},
		"of two sources, but not too many": {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 5, Sources: []string{"schedule", "console"}}, 5, false, 2},
		"of no source there is":            {config.TaskDiscovery{MaxAge: 24 * time.Hour, MaxTasks: 5, Sources: []string{"api"}}, 0, false, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fleet := fleet()
				tt.settings.RefreshInterval = time.Minute
				w := startWorld(t, fleet, Options{Tasks: &tt.settings})
				pass(time.Second)
				got := w.known().Tasks
				wantEqual(t, "tasks", len(got.Items), tt.want)
				wantEqual(t, "error", got.Err, nil)
				wantEqual(t, "calls", len(w.callsOf(sas.ActionOnceTask)), tt.calls)
				wantEqual(t, "the one by hand", slices.Contains(idsOf(got.Items), "by-hand"), tt.byHand)
				if !slices.IsSortedFunc(got.Items, func(a, b sas.Task) int { return b.Start.Compare(a.Start) }) {
					t.Errorf("not the newest first: %+v", got.Items)
				}
			})
		})
	}
}

// The newest published models have no Source in the answer.
func TestSourcesAreThoseAskedForWhereAnswersHaveNone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		settings := everyTask()
		settings.Sources = []string{"console", "schedule"}
		w := startWorldOf(t, one(), Options{Tasks: settings}, func(rw http.ResponseWriter, r *simulator.Request) bool {
			// The service ignores the source in the request. Its tasks have a source.
			_, _ = fmt.Fprintf(rw, `{"RequestId":"R","PageInfo":{},"TaskManageResponseList":[{"TaskId":"by-%s"},{"TaskId":"x","Source":"api"},{"TaskId":"y","Source":"schedule"},{"TaskId":"z"}]}`, r.Params.Get("Source"))
			return true
		})
		pass(time.Second)
		tasks := w.known().Tasks.Items
		wantEqual(t, "tasks", times(len(tasks), func(i int) string { return tasks[i].ID + " " + tasks[i].Source }),
			"[by-console console z console by-schedule schedule y schedule]")
	})
}

// A source is found below many tasks of others, should the service list those.
func TestTasksOfOtherSourcesAreReadOver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		settings := everyTask()
		settings.Sources, settings.MaxTasks = []string{"console"}, 1
		byHand := strings.Replace(taskEntry(150), "schedule", "console", 1)
		w := startWorldOf(t, one(), Options{Tasks: settings}, (&service{tasks: append(times(150, taskEntry), byHand)}).answer)
		pass(time.Second)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[task-150]")
	})
}

func TestTasksLeaveWhenTheyAreTooOld(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: times(3, taskEntry)}
		settings := everyTask()
		settings.MaxAge = 20 * time.Minute
		w := startWorldOf(t, one(), Options{Tasks: settings}, s.answer)
		pass(19*time.Minute + time.Second)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[task-0 task-1]")
		pass(time.Minute)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[task-0]")
		w.wantTold([]string{"level=info", "the list is complete"})
		pass(time.Minute)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[]")
		wantEqual(t, "error", w.known().Tasks.Err, nil)
		w.wantTold([]string{"level=warn", "all tasks are older than max_age, though one still runs: check max_age and this machine's clock", "newest_start=2000-01-01T00:00:00Z", "clock=2000-01-01T00:21:00Z"})
		s.set(func(s *service) { s.tasks = append([]string{taskEntry(5)}, s.tasks...) })
		pass(time.Minute)
		w.wantTold([]string{"level=info", "no longer: all tasks are older"})
	})
}

// A task that ended long ago is what an account without scans has.
func TestTooOldTasksThatEndedAreNormal(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{
		"an end":        `{"TaskId":"t","TaskStartTime":946684800000,"TaskEndTime":946684900000}`,
		"all processed": `{"TaskId":"t","TaskStartTime":946684800000,"Progress":"100%"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				time.Sleep(48 * time.Hour)
				w := startWorldOf(t, one(), Options{Tasks: everyTask()}, (&service{tasks: []string{entry}}).answer)
				pass(time.Hour)
				w.wantTold([]string{"level=info", "all tasks are older than max_age"}, []string{"level=info", "the list is complete", "entries=0"})
			})
		})
	}
}

// Tasks without a start are never too old, and come after those with one.
func TestTasksWhoseStartIsNotKnown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		settings := everyTask()
		settings.MaxTasks = 3
		w := startWorldOf(t, one(), Options{Tasks: settings}, (&service{tasks: []string{
			`{"TaskId":"a"}`, taskEntry(1), `{"TaskId":"b","TaskStartTime":0}`, taskEntry(0), `{"TaskId":"c"}`,
		}}).answer)
		pass(time.Hour)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[task-0 task-1 a]")
	})
}

// clockAt is a Security Center whose clock is ahead of ours by so much.
func clockAt(ahead time.Duration, fleet simulator.Fleet) simulator.Options {
	return simulator.Options{
		Accounts: []simulator.Account{accountOf(fleet)},
		Clock:    func() time.Time { return time.Now().Add(ahead) },
	}
}

func TestAClockThatIsFarOffFailsTheRefresh(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"behind": 5 * time.Hour, "ahead": -5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fleet := simulator.Fleet{Size: 3, Start: time.Now().Add(ahead - time.Hour), TaskEvery: time.Minute}
				settings := everyTask()
				settings.MaxAge = 30 * time.Minute
				w := startWorldOf(t, clockAt(ahead, fleet), Options{Tasks: settings}, nil)
				pass(time.Hour)
				wantEqual(t, "tasks", len(w.known().Tasks.Items), 0)
				w.wantTold([]string{"level=warn", "kind=tasks", "result=InvalidTimeStamp.Expired", "set this machine's clock"})
			})
		})
	}
}

// A clock that goes wrong takes nothing away: no list is read any more.
func TestAClockThatJumpsChangesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var ahead atomic.Int64
		s := &service{tasks: times(3, taskEntry)}
		settings := everyTask()
		settings.MaxAge = time.Hour
		w := startWorldOf(t, simulator.Options{
			Accounts: []simulator.Account{accountOf(simulator.Fleet{})},
			Clock:    func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		}, Options{Tasks: settings}, s.answer)
		pass(time.Minute)
		w.log.told()
		ahead.Store(int64(-24 * time.Hour))
		time.Sleep(24 * time.Hour) // ours went ahead, the service's did not
		pass(0)
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 3)
		w.wantTold([]string{"level=warn", "result=InvalidTimeStamp.Expired", "set this machine's clock", "entries=3"})
	})
}

// A clock that is less wrong is accepted, and shows only in what is listed.
func TestAClockThatIsSlightlyOffIsTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ahead time.Duration
		tasks int
		told  string
	}{
		"behind": {10 * time.Minute, 1, "a task starts in the future: check this machine's clock"},
		"ahead":  {-10 * time.Minute, 0, "all tasks are older than max_age, though one still runs: check max_age and this machine's clock"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fleet := simulator.Fleet{Size: 3, Start: time.Now().Add(tt.ahead), TaskEvery: time.Hour, ScanDuration: time.Hour}
				settings := everyTask()
				settings.MaxAge = 5 * time.Minute
				w := startWorldOf(t, clockAt(tt.ahead, fleet), Options{Tasks: settings}, nil)
				pass(3 * time.Minute)
				wantEqual(t, "tasks", len(w.known().Tasks.Items), tt.tasks)
				w.wantTold([]string{"level=warn", "kind=tasks", tt.told, "newest_start=", "clock="}, []string{"level=info", "the list is complete"})
			})
		})
	}
}

// Newer tasks do not take the place of a running one.
func TestRunningTasksStayUntilTheyEndOrAreTooOld(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		settings := everyTask()
		settings.MaxTasks, settings.MaxAge = 3, 3*time.Hour
		s := &service{tasks: []string{taskEntry(50)}}
		w := startWorldOf(t, one(), Options{Tasks: settings}, s.answer)
		pass(time.Second)
		wantEqual(t, "at first", idsOf(w.known().Tasks.Items), "[task-50]")
		s.set(func(s *service) { // 250 newer ones, of which two run: the old one is on the third page
			s.tasks = append(times(250, func(i int) string {
				if i == 3 || i == 60 {
					return taskEntryAt(i, "PROCESSING")
				}
				return taskEntryAt(i, "SUCCESS")
			}), s.tasks...)
		})
		pass(time.Minute)
		wantEqual(t, "running ones", idsOf(w.known().Tasks.Items), "[new-3 new-60 task-50]")
		wantEqual(t, "left out", w.known().Tasks.LeftOut, 0)
		s.set(func(s *service) { s.tasks[3] = taskEntryAt(3, "FAIL") })
		pass(time.Minute)
		wantEqual(t, "one ended, the newest follows", idsOf(w.known().Tasks.Items), "[new-0 new-60 task-50]")
		s.set(func(s *service) { s.tasks = s.tasks[:250] })
		pass(time.Minute)
		wantEqual(t, "the old one is gone", idsOf(w.known().Tasks.Items), "[new-0 new-1 new-60]")
		pass(3 * time.Hour)
		wantEqual(t, "too old", idsOf(w.known().Tasks.Items), "[]")
	})
}

// taskEntryAt is the n-th newest task, begun seconds ago, with a status.
func taskEntryAt(n int, status string) string {
	return fmt.Sprintf(`{"TaskId":"new-%d","TaskStatusText":%q,"TaskStartTime":%d}`, n, status, 946684800000-1000*n)
}

// The number of running tasks that are followed is bounded. Those that are followed already come
// first.
func TestSoManyRunningTasksAreLeftOutAndThatIsTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		settings := everyTask()
		settings.MaxTasks = 3
		running := func(i int) string { return taskEntryAt(i, "PROCESSING") }
		s := &service{tasks: times(90, func(i int) string { return running(i + 30) })}
		w := startWorldOf(t, one(), Options{Tasks: settings}, s.answer)
		pass(time.Second)
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 90)
		w.log.told()
		s.set(func(s *service) { s.tasks = times(120, running) })
		pass(10 * time.Minute)
		tasks := w.known().Tasks
		wantEqual(t, "tasks", len(tasks.Items), 100)
		wantEqual(t, "the newest that fit, and all from before", idsOf(append(tasks.Items[8:11:11], tasks.Items[99])), "[new-8 new-9 new-30 new-119]")
		wantEqual(t, "left out", tasks.LeftOut, 20)
		w.wantTold([]string{"level=warn", "kind=tasks", "more tasks run than are followed", "followed=100", "left_out=20"})
		s.set(func(s *service) { s.tasks = s.tasks[20:] })
		pass(time.Minute)
		wantEqual(t, "left out", w.known().Tasks.LeftOut, 0)
		w.wantTold([]string{"level=info", "no longer: more tasks run"})
	})
}
