package scan

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// maxChanges is how many of its last changes a server keeps.
	maxChanges = 20
	// problemAge is how long a server's last failed call is remembered after calls succeed again:
	// after an outage there is one for every server.
	problemAge = 24 * time.Hour
)

// CallResult is what came of one question of a poll.
type CallResult struct {
	Answer  *sas.Answer // nil where the call failed
	Err     *sas.Error
	TaskIDs []string // root tasks that were asked for; needed where any call of the poll failed
}

// Finished is a subtask that completed, and how long that took.
type Finished struct {
	TaskID, Type string
	Took         time.Duration
}

// Next returns what is known after a poll, of which there is one result a question. ended are the
// subtasks that completed, failed the types of those that went into an error. A successful answer
// replaces all that an earlier one to the same question said; a failed one changes no subtask.
func (r *Record) Next(results []CallResult, p *CodePolicy, now Instant) (next *Record, ended []Finished, failed []string) {
	next = new(*r)
	next.Polled, next.Failure = true, ""
	before, known := index(r.Subtasks), newSubtaskSet()
	for i, result := range results {
		if result.Answer == nil {
			next.Failure = result.Err.Result
			next.Problem = &Problem{At: now.Time(), Err: result.Err, UUID: r.Target.UUID, Server: r.Target.Name}
			for k := range r.Subtasks {
				if tells(results, i, &r.Subtasks[k]) {
					known.put(r.Subtasks[k])
				}
			}
			continue
		}
		next.Total = result.Answer.TotalCount
		for _, reported := range result.Answer.Subtasks {
			reported.Type = p.label(p.Types, reported.Type, TypeLimit)
			old := before[subtaskKey{reported.TaskID, reported.Type}]
			if s, says := r.updated(old, reported, p, now); says {
				s.Question = uint16(i)
				known.put(s)
			}
		}
	}
	if next.Failure == "" {
		next.LastSuccess, next.EmptySince = now, 0
		if len(known.list) == 0 {
			next.EmptySince = cmp.Or(r.EmptySince, now)
		}
		if r.Problem != nil && now.Time().Sub(r.Problem.At) > problemAge {
			next.Problem = nil
		}
	}
	next.set(known.list)
	ended, failed = next.note(r, now)
	return next, ended, failed
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

// updated returns a reported subtask with its history, which is that of old (nil: none). says is
// false for one that says nothing.
func (r *Record) updated(old *Subtask, reported sas.Subtask, p *CodePolicy, now Instant) (s Subtask, says bool) {
	code := p.errorCode(reported.Code)
	if math.IsNaN(reported.Status) && code == "" {
		return s, false
	}
	if old == nil {
		// The configuration's own strings, where they say the same, let the answer's memory go.
		id, typ := same(reported.TaskID, r.Target.TaskIDs), same(reported.Type, r.Target.Types)
		old = &Subtask{TaskID: id, Type: typ, Status: sas.StatusComplete, Changed: now, StatusSince: now, Began: now}
	}
	s = *old
	if !sameStatus(old.Status, reported.Status) {
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
	return s, true
}

// same returns the equal one of the known texts, if there is one.
func same(text string, known []string) string {
	if i := slices.Index(known, text); i >= 0 {
		return known[i]
	}
	return text
}

// sameStatus compares statuses; two that were not reported are the same.
func sameStatus(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// subtaskSet gathers subtasks. Answers to two questions may name the same main task; the later one
// then counts, so that no series comes twice.
type subtaskSet struct {
	list []Subtask
	at   map[subtaskKey]int // places in list
}

func newSubtaskSet() subtaskSet { return subtaskSet{at: make(map[subtaskKey]int)} }

func (l *subtaskSet) put(s Subtask) {
	if i, twice := l.at[s.key()]; twice {
		l.list[i] = s
		return
	}
	l.at[s.key()] = len(l.list)
	l.list = append(l.list, s)
}

// set makes these the record's subtasks. One that is not among them takes its changes with it.
func (r *Record) set(subtasks []Subtask) {
	markSuperseded(subtasks)
	if slices.Equal(subtasks, r.Subtasks) {
		return // most polls find nothing new: then nothing is held twice
	}
	var changes []Change
	for _, c := range r.Changes {
		key := r.Subtasks[c.subtask].key()
		if i := slices.IndexFunc(subtasks, func(s Subtask) bool { return s.key() == key }); i >= 0 {
			c.subtask = uint32(i)
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

// note counts the errors that subtasks went into since before, and adds what has changed to the
// server's changes. It returns what Next does.
func (r *Record) note(before *Record, now Instant) (ended []Finished, failed []string) {
	var fresh []Change
	for i, old := range r.Changed(before) {
		s := &r.Subtasks[i]
		if old != nil && old.Unfinished() && !s.Unfinished() {
			ended = append(ended, Finished{s.TaskID, s.Type, max(0, old.Started.Until(now))})
		}
		c := Change{at: uint32(now / 1000), Status: float32(s.Status), subtask: uint32(i)}
		if s.Code != "" {
			e := ErrorCount{Type: s.Type, Code: s.CodeLabel, Created: now}
			if old == nil || old.Code != s.Code {
				e.Count = 1
				failed = append(failed, s.Type)
			}
			c.code = uint16(r.count(e))
		}
		fresh = append(fresh, c)
	}
	// What the first answer says is where the history begins.
	if len(fresh) > 0 && before.LastSuccess != 0 {
		all := slices.Concat(r.Changes, fresh)
		r.Changes = slices.Clone(all[max(0, len(all)-maxChanges):])
	}
	return ended, failed
}

// count adds to the record's errors, and returns the place of the sum among them, from 1.
func (r *Record) count(e ErrorCount) int {
	at := slices.IndexFunc(r.Errors, func(of ErrorCount) bool { return of.Type == e.Type && of.Code == e.Code })
	r.Errors = slices.Clone(r.Errors) // other records have them too
	if at < 0 {
		r.Errors = append(r.Errors, e)
		return len(r.Errors)
	}
	of := &r.Errors[at]
	of.Count, of.Created = of.Count+e.Count, min(of.Created, e.Created)
	return at + 1
}

// index returns the subtasks by key.
func index(subtasks []Subtask) map[subtaskKey]*Subtask {
	index := make(map[subtaskKey]*Subtask, len(subtasks))
	for i := range subtasks {
		index[subtasks[i].key()] = &subtasks[i]
	}
	return index
}

// Changed yields the places of the subtasks of r that before has with another status or code, or
// not at all, and what before has: nil for new ones.
func (r *Record) Changed(before *Record) iter.Seq2[int, *Subtask] {
	return func(yield func(int, *Subtask) bool) {
		if slices.Equal(r.Subtasks, before.Subtasks) {
			return
		}
		known := index(before.Subtasks)
		for i := range r.Subtasks {
			s := &r.Subtasks[i]
			old := known[s.key()]
			if (old == nil || !sameStatus(old.Status, s.Status) || old.Code != s.Code) && !yield(i, old) {
				return
			}
		}
	}
}

// DropTasks takes the subtasks of tasks out that the server is not asked for any more. r must be a
// copy that nobody else has.
func (r *Record) DropTasks(ids []string) {
	r.set(slices.DeleteFunc(slices.Clone(r.Subtasks), func(s Subtask) bool { return slices.Contains(ids, s.TaskID) }))
}

// SameKnowledge reports whether two records of one server say the same of its subtasks and errors,
// whenever that was last confirmed.
func (r *Record) SameKnowledge(as *Record) bool {
	return r.Total == as.Total && r.EmptySince == as.EmptySince &&
		slices.Equal(r.Subtasks, as.Subtasks) && slices.Equal(r.Errors, as.Errors)
}
