package collector

import (
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// Filter selects what to show of an Overview. The zero value selects everything.
type Filter struct {
	// Account is one account's name; empty: all.
	Account string
	// Search is a part of what is shown of a server or subtask: name, UUID, task ID, error code.
	// Case does not matter.
	Search string
	// State is that of servers: ok, failing or pending; empty: all.
	State string
	// Offset and Limit select a page of the result.
	Offset, Limit int
}

// window reports whether entry n, counted from 0, is on the selected page.
func (f Filter) window(n int) bool { return n >= f.Offset && n < f.Offset+f.Limit }

// Target is a server that is watched.
type Target struct {
	Account string
	*scan.Target
}

// Scan is a subtask, as pages show it.
type Scan struct {
	Account, UUID, Server, TaskID, Type string
	Status                              float64 // as reported; NaN: none
	Code                                string  // the error code as reported; empty: none
	// Changed is when the present status and code were first seen, Moved when the present status
	// was; Started is when the subtask was first seen unfinished, zero if it never was.
	Changed, Moved, Started time.Time
	Stalled                 bool
	// Superseded says that a newer scan has answered this one.
	Superseded bool
}

// Server is a watched server, as lists show it.
type Server struct {
	Target
	State string
	// Failure is the result of the last poll if that failed, as aliyun_vulscan_api_requests_total
	// has it.
	Failure     string
	LastSuccess time.Time // zero: never
	// Stale says that what is known is too old to be published.
	Stale bool
	// Subtasks counts them. Succeeded, Complete, Failing and Stalled are some of them; only those
	// of Complete that have no error code have succeeded.
	Subtasks, Succeeded, Complete, Failing, Stalled int
}

// Detail is all that is known of one server.
type Detail struct {
	Server
	// Total is the service's own count of the server's subtasks; -1: unknown.
	Total int64
	Scans []Scan
	// ServerScans are the server's scans as the tasks' lists have them.
	ServerScans []ServerScan
	// Changes are the last ones since the exporter started, the newest first.
	Changes []Change
	// Problem is the last failed call about the server; nil: none lately.
	Problem *scan.Problem
}

// ServerScan is the scan of a server within a task, as the task's list has it.
type ServerScan struct {
	TaskID string
	Status float64   // as reported, see scan.ServerScanNames
	Since  time.Time // first sight of that status
}

// Change is a subtask's change to another status or code.
type Change struct {
	At           time.Time // to the second
	TaskID, Type string
	Status       float64 // NaN: none
	Code         string  // as a label
}

// Targets returns the servers that are watched now.
func (c *Collector) Targets() []Target {
	var list []Target
	for _, a := range c.store.Load().Accounts {
		for _, g := range a.Groups() {
			for _, r := range g.Load().List() {
				list = append(list, Target{a.Name, r.Target})
			}
		}
	}
	return list
}

// Problems returns the subtasks that fail or stall, the longest first, and how many there are in
// all. State is not looked at.
func (o *Overview) Problems(f Filter) (some []Scan, all int) {
	search := strings.ToLower(f.Search)
	for _, p := range o.problems {
		if f.Account != "" && f.Account != o.Accounts[p.account].Name {
			continue
		}
		if !matches(p.view.Target, search) && !contains(p.subtask.TaskID, search) && !contains(p.subtask.Code, search) {
			continue
		}
		if f.window(all) {
			some = append(some, scanOf(o.Accounts[p.account].Name, p.view, p.subtask))
		}
		all++
	}
	return some, all
}

// Servers returns the watched servers, and how many there are in all.
func (o *Overview) Servers(f Filter) (some []Server, all int) {
	search := strings.ToLower(f.Search)
	for i := range o.Accounts {
		a := &o.Accounts[i]
		if f.Account != "" && f.Account != a.Name {
			continue
		}
		for _, v := range a.views {
			if f.State != "" && f.State != v.State(v.Refused) || !matches(v.Target, search) {
				continue
			}
			if f.window(all) {
				some = append(some, serverOf(a, v))
			}
			all++
		}
	}
	return some, all
}

// Server returns one server; the UUID's case does not matter.
func (o *Overview) Server(account, uuid string) (*Detail, bool) {
	for i := range o.Accounts {
		a := &o.Accounts[i]
		if a.Name != account {
			continue
		}
		key := scan.KeyOf(uuid)
		at := slices.IndexFunc(a.views, func(v scan.View) bool { return v.Target.Key() == key })
		if at >= 0 {
			return detailOf(a, a.views[at]), true
		}
	}
	return nil, false
}

// matches reports whether a lower-case text is a part of what names the server.
func matches(t *scan.Target, search string) bool {
	asset := t.Asset()
	return contains(t.Name, search) || contains(t.UUID, search) || contains(asset.InstanceID, search) || contains(asset.IP, search)
}

func contains(text, search string) bool {
	return search == "" || strings.Contains(strings.ToLower(text), search)
}

// when converts an instant to a time of the system's clock.
func when(v scan.View, i scan.Instant) time.Time { return min(i, v.Now).Add(v.Step).Time() }

// stepped returns a problem whose time is one of the system's clock.
func stepped(p *scan.Problem, step time.Duration) *scan.Problem {
	if p == nil || step == 0 {
		return p
	}
	other := *p
	other.At = other.At.Add(step)
	return &other
}

// shown returns an account's overview with all times converted to the system's present clock,
// whatever that clock was set to when the events happened.
func shown(s *scan.AccountStatus, now time.Time, step time.Duration) *scan.AccountStatus {
	other := *s
	other.Problem = stepped(s.Problem, step)
	for _, at := range []*time.Time{&other.Found.Tasks.At, &other.Found.Servers.At} {
		if !at.IsZero() {
			*at = now.Add(step - now.Sub(*at)).Round(0)
		}
	}
	return &other
}

func scanOf(account string, v scan.View, s *scan.Subtask) Scan {
	return Scan{
		Account: account, UUID: v.Target.UUID, Server: v.Target.Name, TaskID: s.TaskID, Type: s.Type,
		Status: s.Status, Code: s.Code, Changed: when(v, s.Changed), Moved: when(v, s.StatusSince), Started: when(v, s.Started),
		Stalled: v.Stalled(s), Superseded: s.Superseded,
	}
}

func serverOf(a *AccountOverview, v scan.View) Server {
	s := Server{
		Target: Target{a.Name, v.Target}, State: v.State(v.Refused), Failure: v.Failure,
		LastSuccess: when(v, v.LastSuccess), Stale: v.Stale() && v.LastSuccess != 0, Subtasks: len(v.Subtasks),
	}
	for i := range v.Subtasks {
		of := &v.Subtasks[i]
		if !of.Unfinished() {
			s.Complete++
		}
		if succeeded(of) {
			s.Succeeded++
		}
		if of.Failing() {
			s.Failing++
		}
		if v.Stalled(of) {
			s.Stalled++
		}
	}
	return s
}

func detailOf(a *AccountOverview, v scan.View) *Detail {
	d := &Detail{Server: serverOf(a, v), Total: v.Total, Problem: stepped(v.Problem, v.Step)}
	for i := range v.Subtasks {
		d.Scans = append(d.Scans, scanOf(a.Name, v, &v.Subtasks[i]))
	}
	for _, s := range v.ServerScans {
		d.ServerScans = append(d.ServerScans, ServerScan{s.TaskID, s.Status, when(v, s.Since)})
	}
	for _, c := range slices.Backward(v.Changes) {
		s := c.Subtask(v.Record)
		d.Changes = append(d.Changes, Change{
			At: when(v, c.At()), TaskID: s.TaskID, Type: s.Type, Status: float64(c.Status), Code: c.Code(v.Record),
		})
	}
	return d
}
