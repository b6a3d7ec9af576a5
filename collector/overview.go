package collector

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// overviewAge is how old an Overview may be. However many people read pages, their content is
// gathered only once in this time. Then it is dropped, because it keeps old records from being
// freed.
const overviewAge = time.Second

// Overview is what is known of all accounts at one moment, for the pages. It must not be changed.
type Overview struct {
	At       Time
	Accounts []AccountOverview // in the configuration's order

	servers  []server
	problems []problem // the longest first
}

// AccountOverview is how an account fares.
type AccountOverview struct {
	Name              string         `json:"account"`
	OK                int            `json:"servers_ok"`
	Failing           int            `json:"servers_failing"`
	Pending           int            `json:"servers_pending"`
	Waiting           int            `json:"-"` // pending servers that polls will still come to
	Refused           bool           `json:"refused"`
	Accepted          bool           `json:"-"` // some call has succeeded
	CallsUsed         float64        `json:"calls_per_second_used"`
	CallsAllowed      float64        `json:"calls_per_second_allowed"`
	CallsConfigured   float64        `json:"calls_per_second_configured"`
	LagSeconds        float64        `json:"lag_seconds"`
	LastError         *Problem       `json:"last_error"`
	DiscoveryProblems []string       `json:"discovery_problems"` // why lists could not be read lately
	Unread            int            `json:"-"`                  // lists that were not yet tried to read
	Types             []TypeOverview `json:"types"`
	IDs               string         `json:"ids"`
	Tasks             []Task         `json:"tasks"`
	TasksLeftOut      int            `json:"tasks_left_out"`
}

// TypeOverview counts the published subtasks of one type.
type TypeOverview struct {
	Type       string         `json:"type"`
	ByStatus   map[string]int `json:"by_status"`
	Succeeded  int            `json:"succeeded"`
	Failing    int            `json:"failing"`
	Superseded int            `json:"superseded"`
	Stalled    int            `json:"stalled"`
	Parts      Parts          `json:"-"`
}

// What becomes of a subtask is its status, as a place among scan.StatusNames, or one of these.
const (
	PartFailed   = len(scan.TypeTotals{}.ByStatus) // it has an error code that matters
	partAnswered = PartFailed + 1                  // it did not succeed, but a newer scan answers it
)

// Parts counts each subtask once, by what became of it.
type Parts [partAnswered + 1]int

// PartNames returns the names of Parts.
func PartNames() []string {
	names := append(slices.Clone(scan.StatusNames()), "failed", "answered")
	names[sas.StatusComplete] = "succeeded"
	return names
}

// Task is a task that is followed.
type Task struct {
	ID         string         `json:"task_id"`
	Account    string         `json:"-"`
	Source     string         `json:"source"`
	Status     string         `json:"status"`
	Ended      bool           `json:"ended"`
	Progress   *float64       `json:"progress"` // from 0 to 1
	Start      Time           `json:"start"`
	ReadsList  bool           `json:"-"`       // the list of its servers is to be read
	Servers    map[string]int `json:"servers"` // by the status of their scans, as the list has it
	ListReadAt Time           `json:"list_read_at"`
	ListError  string         `json:"list_error"`
}

// server is a watched server at the moment of the Overview.
type server struct {
	account *scan.Account
	scan.View
}

// problem is a subtask that fails or stalls.
type problem struct {
	server
	subtask *scan.Subtask
	since   scan.Instant
}

// Servers is the number of servers watched.
func (a *AccountOverview) Servers() int { return a.OK + a.Failing + a.Pending }

// Idle says why the account watches nothing; empty: it watches something.
func (a *AccountOverview) Idle() string {
	switch {
	case a.Servers() == 0 && a.Unread > 0:
		return "watches nothing yet: its lists are still to be read"
	case a.Servers() == 0:
		return "watches nothing: no server is configured or discovered"
	case a.Pending == a.Servers() && a.Waiting == 0:
		return "watches nothing: none of its servers has a task to ask for"
	}
	return ""
}

// Verdict returns an error if a server or list was not polled, or its poll failed. It is for
// --once.
func (o *Overview) Verdict() error {
	for _, a := range o.Accounts {
		if len(a.DiscoveryProblems) > 0 {
			return fmt.Errorf("account %q: not everything could be discovered: the log says why", a.Name)
		}
		if a.Failing > 0 || a.Refused || a.Waiting > 0 {
			return fmt.Errorf("account %q: the polls of %d of its %d servers did not succeed", a.Name, a.Failing+a.Pending, a.Servers())
		}
	}
	return nil
}

// overviews holds the last Overview.
type overviews struct {
	mu   sync.Mutex
	last *Overview
}

// Overview returns what is known now, or was a second ago at most.
func (c *Collector) Overview() *Overview {
	k := &c.overviews
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		time.AfterFunc(overviewAge, func() { // it ages while it is gathered
			k.mu.Lock()
			defer k.mu.Unlock()
			k.last = nil
		})
		k.last = c.Now()
	}
	return k.last
}

