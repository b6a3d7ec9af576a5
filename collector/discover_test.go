package collector_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// discovering is an account that lists nothing but what more says.
func discovering(more string, servers ...string) string {
	text := yamlAccount("main", "discovery:\n  tasks: {refresh_interval: 30s, max_age: 1d, max_tasks: 10}\n  servers: {refresh_interval: 5m, online_only: false}\n"+more, servers...)
	return yamlOf(strings.Replace(text, "  task_ids: [task-a]\n", "", 1))
}

// lister answers the list of servers with what it is told.
type lister struct {
	mu      sync.Mutex
	servers []int // numbers, as uuid takes them; nil: as the simulator has it
	status  int   // of a failure; 0: none
	reads   int
}

func (l *lister) set(status int, servers ...int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status, l.servers = status, servers
}

// read is how often the list was asked for.
func (l *lister) read() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

func (l *lister) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Action != sas.ActionInstances {
		return false
	}
	l.reads++
	if l.status != 0 {
		r.Fail(w, l.status, "ServerError", "ServerError")
		return true
	}
	var list []string
	for _, n := range l.servers {
		list = append(list, fmt.Sprintf(`{"Uuid":%q,"InstanceName":"found-%d","InstanceId":"i-%d","IntranetIp":"10.0.0.%d","Os":"linux","RegionId":"cn-hangzhou","ClientStatus":"online"}`, uuid(n), n, n, n))
	}
	fmt.Fprintf(w, `{"Success":true,"RequestId":"R","PageInfo":{"Count":%d,"CurrentPage":1,"PageSize":100,"NextToken":""},"Instances":[%s]}`, len(list), strings.Join(list, ","))
	return true
}

// servers returns the watched servers' names.
func (w *world) servers() []string {
	var names []string
	for _, s := range w.collector.Targets() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// both answers by one of two interceptors.
func both(a, b func(http.ResponseWriter, *simulator.Request) bool) func(http.ResponseWriter, *simulator.Request) bool {
	return func(w http.ResponseWriter, r *simulator.Request) bool { return a(w, r) || b(w, r) }
}

// A large account lists nothing, and has a new task every minute.
func TestDiscoveryFollowsEveryTaskOfALargeFleet(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 125, TaskEvery: time.Minute, ScanDuration: 10 * time.Minute}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
			strings.Replace(discovering("requests_per_second: 5\ntypes: [cve, sys, cms, sca]"), "max_age: 1d", "max_age: 3m", 1))
		a.Fleet.Start = time.Unix(epoch, 0)
		pass(2 * time.Minute)
		wantEqual(t, "servers", len(w.servers()), 125)
		for range 24 {
			pass(30 * time.Second) // a refresh_interval
			now, infos := time.Now(), w.counts("task_info", "task_id")
			for _, task := range a.Fleet.Tasks(now) {
				age := now.Sub(task.Start)
				if followed := infos[task.ID] == 1; followed != (age < 3*time.Minute) && age >= 31*time.Second && (age < 3*time.Minute || age > 3*time.Minute+31*time.Second) {
					t.Errorf("%v after its start, a task is followed: %v", age, followed)
				}
			}
		}
		calls, discovery := 0, 0
		for _, c := range w.observed() {
			calls++
			if c.Action != sas.ActionVulCheckTaskStatusDetail {
				discovery++
			}
		}
		t.Logf("%d calls, %d of them to discover", calls, discovery)
		if float64(discovery) > 0.04*float64(calls) {
			t.Errorf("%d of %d calls discover", discovery, calls)
		}
		newest := a.Fleet.Tasks(time.Now().Add(-90 * time.Second))[0].ID
		asked := 0
		for _, r := range w.asked {
			if slices.Contains(r.TaskIDs, newest) {
				asked++
			}
		}
		if asked < 250 {
			t.Errorf("the task of a minute ago was asked for %d times", asked)
		}
	})
}

func TestDiscoveredAndConfiguredServersAreOne(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		l, s := &lister{}, newScript()
		l.set(0, 1, 2)
		s.says(1, "t/cve/4")
		s.says(2, "t/cve/4")
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(l.intercept, s.intercept)},
			discovering("", serverYAML(1, "labels: {team: shop}", "task_ids: [task-x]", "types: [sca]")))
		pass(time.Minute)
		wantEqual(t, "servers", w.servers(), []string{"found-2", "web-1"})
		w.wants("server_info", labelled("server_info", `,instance_id="i-1",ip="10.0.0.1",os="linux",region="cn-hangzhou",server="web-1",team="shop",uuid="`+uuid(1)+`"`, 1)+
			labelled("server_info", `,instance_id="i-2",ip="10.0.0.2",os="linux",region="cn-hangzhou",server="found-2",team="",uuid="`+uuid(2)+`"`, 1))
		newest := simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour, Start: time.Unix(epoch, 0)}.Tasks(time.Now())[0].ID
		last := func(n int) *simulator.Request { asked := w.questionsOf(uuid(n)); return asked[len(asked)-1] }
		wantEqual(t, "tasks asked for, of the configured server", last(1).TaskIDs, []string{"task-x", newest})
		wantEqual(t, "types", last(1).Types, []string{"sca"})
		wantEqual(t, "tasks asked for, of the other", last(2).TaskIDs, []string{newest})
		wantEqual(t, "types", last(2).Types, []string{"cve"})
	})
}

