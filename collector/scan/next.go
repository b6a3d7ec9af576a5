package scan

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	maxChanges = 20 // of a server are kept
	// problemAge is how long a failed call is remembered after calls succeed again: after an outage
	// there is one for every server.
	problemAge = 24 * time.Hour
)

// CallResult is what came of one question of a poll.
type CallResult struct {
	Answer  *sas.Answer // nil where the call failed
	Err     *sas.Error
	TaskIDs []string // root tasks that were asked for; needed where any call of the poll failed
}

// Transition is a subtask that a poll found new, or with another status or code.
type Transition struct {
	*Subtask          // as it is now
	Before   *Subtask // nil: it is new
}

// Failed reports whether the subtask went into an error.
func (t Transition) Failed() bool {
	return t.Code != "" && (t.Before == nil || t.Before.Code != t.Code)
}

// Completed reports whether the subtask completed, and how long it took since it was first seen
// unfinished.
func (t Transition) Completed() (took time.Duration, completed bool) {
	if t.Before == nil || !t.Before.Unfinished() || t.Unfinished() {
		return 0, false
	}
	return max(0, t.Before.Started.Until(t.StatusSince)), true
}

// Next returns what is known after a poll, of which there is one result a question, and what that
// changed. A successful answer replaces all that an earlier one to the same question said; a failed
// one changes no subtask. Where answers to two questions name the same main task, the later counts.
func (r *Record) Next(results []CallResult, p *CodePolicy, now Instant) (*Record, []Transition) {
	next := *r
	next.Polled, next.Failure = true, ""
	before, known := index(r.Subtasks), make(map[subtaskKey]*Subtask)
	for i, result := range results {
		if result.Answer == nil {
			next.Failure = result.Err.Result
			next.Problem = &Problem{At: now.Time(), Err: result.Err, UUID: r.Target.UUID, Server: r.Target.Name}
			for key, s := range before {
				if tells(results, i, s) {
					known[key] = s
				}
			}
			continue
		}
		next.Total = result.Answer.TotalCount
		for _, reported := range result.Answer.Subtasks {
			reported.Type = p.label(p.Types, reported.Type, TypeLimit)
			key := subtaskKey{reported.TaskID, reported.Type}
			if s := r.updated(before[key], reported, p, now); s != nil {
				s.Question = uint16(i)
				known[key] = s
			}
		}
	}
	if next.Failure == "" {
		next.LastSuccess, next.EmptySince = now, 0
		if len(known) == 0 {
			next.EmptySince = cmp.Or(r.EmptySince, now)
		}
		if r.Problem != nil && now.Time().Sub(r.Problem.At) > problemAge {
			next.Problem = nil
		}
	}
	next.set(known)
	return &next, next.note(r, before, now)
}

// tells reports whether call i was to tell of s: it asked for its task or, if s is of a task with
// another ID than was asked for, s has answered the same question. Of a subtask whose question is no
// longer asked any call was to tell.
func tells(results []CallResult, i int, s *Subtask) bool {
	by := slices.IndexFunc(results, func(of CallResult) bool { return slices.Contains(of.TaskIDs, s.TaskID) })
	if by < 0 && int(s.Question) < len(results) {
		by = int(s.Question)
	}
	return by == i || by < 0
}

// updated returns a reported subtask with its history, which is that of old (nil: none); nil for
// one that says nothing.
func (r *Record) updated(old *Subtask, reported sas.Subtask, p *CodePolicy, now Instant) *Subtask {
	code := reported.Code
	if strings.TrimSpace(code) == "" || slices.Contains(p.SuccessCodes, code) {
		code = ""
	}
	if math.IsNaN(reported.Status) && code == "" {
		return nil
	}
	if old == nil {
		// The configuration's own strings, where they say the same, let the answer's memory go.
		id, typ := same(reported.TaskID, r.Target.TaskIDs), same(reported.Type, r.Target.Types)
		old = &Subtask{TaskID: id, Type: typ, Status: sas.StatusComplete, Changed: now, StatusSince: now, Began: now}
	}
	s := *old
	if !SameStatus(old.Status, reported.Status) {
		s.Status, s.StatusSince, s.Changed = reported.Status, now, now
	}
	if old.Code != code {
		s.Code, s.Changed = code, now
	}
	s.CodeLabel = p.label(p.Codes, s.Code, CodeLimit)
	switch {
	case !s.Unfinished():
		s.Started = 0
	case !old.Unfinished():
		s.Started = now
	}
	s.Began = cmp.Or(p.TaskStart(s.TaskID), s.Began)
	return &s
}