// Now returns what is known at this very moment.
func (c *Collector) Now() *Overview {
	now, step := c.clock.Now(), c.clock.Step()
	o := &Overview{At: Time{now.Add(step).Round(0)}, Accounts: []AccountOverview{}}
	for _, a := range c.store.Load().Accounts {
		o.addAccount(a, now, step)
	}
	slices.SortStableFunc(o.problems, func(a, b problem) int { return cmp.Compare(a.since, b.since) })
	return o
}

// addAccount adds what is known of an account now, by the clock of the process, which the system's
// is step ahead of.
func (o *Overview) addAccount(a *scan.Account, now time.Time, step time.Duration) {
	s, totals, parts := a.Status(), &scan.Totals{}, make(map[string]Parts)
	for _, typ := range s.Types { // every type that is polled is shown
		totals.Type(typ)
	}
	for _, g := range a.Groups() {
		for v := range g.Load().Views(scan.InstantOf(now), step) {
			totals.Count(v)
			o.addServer(server{a, v}, parts)
		}
	}
	of := AccountOverview{
		Name: a.Name, OK: totals.OK, Failing: totals.Failing, Pending: totals.Pending, Waiting: totals.Waiting, Refused: s.Refused,
		Accepted:  totals.OK > 0 || !s.Found.Tasks.At.IsZero() || !s.Found.Servers.At.IsZero(),
		CallsUsed: a.Calls.PerSecond(now), CallsAllowed: s.Allowed, CallsConfigured: s.Config.RequestsPerSecond, LagSeconds: s.Lag(now).Seconds(),
		LastError: problemOf(s.Problem, step), DiscoveryProblems: []string{}, Unread: s.Unread,
		Types: []TypeOverview{}, IDs: s.IDs, Tasks: tasksOf(a.Name, s, now, step), TasksLeftOut: s.Found.Tasks.LeftOut,
	}
	for _, err := range []error{s.Found.Tasks.Err, s.Found.Servers.Err} {
		if err != nil {
			of.DiscoveryProblems = append(of.DiscoveryProblems, err.Error())
		}
	}
	for _, t := range totals.Types {
		by, p := byName(scan.StatusNames(), t.ByStatus[:]), parts[t.Type]
		of.Types = append(of.Types, TypeOverview{t.Type, by, p[sas.StatusComplete], t.Failing, p[partAnswered], t.Stalled, p})
	}
	o.Accounts = append(o.Accounts, of)
}

// addServer adds a server, and counts its subtasks by type. Those that are too old to be published
// are left out.
func (o *Overview) addServer(s server, parts map[string]Parts) {
	o.servers = append(o.servers, s)
	if s.Stale() {
		return
	}
	for i := range s.Subtasks {
		t := &s.Subtasks[i]
		of := parts[t.Type]
		of[partOf(t)]++
		parts[t.Type] = of
		if t.Failing() {
			o.problems = append(o.problems, problem{s, t, t.Changed})
		} else if s.Stalled(t) {
			o.problems = append(o.problems, problem{s, t, t.StatusSince})
		}
	}
}

// partOf returns what became of a subtask.
func partOf(s *scan.Subtask) int {
	switch place := scan.StatusPlace(s.Status); {
	case s.Failing():
		return PartFailed
	case s.Superseded && (s.Code != "" || place != sas.StatusComplete):
		return partAnswered
	default:
		return place
	}
}

// byName returns counts by what they count.
func byName(names []string, counts []int) map[string]int {
	all := make(map[string]int)
	for i, name := range names {
		all[name] = counts[i]
	}
	return all
}

// tasksOf returns an account's tasks, each the newest first, those that run before others.
func tasksOf(account string, s *scan.AccountStatus, now time.Time, step time.Duration) []Task {
	all := make([]Task, len(s.Found.Tasks.Items))
	settings := s.Config.Discovery.Tasks
	for i, t := range s.Found.Tasks.Items {
		all[i] = Task{
			ID: t.ID, Account: account, Source: t.Source, Status: t.Status, Ended: t.Ended(), Progress: reported(t.Progress), Start: Time{t.Start},
			ReadsList: settings != nil && settings.ServerScans,
		}
		at := slices.IndexFunc(s.Lists, func(l scan.ListStatus) bool { return l.TaskID == t.ID })
		if at < 0 {
			continue
		}
		list := s.Lists[at]
		all[i].ListReadAt = Time{present(list.At, now, step)}
		if list.Err != nil {
			all[i].ListError = list.Err.Error()
		}
		if !list.At.IsZero() {
			all[i].Servers = byName(scan.ServerScanNames(), list.ByStatus[:])
		}
	}
	RunningFirst(all)
	return all
}

// RunningFirst sorts tasks so that those that run stand before those that have ended.
func RunningFirst(tasks []Task) {
	slices.SortStableFunc(tasks, func(a, b Task) int { return cmp.Compare(boolean(a.Ended), boolean(b.Ended)) })
}