func TestDiscoveredServersLeaveOnlyOnceThatIsSure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		l, s := &lister{}, newScript()
		l.set(0, 1, 2, 3)
		for n := range 3 {
			s.says(n+1, "t/cve/4/A")
		}
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(l.intercept, s.intercept)}, discovering(""))
		pass(time.Minute)
		all := []string{"found-1", "found-2", "found-3"}
		wantEqual(t, "servers", w.servers(), all)
		success := w.value("discovery_last_success_timestamp_seconds", "kind=servers")
		l.set(500)
		pass(20 * time.Minute)
		wantEqual(t, "servers while the list cannot be read", w.servers(), all)
		wantEqual(t, "last success", w.value("discovery_last_success_timestamp_seconds", "kind=servers"), success)
		l.set(0)
		for reads := l.read(); l.read() == reads; {
			pass(time.Second)
		}
		wantEqual(t, "servers after one empty list", w.servers(), all)
		wantEqual(t, "errors counted", w.value("subtask_errors_total"), 3)
		pass(5 * time.Minute)
		wantEqual(t, "servers after two", len(w.servers()), 0)
		wantEqual(t, "errors counted", w.value("subtask_errors_total"), 0)
		l.set(0, 2, 3)
		pass(6 * time.Minute)
		wantEqual(t, "servers that came back", w.servers(), []string{"found-2", "found-3"})
		l.set(0, 3, 1)
		pass(6 * time.Minute)
		wantEqual(t, "servers", w.servers(), []string{"found-1", "found-3"})
		wantEqual(t, "status series", w.value("subtask_status"), 8)
		compareWithPromhttp(t, w.collector)
	})
}

func TestDiscoveryThatIsNotPermittedStopsNoPolling(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 3, TaskEvery: time.Hour}
		a.DeniedActions = []string{sas.ActionInstances}
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: s.intercept}, discovering("", serverYAML(1)))
		pass(10 * time.Minute)
		wantEqual(t, "servers ok", w.value("servers", "state=ok"), 1)
		wantEqual(t, "tasks", w.value("task_info"), 1)
		wantEqual(t, "last success", w.value("discovery_last_success_timestamp_seconds", "kind=servers"), 0)
		if polls := len(w.questionsOf(uuid(1))); polls < 18 {
			t.Errorf("%d polls in ten minutes", polls)
		}
		var told []string
		for _, line := range w.log.severe() {
			if strings.Contains(line, "kind=servers") {
				told = append(told, line)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0], "yundun-sas:DescribeCloudCenterInstances") {
			t.Errorf("told: %q", told)
		}
	})
}

func TestReloadAndRestartKeepWhatWasDiscovered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		l, s := &lister{}, newScript()
		l.set(0, 1, 2)
		s.says(1, "t/cve/4/A")
		s.says(2, "t/cve/1")
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour}
		options := simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(l.intercept, s.intercept)}
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		w := prepareWorldWith(t, options, poll.Options{State: store})
		w.apply(discovering(""))
		pass(time.Minute)
		before := w.familiesOf(stateFamilies)
		l.set(500)
		w.apply(discovering("requests_per_second: 9"))
		wantEqual(t, "published after a reload", w.familiesOf(stateFamilies), before)
		pass(time.Minute)
		wantEqual(t, "servers", w.servers(), []string{"found-1", "found-2"})
		w.poller.Close()

		l.set(0, 1, 2)
		after := prepareWorldWith(t, options, poll.Options{State: store})
		after.apply(discovering(""))
		pass(time.Minute)
		wantEqual(t, "errors counted", after.value("subtask_errors_total"), 1)
		after.wants("subtask_errors_total", strings.Replace(errorsAre("cve", "A", 1), "web-1", "found-1", 1))
	})
}

func TestPollingOnceDiscoversFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 150, TaskEvery: time.Hour}
		w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}, Latency: time.Millisecond}, poll.Options{Once: true})
		w.apply(discovering("requests_per_second: 100\ntypes: [cve, sys, cms, sca]"))
		wantEqual(t, "lists to be read", w.summaries()[0].Unread, 2)
		w.poller.Wait()
		wantEqual(t, "servers ok", w.value("servers", "state=ok"), 150)
		wantEqual(t, "summary", w.summaries(), "[{main 150 0 0 0 0 0 false}]")
	})
}

// Servers of the configuration do not go ahead of discovery: of what it finds they would not be
// asked any more.
func TestPollingOnceAsksForDiscoveredTasks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour}
		s := newScript()
		s.says(1, "t/cve/4")
		slowly := func(w http.ResponseWriter, r *simulator.Request) bool {
			if r.Action != sas.ActionVulCheckTaskStatusDetail {
				time.Sleep(5 * time.Second)
			}
			return s.intercept(w, r)
		}
		w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: slowly}, poll.Options{Once: true})
		w.apply(discovering("", serverYAML(1, "task_ids: [task-x]")))
		w.poller.Wait()
		asked := w.questionsOf(uuid(1))
		wantEqual(t, "questions", len(asked), 1)
		newest := simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour, Start: time.Unix(epoch, 0)}.Tasks(time.Now())[0].ID
		wantEqual(t, "tasks asked for", asked[0].TaskIDs, []string{"task-x", newest})
		wantEqual(t, "summary", w.summaries(), "[{main 2 0 0 0 0 0 false}]")
	})
}

func TestShardsShareDiscoveredServers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 3, Size: 90, TaskEvery: time.Hour}
		var names []string
		for shard := range 3 {
			w := prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}}, poll.Options{Owns: func(uuid string) bool { return int(uuid[7])%3 == shard }})
			w.apply(discovering("requests_per_second: 100\ntypes: [cve, sys, cms, sca]"))
			pass(time.Minute)
			if n := len(w.servers()); n < 10 {
				t.Errorf("shard %d has %d servers", shard, n)
			}
			names = append(names, w.servers()...)
		}
		slices.Sort(names)
		wantEqual(t, "servers of all shards", len(slices.Compact(names)), 90)
	})
}
