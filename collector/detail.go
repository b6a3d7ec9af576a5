package collector

import (
	"slices"
	"strings"
	"time"
)

// States of servers, as aliyun_vulscan_servers has them.
const (
	StateOK      = "ok"
	StateFailing = "failing"
	StatePending = "pending"
)

// state tells how the last poll of a server went.
func (r *record) state() string {
	switch {
	case !r.tried:
		return StatePending
	case r.failure != "":
		return StateFailing
	}
	return StateOK
}

// Scan is a subtask, as pages show it.
type Scan struct {
	Account, UUID, Server, TaskID, Type string
	Status                              float64 // as reported; NaN: none
	Code                                string  // the error code as reported; empty: none
	// Changed is when the present status and code were first seen, Moved when
	// the present status was; Started is when the subtask was first seen
	// unfinished, zero if it never was.
	Changed, Moved, Started time.Time
	Stalled                 bool
}

// Server is a watched server, as lists show it.
type Server struct {
	Watched
	State string
	// Failure is the result of the last poll if that failed, as
	// aliyun_vulscan_api_requests_total has it.
	Failure     string
	LastSuccess time.Time // zero: never
	// Stale says that what is known is too old to be published.
	Stale bool
	// Subtasks counts them; Complete, Failing and Stalled are some of them.
	Subtasks, Complete, Failing, Stalled int
}

// Detail is all that is known of one server.
type Detail struct {
	Server
	TaskIDs []string // that it is asked for
	Types   []string
	// Total is the service's own count of the server's subtasks; -1: unknown.
	Total int64
	Scans []Scan
	// Changes are the last ones since the exporter started, the newest first.
	Changes []Change
	// Trouble is the last failed call about the server; nil: none lately.
	Trouble *Trouble
}

// Change is a subtask's step to another status or code.
type Change struct {
	At           time.Time // to the second
	TaskID, Type string
	Status       float64 // NaN: none
	Code         string  // as a label
}

// Server gives one server; the UUID's case does not matter.
func (o *Overview) Server(account, uuid string) (*Detail, bool) {
	for i := range o.Accounts {
		if o.Accounts[i].Account != account {
			continue
		}
		at := slices.IndexFunc(o.records[i], func(r *record) bool { return strings.EqualFold(r.server.UUID, uuid) })
		if at >= 0 {
			return o.detail(i, o.records[i][at]), true
		}
	}
	return nil, false
}

func (o *Overview) scan(account int, r *record, s *subtask) Scan {
	return Scan{
		Account: o.Accounts[account].Account, UUID: r.server.UUID, Server: r.server.Name, TaskID: s.taskID, Type: s.typ,
		Status: s.status, Code: s.code, Changed: s.changed.time(), Moved: s.statusSince.time(), Started: s.started.time(),
		Stalled: s.stalled(o.At, o.settings[account].StallAfter),
	}
}

func (o *Overview) server(account int, r *record) Server {
	s := Server{
		Watched: r.server.watched(o.Accounts[account].Account), State: r.state(), Failure: r.failure,
		LastSuccess: r.lastSuccess, Stale: r.stale(o.At, o.settings[account].StaleAfter) && !r.lastSuccess.IsZero(),
		Subtasks: len(r.subtasks),
	}
	for i := range r.subtasks {
		st := &r.subtasks[i]
		if !st.unfinished() {
			s.Complete++
		}
		if st.code != "" {
			s.Failing++
		}
		if st.stalled(o.At, o.settings[account].StallAfter) {
			s.Stalled++
		}
	}
	return s
}

func (o *Overview) detail(account int, r *record) *Detail {
	d := &Detail{
		Server: o.server(account, r), TaskIDs: r.server.TaskIDs, Types: r.server.Types, Total: r.total, Trouble: r.trouble,
	}
	for i := range r.subtasks {
		d.Scans = append(d.Scans, o.scan(account, r, &r.subtasks[i]))
	}
	for _, c := range slices.Backward(r.changes) {
		s := &r.subtasks[c.scan]
		d.Changes = append(d.Changes, Change{
			At: time.Unix(int64(c.at), 0), TaskID: s.taskID, Type: s.typ, Status: float64(c.status), Code: o.codes[account].text(c.code),
		})
	}
	return d
}
