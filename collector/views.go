package collector

import (
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// Time is a time by the system's present clock. In JSON it is in UTC, or null while not known.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().MarshalJSON()
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

// Target is a server that is watched.
type Target struct {
	Account string
	*scan.Target
}

// Scan is a subtask, as pages show it.
type Scan struct {
	Account    string   `json:"account"`
	UUID       string   `json:"uuid"`
	Server     string   `json:"server"`
	TaskID     string   `json:"task_id"`
	Type       string   `json:"type"`
	Status     *float64 `json:"status"` // as reported; nil: none
	StatusName string   `json:"status_name"`
	Code       string   `json:"code"` // the error code as reported; empty: none
	Stalled    bool     `json:"stalled"`
	Superseded bool     `json:"superseded"`  // a newer scan has answered it
	Changed    Time     `json:"last_change"` // first sight of the present status and code
	Moved      Time     `json:"last_move"`   // first sight of the present status
	Part       int      `json:"-"`           // what became of it, see Parts
}

// Since is when what is shown of the subtask began: its code, or else its status.
func (s Scan) Since() Time {
	if s.Code == "" && s.Stalled {
		return s.Moved
	}
	return s.Changed
}

// Server is a watched server, as lists show it. Succeeded, Complete, Failing and Stalled are some
// of its Subtasks; only those of Complete that have no error code have succeeded.
type Server struct {
	Account     string `json:"account"`
	UUID        string `json:"uuid"`
	Name        string `json:"server"`
	State       string `json:"state"`
	Failure     string `json:"failure"` // result of the last poll if that failed
	LastSuccess Time   `json:"last_success"`
	Stale       bool   `json:"stale"` // what is known is too old to be published
	Subtasks    int    `json:"subtasks"`
	Succeeded   int    `json:"succeeded"`
	Complete    int    `json:"complete"`
	Failing     int    `json:"failing"`
	Stalled     int    `json:"stalled"`
}

// Detail is all that is known of one server.
type Detail struct {
	Server
	Target      *scan.Target      `json:"-"`
	InstanceID  string            `json:"instance_id"`
	Region      string            `json:"region"`
	IP          string            `json:"ip"`
	OS          string            `json:"os"`
	AgentOnline *bool             `json:"agent_online"` // nil: not discovered
	Labels      map[string]string `json:"labels"`
	TaskIDs     []string          `json:"task_ids"`
	Types       []string          `json:"types"`
	TotalCount  *int64            `json:"total_count"` // the service's own count of subtasks
	Scans       []Scan            `json:"scans"`
	ServerScans []ServerScan      `json:"server_scans"`
	Changes     []Change          `json:"changes"`    // since the exporter started, the newest first
	LastError   *Problem          `json:"last_error"` // of a call about the server
}

// ServerScan is the scan of a server within a task, as the task's list has it.
type ServerScan struct {
	TaskID     string   `json:"task_id"`
	Status     *float64 `json:"status"`
	StatusName string   `json:"status_name"`
	Since      Time     `json:"since"` // first sight of that status
}

// Change is a subtask's change to another status or code.
type Change struct {
	At         Time     `json:"at"` // to the second
	TaskID     string   `json:"task_id"`
	Type       string   `json:"type"`
	Status     *float64 `json:"status"`
	StatusName string   `json:"status_name"`
	Code       string   `json:"code"` // as a label
}

// Problem is a call that failed.
type Problem struct {
	At         Time   `json:"at"`
	Action     string `json:"action"`
	HTTPStatus int    `json:"http_status"`
	Result     string `json:"result"`
	Meaning    string `json:"meaning"`
	RequestID  string `json:"request_id"`
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

// when converts an instant to a time of the system's clock.
func when(v scan.View, i scan.Instant) time.Time { return min(i, v.Now).Add(v.Step).Time() }

// present converts a time of this process to the system's present clock, whatever that was set to
// then.
func present(at, now time.Time, step time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return now.Add(step - now.Sub(at)).Round(0)
}

// reported returns a number; nil where there is none, or none that JSON has.
func reported(number float64) *float64 {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return nil
	}
	return &number
}

func scanOf(s server, t *scan.Subtask) Scan {
	return Scan{
		Account: s.account.Name, UUID: s.Target.UUID, Server: s.Target.Name, TaskID: t.TaskID, Type: t.Type,
		Status: reported(t.Status), StatusName: scan.StatusName(t.Status), Code: t.Code, Stalled: s.Stalled(t), Superseded: t.Superseded,
		Changed: Time{when(s.View, t.Changed)}, Moved: Time{when(s.View, t.StatusSince)}, Part: partOf(t),
	}
}

func serverOf(s server) Server {
	count := func(fits func(*scan.Subtask) bool) (n int) {
		for i := range s.Subtasks {
			if fits(&s.Subtasks[i]) {
				n++
			}
		}
		return n
	}
	return Server{
		Account: s.account.Name, UUID: s.Target.UUID, Name: s.Target.Name, State: s.State(s.Refused), Failure: s.Failure,
		LastSuccess: Time{when(s.View, s.LastSuccess)}, Stale: s.Stale() && s.LastSuccess != 0, Subtasks: len(s.Subtasks),
		Succeeded: count(func(t *scan.Subtask) bool { return !t.Unfinished() && t.Code == "" }),
		Complete:  count(func(t *scan.Subtask) bool { return !t.Unfinished() }),
		Failing:   count((*scan.Subtask).Failing), Stalled: count(s.Stalled),
	}
}

func detailOf(s server) *Detail {
	asset := s.Target.Asset()
	d := &Detail{
		Server: serverOf(s), Target: s.Target, InstanceID: asset.InstanceID, Region: asset.Region, IP: asset.IP, OS: asset.OS, Labels: s.Target.Labels,
		TaskIDs: s.Target.TaskIDs, Types: s.Target.Types, LastError: problemOf(s.Problem, s.Step),
		Scans: []Scan{}, ServerScans: []ServerScan{}, Changes: []Change{},
	}
	if s.Target.AssetInfo != nil {
		d.AgentOnline = &asset.Online
	}
	if s.Total >= 0 {
		d.TotalCount = &s.Total
	}
	for i := range s.Subtasks {
		d.Scans = append(d.Scans, scanOf(s, &s.Subtasks[i]))
	}
	for _, of := range s.ServerScans {
		name := scan.ServerScanNames()[scan.StatusPlace(of.Status)]
		d.ServerScans = append(d.ServerScans, ServerScan{of.TaskID, reported(of.Status), name, Time{when(s.View, of.Since)}})
	}
	for _, c := range slices.Backward(s.Changes) {
		t, status := c.Subtask(s.Record), float64(c.Status)
		d.Changes = append(d.Changes, Change{
			Time{when(s.View, c.At())}, t.TaskID, t.Type, reported(status), scan.StatusName(status), c.Code(s.Record),
		})
	}
	return d
}

// problemOf returns a failed call, its time converted to the system's present clock.
func problemOf(p *scan.Problem, step time.Duration) *Problem {
	if p == nil {
		return nil
	}
	return &Problem{Time{p.At.Add(step)}, p.Err.Action, p.Err.Status, p.Err.Result, p.Err.Meaning(), p.Err.RequestID}
}
