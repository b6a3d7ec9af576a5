package collector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

const (
	// overviewAge is how old an Overview may be. However many people read pages, their content is
	// gathered only once in this time.
	overviewAge = time.Second
	// overviewHeld is how long an Overview is kept for the next reader. It is short, because an
	// Overview keeps old records from being freed.
	overviewHeld = 10 * time.Second
)

// Overview is what is known of all accounts at one moment, for the pages. It must not be changed.
type Overview struct {
	At       Time
	Accounts []AccountOverview // in the configuration's order

	made     time.Time // by the clock of the process
	servers  []server
	problems []problem // the longest first
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
	if k.last != nil && c.clock.Now().Sub(k.last.made) < overviewAge {
		return k.last
	}
	o := c.Now()
	k.last = o
	time.AfterFunc(overviewHeld, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.last == o {
			k.last = nil
		}
	})
	return o
}

// Now returns what is known at this very moment.
func (c *Collector) Now() *Overview {
	o, step := &Overview{made: c.clock.Now(), Accounts: []AccountOverview{}}, c.clock.Step()
	o.At = Time{o.made.Add(step).Round(0)}
	for _, a := range c.store.Load().Accounts {
		status, totals, parts := a.Status(), &scan.Totals{}, make(map[string]Parts)
		for _, typ := range status.Types { // every type that is polled is shown
			totals.Type(typ)
		}
		for _, g := range a.Groups() {
			for v := range g.Load().Views(scan.InstantOf(o.made), step) {
				totals.Count(v)
				o.add(server{a, v}, parts)
			}
		}
		o.Accounts = append(o.Accounts, accountOf(a, status, totals, parts, o.made, step))
	}
	slices.SortStableFunc(o.problems, func(a, b problem) int { return cmp.Compare(a.since, b.since) })
	return o
}

// add adds a server, and counts its subtasks by type. Those that are too old to be published are
// left out.
func (o *Overview) add(s server, parts map[string]Parts) {
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

// Filter selects what to show of an Overview.
type Filter struct {
	Account     string // an account's name; empty: all
	Search      string // a part of what is shown of a server or subtask, such as a name or code, in any case
	State       string // of servers: ok, failing or pending; empty: any
	Page, Limit int    // Page counts from 1, Limit is how many lines a page has
}

// List is a page of a list that has Total lines.
type List[T any] struct {
	Total int `json:"total"`
	Page  int `json:"page"`
	Limit int `json:"limit"`
	Items []T `json:"items"`
}

// Problems returns the subtasks that fail or stall, the longest first. State is not looked at.
func (o *Overview) Problems(f Filter) List[Scan] {
	fits := func(p problem) bool { return f.fits(p.server, p.subtask.TaskID, p.subtask.Code) }
	return listOf(f, o.problems, fits, func(p problem) Scan { return scanOf(p.server, p.subtask) })
}

// Servers returns the watched servers.
func (o *Overview) Servers(f Filter) List[Server] {
	fits := func(s server) bool { return (f.State == "" || f.State == s.State(s.Refused)) && f.fits(s) }
	return listOf(f, o.servers, fits, serverOf)
}

// Server returns one server; the UUID's case does not matter.
func (o *Overview) Server(account, uuid string) (*Detail, bool) {
	key := scan.KeyOf(uuid)
	at := slices.IndexFunc(o.servers, func(s server) bool { return s.account.Name == account && s.Target.Key() == key })
	if at < 0 {
		return nil, false
	}
	return detailOf(o.servers[at]), true
}

// listOf returns the filter's page of the entries that fit, as they are shown.
func listOf[E, T any](f Filter, all []E, fits func(E) bool, show func(E) T) List[T] {
	list := List[T]{Page: f.Page, Limit: f.Limit, Items: []T{}}
	for _, e := range all {
		if !fits(e) {
			continue
		}
		if n := list.Total - (f.Page-1)*f.Limit; n >= 0 && n < f.Limit {
			list.Items = append(list.Items, show(e))
		}
		list.Total++
	}
	return list
}

// fits reports whether a server is of the filter's account, and what it searches for is in what
// names the server, or in one of these texts.
func (f Filter) fits(s server, texts ...string) bool {
	if f.Account != "" && f.Account != s.account.Name {
		return false
	}
	if f.Search == "" {
		return true
	}
	search, asset := strings.ToLower(f.Search), s.Target.Asset()
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), search) }
	return has(s.Target.Name) || has(s.Target.UUID) || has(asset.InstanceID) || has(asset.IP) || slices.ContainsFunc(texts, has)
}
