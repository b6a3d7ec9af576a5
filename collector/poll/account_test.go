package poll

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// noEvents counts nothing.
type noEvents struct{}

func (noEvents) Watch(*config.Account)                           {}
func (noEvents) WatchTypes(string, []string)                     {}
func (noEvents) Forget(string)                                   {}
func (noEvents) Call(_, _, _ string, _ time.Duration)            {}
func (noEvents) Anomalies(string, map[sas.Anomaly]int)           {}
func (noEvents) ScanFailures(_, _ string, _ float64)             {}
func (noEvents) ScanEnded(string, string, string, time.Duration) {}

// noAPI answers nothing.
type noAPI struct{ API }

// idle returns an account that is configured and not started.
func idle(t *testing.T, c config.Account, once bool) *account {
	t.Helper()
	o := &Options{
		Store: scan.NewStore(), Clock: scan.NewClock(time.Now), Events: noEvents{}, Logger: log.NewNopLogger(), Once: once,
		Connect: func(config.Account, func(string, string, time.Duration)) API { return noAPI{} },
	}
	a := newAccount(c, o, nil)
	a.configure(c)
	return a
}

func accountOf(servers ...config.Server) config.Account {
	return config.Account{Name: "a", Settings: someSettings, RequestsPerSecond: 1000, Concurrency: 1, Types: config.Types(), TaskIDs: []string{"t"}, Servers: servers}
}

// listed is what discovery finds: so many servers.
func listed(names ...string) discovery.Found {
	found := discovery.Found{Servers: discovery.List[discovery.Server]{At: time.Now()}}
	for _, name := range names {
		found.Servers.Items = append(found.Servers.Items, discovery.Server{Instance: sas.Instance{UUID: name, Name: name}, Types: []string{"cve"}})
	}
	return found
}

// The list may be found at any moment: between a look at the empty queue and the question whether
// anything is left, too.
func TestPollingOnceEndsOnlyWhenNoServerWaits(t *testing.T) {
	c := accountOf()
	c.Discovery.Servers = &config.ServerDiscovery{}
	a := idle(t, c, true)
	if s, wait := a.take(a.now()); s != nil || wait != untilWoken {
		t.Fatalf("before the list is there: %v, %v", s, wait)
	}
	a.discovered(listed("u-1"))
	if s, _ := a.take(a.now()); s == nil {
		t.Fatal("the server is not taken")
	}
	if s, wait := a.take(a.now()); s != nil || wait != nothingLeft {
		t.Fatalf("after it was taken: %v, %v", s, wait)
	}
}

func TestTargetsAreThoseOfTheConfigurationAndOfDiscovery(t *testing.T) {
	c := accountOf(config.Server{UUID: "U-1", Name: "own", TaskIDs: []string{"x"}, Types: []string{"sca"}}, config.Server{UUID: "u-2", Name: "u-2", TaskIDs: []string{"t"}})
	found := listed("u-1", "inet-u-2", "u-3", "U-3", "u-4")
	found.Tasks.Items = []sas.Task{{ID: "x"}, {ID: "new"}}
	list := targets(c, found, func(uuid string) bool { return uuid != "u-4" }, func(*discovery.Server) bool { return false })
	var got []string
	for _, s := range list {
		got = append(got, s.UUID, s.Name, s.Asset().UUID)
	}
	wantEqual(t, "targets", got, []string{"U-1", "own", "u-1", "u-2", "u-2", "inet-u-2", "u-3", "u-3", "u-3"})
	wantEqual(t, "tasks, one of them found too", list[0].TaskIDs, []string{"x", "new"})
	wantEqual(t, "tasks", list[1].TaskIDs, []string{"t", "x", "new"})
	wantEqual(t, "tasks of a discovered server", list[2].TaskIDs, []string{"t", "x", "new"})
	wantEqual(t, "types", list[2].Types, []string{"cve"})
	wantEqual(t, "the configuration's own list", c.Servers[0].TaskIDs, []string{"x"})
}

