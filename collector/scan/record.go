package scan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// Record is what is known of one server at one moment. It is never changed once the Store has it:
// the next answer makes a new one.
type Record struct {
	Target      *Target
	Polled      bool    // at least once by this process, successfully or not
	Failure     string  // result of the last poll's failure, "" after a success
	LastSuccess Instant // 0: never
	Due         Instant // when the next poll should start; 0: not known yet
	Confirmed   Instant // until when complete lists said that there is nothing new; 0: none says so
	EmptySince  Instant // since when answers carry no subtask; 0: the last one did
	Total       int64   // TotalCount of the last answer, -1: none
	Subtasks    []Subtask
	ServerScans []ServerScan
	Errors      []ErrorCount
	Changes     []Change // the last ones, oldest first
	Problem     *Problem // the last failed call, nil: none lately
}

// Subtask is what is known of one scan of one server for one type.
type Subtask struct {
	TaskID, Type string
	Status       float64 // as reported; NaN: the service reported none
	Code         string  // the error code as reported, "" while there is none
	CodeLabel    string  // the code as a label: bounded in number
	Changed      Instant // first sight of the present status and code
	StatusSince  Instant // first sight of the present status
	Started      Instant // first sight of it unfinished; 0 if never seen so
	Began        Instant // start of its task, or first sight of the subtask where that is not known
	Question     uint16  // which of the server's questions it answers
	Superseded   bool    // a newer task has a complete subtask of this type
}

// ServerScan is the scan of the server within a task, as the task's own list has it.
type ServerScan struct {
	TaskID string  // the root task's
	LeafID string  // the ID of this server's part of it; empty: not known
	Status float64 // 0 not started, 1 started, 2 completed, 3 failed, 4 timed out; others as reported; NaN: none
	Since  Instant // first sight of that status
}

// Ended reports whether the scan goes on no more, well or badly.
func (s ServerScan) Ended() bool {
	return s.Status == sas.ScanCompleted || s.Status == sas.ScanFailed || s.Status == sas.ScanTimedOut
}

// ErrorCount is how often subtasks of one type went into one error code.
type ErrorCount struct {
	Type, Code string // Code as a label
	Count      float64
	Created    Instant
}

// Change is one change of a subtask to another status or code. There are up to maxChanges for every
// server, so that it has to be small.
type Change struct {
	at      uint32 // seconds since 1970
	Status  float32
	subtask uint16 // place in the record's Subtasks
	code    uint16 // place in the record's Errors, from 1; 0: none
}

// At returns when the change was seen, to the second.
func (c Change) At() Instant { return Instant(c.at) * 1000 }

// Subtask returns the subtask of r that changed. c must be one of r's changes.
func (c Change) Subtask(r *Record) *Subtask { return &r.Subtasks[c.subtask] }

// Code returns the new code as a label.
func (c Change) Code(r *Record) string {
	if c.code == 0 {
		return ""
	}
	return r.Errors[c.code-1].Code
}

// Problem is a call that failed.
type Problem struct {
	At           time.Time
	Err          *sas.Error // names the operation, the account and the server, never a secret
	UUID, Server string     // of the server that was asked about
}

// Target is a server that is polled: configured, discovered or both. It is never changed.
type Target struct {
	config.Server                   // its TaskIDs are all that it is asked for, discovered ones too
	AssetInfo     *discovery.Server // what discovery knows of it; nil if it was not discovered
}

// Key is what tells servers apart.
func (t *Target) Key() string { return KeyOf(t.UUID) }

// KeyOf returns what tells a server apart that has this UUID, however it is spelt.
func KeyOf(uuid string) string { return config.ServerKey(uuid) }

// Same reports whether two targets are polled and shown alike.
func (t *Target) Same(as *Target) bool {
	asset, other := t.Asset(), as.Asset()
	return t.UUID == as.UUID && t.Name == as.Name && slices.Equal(t.TaskIDs, as.TaskIDs) &&
		slices.Equal(t.Types, as.Types) && maps.Equal(t.Labels, as.Labels) &&
		(t.AssetInfo == nil) == (as.AssetInfo == nil) && asset.Same(&other)
}

// Asset returns what discovery knows of the server, all empty if that is nothing.
func (t *Target) Asset() discovery.Server {
	if t.AssetInfo == nil {
		return discovery.Server{}
	}
	return *t.AssetInfo
}

// subtaskKey identifies a subtask among those of its server.
type subtaskKey struct{ taskID, typ string }

func (s *Subtask) key() subtaskKey { return subtaskKey{s.TaskID, s.Type} }

// Unfinished reports whether the scan still has to end. An undocumented status is no end.
func (s *Subtask) Unfinished() bool { return s.Status != sas.StatusComplete }

// Failing reports whether the subtask has an error code that still matters.
func (s *Subtask) Failing() bool { return s.Code != "" && !s.Superseded }

