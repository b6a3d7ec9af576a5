package collector

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"aliyun_vulscan_exporter/config"
)

// overviewKept is how long an Overview is kept for the next one who looks: it
// holds on to what was known of every server.
const overviewKept = 10 * time.Second

// overviewAge is how old an Overview may be: however many people look at
// pages, what they show is gathered once in so long.
const overviewAge = time.Second

// Overview is what is known of everything at one moment, for people to look
// at. Nobody changes it.
type Overview struct {
	At       time.Time
	Accounts []AccountStatus // in the configuration's order

	records  [][]*record // of each account
	settings []config.Settings
	codes    []*codeLabels
	troubled []troubledScan // the longest first
}

// AccountStatus is how an account fares.
type AccountStatus struct {
	Summary
	// Configured is the quota in calls a second, Allowed what is left of it
	// after throttling, and Used what was called over the last minute.
	Configured, Allowed, Used float64
	// Lag is how long the most overdue server has been due.
	Lag time.Duration
	// Trouble is the last failed call of a poll; nil: none yet.
	Trouble *Trouble
	// Discovery holds why lists of tasks or servers could not be read lately.
	Discovery []error
	// Types sums the subtasks, of every type that is polled.
	Types []TypeStatus
}

// TypeStatus sums the subtasks of one type.
type TypeStatus struct {
	Type string
	// ByStatus counts them by status, in the order of StatusNames.
	ByStatus []int
	// Failing report an error code now; Stalled have not moved for stall_after.
	Failing, Stalled int
}

// StatusNames are the names of statuses, that of undocumented ones last.
func StatusNames() []string {
	names := make([]string, statusNames)
	for i := range names {
		names[i] = statusName(i)
	}
	return names
}

// StatusName gives the name of a status as it is reported.
func StatusName(status float64) string { return statusName(statusPlace(status)) }

// overviews makes Overviews.
type overviews struct {
	mu   sync.Mutex
	last *Overview
}

// Overview gives what is known now, or was a second ago at most.
func (c *Collector) Overview() *Overview {
	c.overviews.mu.Lock()
	defer c.overviews.mu.Unlock()
	now := time.Now()
	if last := c.overviews.last; last != nil && now.Sub(last.At) < overviewAge {
		return last
	}
	o := &Overview{At: now}
	for i, a := range c.running() {
		records := a.records()
		o.Accounts = append(o.Accounts, a.status(now))
		o.records, o.settings, o.codes = append(o.records, records), append(o.settings, a.config.Settings), append(o.codes, a.codes)
		for _, r := range records {
			o.addTroubled(i, r)
		}
	}
	slices.SortStableFunc(o.troubled, func(a, b troubledScan) int { return cmp.Compare(a.since, b.since) })
	c.overviews.last = o
	time.AfterFunc(overviewKept, func() { c.overviews.drop(o) })
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

func (a *account) status(now time.Time) AccountStatus {
	t := a.sum(slices.Values(a.totals.current(now)))
	s := AccountStatus{Summary: a.summaryOf(t), Configured: a.config.RequestsPerSecond, Used: a.quota.used(now)}
	p := a.pace(now)
	s.Allowed, s.Lag = p.allowed, p.lag
	for _, err := range []error{p.found.Tasks.Err, p.found.Servers.Err} {
		if err != nil {
			s.Discovery = append(s.Discovery, err)
		}
	}
	a.mu.Lock()
	s.Trouble = a.trouble
	a.mu.Unlock()
	for i := range t.types {
		of := &t.types[i]
		typ := TypeStatus{Type: of.typ, ByStatus: of.byStatus[:], Stalled: of.stalled}
		for _, c := range t.codes {
			if c.typ == of.typ {
				typ.Failing += c.count
			}
		}
		s.Types = append(s.Types, typ)
	}
	return s
}

// troubledScan is a subtask that fails or hangs.
type troubledScan struct {
	account int
	record  *record
	scan    int
	since   instant
}

// addTroubled finds a server's subtasks that fail or hang. What is too old to
// be published is no news.
func (o *Overview) addTroubled(account int, r *record) {
	s := o.settings[account]
	if r.stale(o.At, s.StaleAfter) {
		return
	}
	for i := range r.subtasks {
		switch st := &r.subtasks[i]; {
		case st.code != "":
			o.troubled = append(o.troubled, troubledScan{account, r, i, st.changed})
		case st.stalled(o.At, s.StallAfter):
			o.troubled = append(o.troubled, troubledScan{account, r, i, st.statusSince})
		}
	}
}

// Filter says what to show of an Overview. Its zero value means everything.
type Filter struct {
	// Account is one account's name; empty: all.
	Account string
	// Search is a part of what is shown of a server or subtask: name, UUID,
	// task ID, error code. Case does not matter.
	Search string
	// State is that of servers: ok, failing or pending; empty: all.
	State string
	// Offset and Limit choose some of what is left.
	Offset, Limit int
}

// window gives those of n things in a row that a filter's Offset and Limit mean.
func (f Filter) window(n int) bool { return n >= f.Offset && n < f.Offset+f.Limit }

// Troubled gives the subtasks that fail or hang, the longest first, and how
// many there are in all. State is not looked at.
func (o *Overview) Troubled(f Filter) (some []Scan, all int) {
	search := strings.ToLower(f.Search)
	for _, t := range o.troubled {
		if f.Account != "" && f.Account != o.Accounts[t.account].Account {
			continue
		}
		s := &t.record.subtasks[t.scan]
		if !t.record.matches(search) && !contains(s.taskID, search) && !contains(s.code, search) {
			continue
		}
		if f.window(all) {
			some = append(some, o.scan(t.account, t.record, s))
		}
		all++
	}
	return some, all
}

// Servers gives the watched servers, in the configuration's order, and how many
// there are in all.
func (o *Overview) Servers(f Filter) (some []Server, all int) {
	search := strings.ToLower(f.Search)
	for i, records := range o.records {
		if f.Account != "" && f.Account != o.Accounts[i].Account {
			continue
		}
		for _, r := range records {
			if f.State != "" && f.State != r.state() || !r.matches(search) {
				continue
			}
			if f.window(all) {
				some = append(some, o.server(i, r))
			}
			all++
		}
	}
	return some, all
}

// matches says whether a lower-case text is a part of what names the server.
func (r *record) matches(search string) bool {
	t := r.server
	return contains(t.Name, search) || contains(t.UUID, search) ||
		t.facts != nil && (contains(t.facts.instanceID, search) || contains(t.facts.ip, search))
}

func contains(text, search string) bool {
	return search == "" || strings.Contains(strings.ToLower(text), search)
}
