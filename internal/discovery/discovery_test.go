package discovery

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestTasksAndServersAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		fleet := simulator.Fleet{Seed: 7, Size: 250, Start: time.Now().Add(-time.Hour), TaskEvery: 10 * time.Minute}
		w := startWorld(t, fleet, Options{Tasks: everyTask(), Servers: everyServer()})
		pass(0)
		found := w.known()
		wantEqual(t, "servers", len(found.Servers.Items), 250)
		for i, s := range fleet.Servers() {
			want := Server{Instance: sas.Instance{UUID: s.UUID, Name: s.Name, InstanceID: s.InstanceID, Region: s.RegionID, IP: s.IP, OS: s.OS, Online: true}, Types: []string{"cve", "sys", "cms", "sca"}}
			wantEqual(t, "server", found.Servers.Items[i], want)
		}
		wantEqual(t, "tasks", len(found.Tasks.Items), 7)
		for i, task := range fleet.Tasks(time.Now()) {
			got := found.Tasks.Items[i]
			if got.ID != task.ID || !got.Start.Equal(task.Start) || got.Source != "schedule" || got.Total != 250 || got.Progress > 1 {
				t.Errorf("got %+v, want %+v", got, task)
			}
		}
		for _, at := range []time.Time{found.Tasks.At, found.Servers.At} {
			wantEqual(t, "time of the lists", at, time.Now())
		}
		told := w.log.told()
		slices.Sort(told)
		if len(told) != 2 || !strings.Contains(told[0], `kind=servers msg="the list is complete" entries=250`) ||
			!strings.Contains(told[1], `kind=tasks msg="the list is complete" entries=7`) {
			t.Errorf("logged %q", told)
		}
	})
}

// A kind that is not configured is not discovered.
func TestOnlyWhatIsConfiguredIsDiscovered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		fleet := simulator.Fleet{Size: 5, TaskIDs: []string{"a"}}
		w := startWorld(t, fleet, Options{Tasks: everyTask()})
		pass(time.Hour)
		wantEqual(t, "calls for servers", len(w.callsOf(sas.ActionInstances)), 0)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[a]")
	})
}

// The busy account of the performance promise: 5,000 servers, a task a minute.
func TestEachNewTaskIsFollowedWithinOneIntervalForFewCalls(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		const quota = 10 // calls a second, the default
		start := time.Now()
		fleet := simulator.Fleet{Seed: 7, Size: 5000, Start: start, TaskEvery: time.Minute}
		maxAge := 3*time.Minute + time.Second
		w := startWorld(t, fleet, Options{
			Tasks:   &config.TaskDiscovery{RefreshInterval: time.Minute, MaxAge: maxAge, MaxTasks: 50},
			Servers: everyServer(),
		})
		pass(30 * time.Second) // never in step with a new task
		for range 20 {
			pass(time.Minute)
			known := w.known().Tasks.Items
			var want []string
			for _, task := range fleet.Tasks(time.Now()) {
				age := time.Since(task.Start)
				listed := slices.Contains(idsOf(known), task.ID)
				if age > time.Minute && age <= maxAge && !listed || age > maxAge+time.Minute && listed {
					t.Errorf("task of age %s: listed %v", age, listed)
				}
				want = append(want, task.ID)
			}
			if !slices.IsSortedFunc(known, func(a, b sas.Task) int { return cmp.Compare(slices.Index(want, a.ID), slices.Index(want, b.ID)) }) {
				t.Errorf("not the newest first: %v", idsOf(known))
			}
		}
		wantEqual(t, "servers", len(w.known().Servers.Items), 5000)
		calls := len(w.callsOf(sas.ActionOnceTask)) + len(w.callsOf(sas.ActionInstances))
		if share := float64(calls) / (quota * time.Since(start).Seconds()); share >= 0.02 {
			t.Errorf("%d calls in %s are %.1f%% of a quota of %d", calls, time.Since(start), 100*share, quota)
		}
	})
}

func TestTenThousandServersAreFound(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		fleet := simulator.Fleet{Seed: 7, Size: 10000}
		w := startWorld(t, fleet, Options{Servers: everyServer()})
		pass(0)
		got := uuidsOf(w.known().Servers.Items)
		var want []string
		for _, s := range fleet.Servers() {
			want = append(want, s.UUID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d servers found", len(got))
		}
		wantEqual(t, "calls", len(w.callsOf(sas.ActionInstances)), 100)
	})
}

// The interval is kept from start to start, however long a refresh takes.
func TestRefreshesBeginAnIntervalApart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(250, serverEntry)}
		w := startWorldOf(t, simulator.Options{
			Accounts: []simulator.Account{accountOf(simulator.Fleet{})}, Latency: 7 * time.Second,
		}, Options{Servers: &config.ServerDiscovery{RefreshInterval: time.Minute}}, s.answer)
		start := time.Now()
		pass(10*time.Minute - time.Second)
		calls := w.callsOf(sas.ActionInstances)
		wantEqual(t, "calls", len(calls), 30)
		for i := 0; i < len(calls); i += 3 {
			wantEqual(t, "start of a refresh", calls[i].Sub(start), time.Duration(i/3)*time.Minute)
		}
	})
}

// A list that takes longer than its interval does not take all the quota.
func TestRefreshesPauseEvenIfTheyTakeTooLong(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(1, serverEntry)}
		w := startWorldOf(t, simulator.Options{
			Accounts: []simulator.Account{accountOf(simulator.Fleet{})}, Latency: 9 * time.Second,
		}, Options{Servers: &config.ServerDiscovery{RefreshInterval: 5 * time.Second}}, s.answer)
		pass(time.Minute)
		wantEqual(t, "seconds between calls", intervalsOf(w.callsOf(sas.ActionInstances)), "[10 10 10 10 10]")
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, latency := range map[string]time.Duration{"between refreshes": 0, "during calls": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := startWorldOf(t, simulator.Options{
					Accounts: []simulator.Account{accountOf(simulator.Fleet{Size: 250, TaskIDs: []string{"a"}})}, Latency: latency,
				}, Options{Tasks: everyTask(), Servers: everyServer()}, nil)
				pass(2 * time.Second)
				before := time.Now()
				told := w.times
				w.stop()
				wantEqual(t, "time that it took", time.Since(before), time.Duration(0))
				wantEqual(t, "times told after the end", w.times-told, 0)
				for _, line := range w.log.told() {
					if strings.Contains(line, "level=warn") {
						t.Errorf("logged %s", line)
					}
				}
			})
		})
	}
}

// It ends while it waits to ask for a page again, too.
func TestRunEndsBetweenAttempts(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(250, serverEntry)}
		s.bend = func(n int, p *pageOf) {
			if n > 1 {
				p.status, p.code = http.StatusInternalServerError, "ServerError"
			}
		}
		w := startWorldOf(t, simulator.Options{Accounts: []simulator.Account{accountOf(simulator.Fleet{})}}, Options{Servers: everyServer()}, s.answer)
		pass(time.Second)
		wantEqual(t, "calls", len(w.callsOf(sas.ActionInstances)), 2)
		w.stop()
		wantEqual(t, "lines of log", len(w.log.told()), 0)
	})
}