// States of servers, as aliyun_vulscan_servers has them.
const (
	StateOK      = "ok"
	StateFailing = "failing"
	StatePending = "pending"
)

// State tells how the last poll of the server went. While its account is refused every server
// counts as failing.
func (r *Record) State(refused bool) string {
	switch {
	case refused || r.Failure != "":
		return StateFailing
	case !r.Polled:
		return StatePending
	}
	return StateOK
}

// Settled reports whether nothing more is to be expected of the server soon: it has subtasks and
// all are complete, or has answered with none for so long that none will come.
func (r *Record) Settled(now Instant, stallAfter time.Duration) bool {
	if len(r.Subtasks) == 0 {
		return r.EmptySince != 0 && r.EmptySince.Until(now) >= stallAfter
	}
	return !slices.ContainsFunc(r.Subtasks, func(s Subtask) bool { return s.Unfinished() })
}

// Troubled reports whether any subtask is unfinished or failing.
func (r *Record) Troubled() bool {
	return slices.ContainsFunc(r.Subtasks, func(s Subtask) bool { return s.Unfinished() || s.Failing() })
}

// MovedAt returns when a subtask that is not complete was last seen to move; of a server without
// subtasks, since when it has had none.
func (r *Record) MovedAt() Instant {
	moved := r.EmptySince
	for i := range r.Subtasks {
		if s := &r.Subtasks[i]; s.Unfinished() {
			moved = max(moved, s.StatusSince)
		}
	}
	return moved
}

// seen is the last moment at which the record was known to be right.
func (r *Record) seen() Instant { return max(r.LastSuccess, r.Confirmed) }

// Restored returns the record of a server of which r is what an earlier process kept. It counts as
// not polled yet, and its values are published as if it had been. If the clock was set back since,
// nothing of it lies in the future.
func (r *Record) Restored(t *Target, p *CodePolicy, now Instant) *Record {
	ahead := max(0, now.Until(r.LastSuccess))
	at := func(i Instant) Instant { return min(now, i.Add(-ahead)) }
	restored := &Record{Target: t, LastSuccess: at(r.LastSuccess), EmptySince: at(r.EmptySince), Total: r.Total}
	known := make(map[subtaskKey]*Subtask)
	for _, s := range r.Subtasks { // the types of some may share a label by now
		s.Type, s.CodeLabel = p.Types.Label(s.Type), p.Codes.Label(s.Code)
		s.Changed, s.StatusSince, s.Started, s.Began = at(s.Changed), at(s.StatusSince), at(s.Started), at(s.Began)
		s.Began = cmp.Or(s.Began, s.Changed) // an older version did not keep it
		known[s.key()] = &s
	}
	restored.set(known)
	for _, e := range r.Errors {
		restored.count(ErrorCount{Type: p.Types.Label(e.Type), Code: p.Codes.Label(e.Code), Count: e.Count, Created: at(e.Created)})
	}
	return restored
}

// View is a Record as of one moment under its account's settings. Time alone changes what it says:
// values become stale, subtasks count as stalled.
type View struct {
	*Record
	Settings *config.Settings
	Refused  bool // the account's calls are refused
	Now      Instant
	Step     time.Duration // of the system's clock, see Clock.Step
}

// Unix returns a moment by the system's clock, in seconds since 1970. It is never in the future.
func (v View) Unix(i Instant) float64 { return float64(min(i, v.Now).Add(v.Step)) / 1000 }

// Stalled reports whether an unfinished subtask has kept its status for stall_after, and no newer
// scan has answered it. While the exporter cannot see the server's scans, as before its first poll
// too, a subtask counts as stalled no more and no less than when it was last seen.
func (v View) Stalled(s *Subtask) bool {
	asOf := v.Now
	if v.Refused || v.Failure != "" || !v.Polled || v.Due != 0 && v.Due.Until(v.Now) > v.Settings.StallAfter {
		asOf = v.LastSuccess
	}
	return s.Unfinished() && !s.Superseded && s.StatusSince.Until(asOf) >= v.Settings.StallAfter
}

// Stale reports whether what is known is too old to be published.
func (v View) Stale() bool {
	return v.Settings.StaleAfter > 0 && v.seen().Until(v.Now) >= v.Settings.StaleAfter
}

// ChangesAt returns when the view says something else although no poll ends; 0: never.
func (v View) ChangesAt() Instant {
	var first Instant
	soonest := func(t Instant) {
		if t > v.Now && (first == 0 || t < first) {
			first = t
		}
	}
	if v.Settings.StaleAfter > 0 {
		soonest(v.seen().Add(v.Settings.StaleAfter))
	}
	for i := range v.Subtasks {
		if s := &v.Subtasks[i]; s.Unfinished() && !s.Superseded {
			soonest(s.StatusSince.Add(v.Settings.StallAfter))
			soonest(v.Due.Add(v.Settings.StallAfter) + 1)
		}
	}
	return first
}
