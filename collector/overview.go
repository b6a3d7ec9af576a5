package collector

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// overviewHeld is how long an Overview is kept for the next reader. It is short, because an
// Overview keeps old records from being freed.
const overviewHeld = 10 * time.Second

// overviewAge is how old an Overview may be. However many people read pages, their content is
// gathered only once in this time.
const overviewAge = time.Second

// Overview is what is known of all accounts at one moment, for the pages. It must not be changed.
type Overview struct {
	At       time.Time         // by the system's clock, as all that it shows
	Accounts []AccountOverview // in the configuration's order

	made     time.Time // by the clock of the process
	problems []problem // subtasks that fail or stall, the longest first
}

// AccountOverview is how an account fares.
type AccountOverview struct {
	scan.Totals
	Status *scan.AccountStatus
	Name   string
	// Used is how many calls a second were made over the last minute, Lag how long the most overdue
	// server has been due.
	Used float64
	Lag  time.Duration

	views    []scan.View
	progress map[string]*Progress // by type
}

// Progress counts the published subtasks of one type by their result. Each subtask is counted once.
type Progress struct {
	// ByStatus counts those without an error code, in the order of scan.StatusNames.
	ByStatus []int
	// Failed counts those with an error code, whatever their status.
	Failed int
	// Answered counts those that did not succeed, but are superseded by a newer scan of the same
	// server.
	Answered int
}

// Progress returns that of a type.
func (a *AccountOverview) Progress(typ string) *Progress {
	if p := a.progress[typ]; p != nil {
		return p
	}
	return &Progress{ByStatus: make([]int, len(scan.StatusNames()))}
}

// succeeded reports whether a scan is over and went well.
func succeeded(s *scan.Subtask) bool { return !s.Unfinished() && s.Code == "" }

// Servers is the number of servers watched.
func (a *AccountOverview) Servers() int { return a.OK + a.Failing + a.Pending }

// Incomplete returns why lists of tasks or servers could not be read lately.
func (a *AccountOverview) Incomplete() []error {
	var list []error
	for _, err := range []error{a.Status.Found.Tasks.Err, a.Status.Found.Servers.Err} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// Unfinished returns how many servers and lists are still waiting for their first poll. It is zero
// for an account whose calls are refused, which is not polled.
func (a *AccountOverview) Unfinished() (servers, lists int) {
	if a.Status.Refused {
		return 0, 0
	}
	return a.Waiting, a.Status.Unread
}

// problem is a subtask that fails or stalls.
type problem struct {
	account int
	view    scan.View
	subtask *scan.Subtask
	since   scan.Instant
}

// overviews holds the last Overview.
type overviews struct {
	mu   sync.Mutex
	last *Overview
}

// Overview returns what is known now, or was a second ago at most.
func (c *Collector) Overview() *Overview {
	c.overviews.mu.Lock()
	defer c.overviews.mu.Unlock()
	now := c.clock.Now()
	if last := c.overviews.last; last != nil && now.Sub(last.made) < overviewAge {
		return last
	}
	o := c.Now()
	c.overviews.last = o
	time.AfterFunc(overviewHeld, func() { c.overviews.drop(o) })
	return o
}

// Now returns what is known at this very moment.
func (c *Collector) Now() *Overview {
	o, step := &Overview{made: c.clock.Now()}, c.clock.Step()
	o.At = o.made.Add(step).Round(0)
	for _, a := range c.store.Load().Accounts {
		o.add(a, step)
	}
	slices.SortStableFunc(o.problems, func(a, b problem) int { return cmp.Compare(a.since, b.since) })
	return o
}

// drop forgets an Overview unless there is a newer one.
func (k *overviews) drop(o *Overview) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == o {
		k.last = nil
	}
}

// add gathers what is known of an account.
func (o *Overview) add(a *scan.Account, step time.Duration) {
	status := shown(a.Status(), o.made, step)
	of := AccountOverview{Name: a.Name, Status: status, Used: a.Calls.PerSecond(o.made), Lag: status.Lag(o.made), progress: make(map[string]*Progress)}
	for _, typ := range status.Types { // every type that is polled is shown
		of.Type(typ)
	}
	for _, g := range a.Groups() {
		for v := range g.Load().Views(scan.InstantOf(o.made), step) {
			of.Count(v)
			of.addProgress(v)
			of.views = append(of.views, v)
			o.addProblems(len(o.Accounts), v)
		}
	}
	o.Accounts = append(o.Accounts, of)
}

// addProgress counts a server's subtasks. Those that are too old to be published are not counted.
func (a *AccountOverview) addProgress(v scan.View) {
	if v.Stale() {
		return
	}
	for i := range v.Subtasks {
		s := &v.Subtasks[i]
		p := a.Progress(s.Type)
		a.progress[s.Type] = p
		switch {
		case s.Failing():
			p.Failed++
		case s.Superseded && !succeeded(s):
			p.Answered++
		default:
			p.ByStatus[scan.StatusPlace(s.Status)]++
		}
	}
}

// addProblems adds a server's subtasks that fail or stall. Those that are too old to be published
// are left out.
func (o *Overview) addProblems(account int, v scan.View) {
	if v.Stale() {
		return
	}
	for i := range v.Subtasks {
		switch s := &v.Subtasks[i]; {
		case s.Failing():
			o.problems = append(o.problems, problem{account, v, s, s.Changed})
		case v.Stalled(s):
			o.problems = append(o.problems, problem{account, v, s, s.StatusSince})
		}
	}
}