func TestListsThatWereTriedOrRead(t *testing.T) {
	at, failed := time.Unix(epoch, 0), context.Canceled
	tests := map[string]struct {
		tasks, servers bool // that are discovered
		found          discovery.Found
		unread         int
		complete       bool
	}{
		"nothing is discovered":  {complete: true},
		"neither was tried":      {tasks: true, servers: true, unread: 2},
		"tasks only, not tried":  {tasks: true, unread: 1},
		"one was read":           {tasks: true, servers: true, found: discovery.Found{Tasks: discovery.List[sas.Task]{At: at}}, unread: 1},
		"the other failed":       {tasks: true, servers: true, found: discovery.Found{Tasks: discovery.List[sas.Task]{At: at}, Servers: discovery.List[discovery.Server]{Err: failed}}},
		"both were read":         {tasks: true, servers: true, found: discovery.Found{Tasks: discovery.List[sas.Task]{At: at}, Servers: discovery.List[discovery.Server]{At: at}}, complete: true},
		"one fails now":          {tasks: true, servers: true, found: discovery.Found{Tasks: discovery.List[sas.Task]{At: at}, Servers: discovery.List[discovery.Server]{At: at, Err: failed}}},
		"what failed is off now": {tasks: true, found: discovery.Found{Tasks: discovery.List[sas.Task]{At: at}, Servers: discovery.List[discovery.Server]{Err: failed}}, complete: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var c config.Discovery
			if tt.tasks {
				c.Tasks = &config.TaskDiscovery{}
			}
			if tt.servers {
				c.Servers = &config.ServerDiscovery{}
			}
			wantEqual(t, "not tried", unread(c, tt.found), tt.unread)
			wantEqual(t, "read completely", readCompletely(c, tt.found), tt.complete)
		})
	}
}

func TestCredentialsCountAsRefused(t *testing.T) {
	now := time.Unix(epoch, 0)
	refused, clock, failed := &sas.Error{Class: sas.Refused}, &sas.Error{Class: sas.Clock}, &sas.Error{Class: sas.Retryable}
	tests := map[string]struct {
		calls   []*sas.Error // nil: one that succeeded
		changed int
		open    bool
	}{
		"successes":                   {[]*sas.Error{nil, nil}, 0, false},
		"a failure":                   {[]*sas.Error{failed}, 0, false},
		"a refusal":                   {[]*sas.Error{refused}, 1, true},
		"many":                        {[]*sas.Error{refused, clock, refused}, 1, true},
		"a failure while it is open":  {[]*sas.Error{refused, failed}, 1, true},
		"a success closes it":         {[]*sas.Error{refused, nil, nil}, 2, false},
		"and a refusal opens it anew": {[]*sas.Error{clock, nil, refused}, 3, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := idle(t, accountOf(), false)
			for _, err := range tt.calls {
				a.judge(err, now)
			}
			wantEqual(t, "changes told", len(a.unlogged), tt.changed)
			wantEqual(t, "open", a.refused, tt.open)
			if tt.open {
				wantEqual(t, "the first probe", a.probeAt.Sub(now), probeInterval)
			}
		})
	}
}

func TestQuestionsAreChunksOfTasks(t *testing.T) {
	ids := make([]string, 120)
	for i := range ids {
		ids[i] = string(rune('a' + i%26))
	}
	var sizes []int
	for _, q := range questions(&scan.Target{Server: config.Server{UUID: "u", TaskIDs: ids, Types: []string{"cve"}}}, nil, true, true) {
		sizes = append(sizes, len(q.TaskIDs))
		wantEqual(t, "UUID and types", q.UUID+q.Types[0], "ucve")
	}
	wantEqual(t, "tasks of each", sizes, []int{50, 50, 20})
	wantEqual(t, "questions without tasks", len(questions(&scan.Target{}, nil, true, true)), 0)
}

// A service that invents codes hides neither a timeout nor what else ends calls.
func TestResultsOfCallsAreNeverOther(t *testing.T) {
	a := idle(t, accountOf(), false)
	for i := range 2 * maxCodes {
		want := strconv.Itoa(i)
		if i >= maxCodes {
			want = scan.OtherLabel
		}
		wantEqual(t, "label", a.policy.Codes.Label(strconv.Itoa(i)), want)
	}
	for _, result := range []string{"ok", "timeout", "connection", "canceled", "response", "credentials"} {
		wantEqual(t, "label", a.policy.Codes.Label(result), result)
	}
}

// A log that takes its time keeps nobody from what is known of the account.
func TestLinesAreLoggedOnceTheAccountIsUnlocked(t *testing.T) {
	a := idle(t, accountOf(), false)
	lines := 0
	a.options.Logger = log.LoggerFunc(func(...any) error {
		lines++
		if !a.mu.TryLock() {
			t.Error("a line is logged while the account is locked")
			return nil
		}
		a.mu.Unlock()
		return nil
	})
	a.mu.Lock()
	a.judge(&sas.Error{Class: sas.Refused}, a.now())
	a.judge(nil, a.now())
	wantEqual(t, "lines while it is locked", lines, 0)
	a.unlock()
	wantEqual(t, "lines", lines, 2)
}