// same returns the equal one of the known texts, if there is one.
func same(text string, known []string) string {
	if i := slices.Index(known, text); i >= 0 {
		return known[i]
	}
	return text
}

// SameStatus compares statuses; two that were not reported are the same.
func SameStatus(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// index returns subtasks by key.
func index(subtasks []Subtask) map[subtaskKey]*Subtask {
	index := make(map[subtaskKey]*Subtask, len(subtasks))
	for i := range subtasks {
		index[subtasks[i].key()] = &subtasks[i]
	}
	return index
}

// set makes these the record's subtasks. One that is not among them takes its changes with it.
func (r *Record) set(known map[subtaskKey]*Subtask) {
	subtasks := make([]Subtask, 0, len(known))
	for _, s := range known {
		subtasks = append(subtasks, *s)
	}
	slices.SortFunc(subtasks, func(a, b Subtask) int {
		return cmp.Or(strings.Compare(a.TaskID, b.TaskID), strings.Compare(a.Type, b.Type))
	})
	markSuperseded(subtasks)
	if slices.Equal(subtasks, r.Subtasks) {
		return // most polls find nothing new: then nothing is held twice
	}
	var changes []Change
	for _, c := range r.Changes {
		key := r.Subtasks[c.subtask].key()
		if i := slices.IndexFunc(subtasks, func(s Subtask) bool { return s.key() == key }); i >= 0 && i <= math.MaxUint16 {
			c.subtask = uint16(i)
			changes = append(changes, c)
		}
	}
	r.Subtasks, r.Changes = subtasks, changes
}

// markSuperseded marks the subtasks of whose type a newer task has a complete one.
func markSuperseded(subtasks []Subtask) {
	newest := make(map[string]Instant) // the latest beginning of a complete one, by type
	for i := range subtasks {
		if s := &subtasks[i]; !s.Unfinished() {
			newest[s.Type] = max(newest[s.Type], s.Began)
		}
	}
	for i := range subtasks {
		subtasks[i].Superseded = newest[subtasks[i].Type] > subtasks[i].Began
	}
}

// note returns what a poll changed of a record with these subtasks, adds that to the server's
// changes, and counts the errors that subtasks went into.
func (r *Record) note(before *Record, known map[subtaskKey]*Subtask, now Instant) (transitions []Transition) {
	var fresh []Change
	for i := range r.Subtasks {
		s := Transition{&r.Subtasks[i], known[r.Subtasks[i].key()]}
		if old := s.Before; old != nil && SameStatus(old.Status, s.Status) && old.Code == s.Code {
			continue
		}
		if len(transitions) == 0 {
			r.Errors = slices.Clone(r.Errors) // before has them too
		}
		c := Change{at: uint32(now / 1000), Status: float32(s.Status), subtask: uint16(i)}
		if s.Code != "" {
			e := ErrorCount{Type: s.Type, Code: s.CodeLabel, Created: now}
			if s.Failed() {
				e.Count = 1
			}
			c.code = uint16(r.count(e))
		}
		transitions = append(transitions, s)
		if i <= math.MaxUint16 {
			fresh = append(fresh, c)
		}
	}
	// What the first answer says is where the history begins.
	if len(fresh) > 0 && before.LastSuccess != 0 {
		all := slices.Concat(r.Changes, fresh)
		r.Changes = slices.Clone(all[max(0, len(all)-maxChanges):])
	}
	return transitions
}

// count adds to the record's errors, which no other record may have, and returns the place of the
// sum among them, from 1.
func (r *Record) count(e ErrorCount) int {
	at := slices.IndexFunc(r.Errors, func(of ErrorCount) bool { return of.Type == e.Type && of.Code == e.Code })
	if at < 0 {
		r.Errors = append(r.Errors, e)
		return len(r.Errors)
	}
	of := &r.Errors[at]
	of.Count, of.Created = of.Count+e.Count, min(of.Created, e.Created)
	return at + 1
}

// DropTasks takes the subtasks of tasks out that the server is not asked for any more. r must be a
// copy that nobody else has.
func (r *Record) DropTasks(ids []string) {
	if len(ids) == 0 {
		return // as for all servers of a fleet at once, when a task joins
	}
	known := index(r.Subtasks)
	maps.DeleteFunc(known, func(key subtaskKey, _ *Subtask) bool { return slices.Contains(ids, key.taskID) })
	r.set(known)
}

// SameKnowledge reports whether two records of one server say the same of its subtasks and errors,
// whenever that was last confirmed.
func (r *Record) SameKnowledge(as *Record) bool {
	return r.Total == as.Total && r.EmptySince == as.EmptySince &&
		slices.Equal(r.Subtasks, as.Subtasks) && slices.Equal(r.Errors, as.Errors)
}
