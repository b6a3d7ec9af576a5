package scan

import (
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// CallResult is what came of one question of a poll.
type CallResult struct {
	Answer  *sas.Answer // nil where the call failed
	Err     *sas.Error
	TaskIDs []string // root tasks that were asked for; needed where any call of the poll failed
}

// CodePolicy says what an account makes of the texts in answers. It is safe for concurrent use.
type CodePolicy struct {
	SuccessCodes []string  // codes that mean "no error", besides the empty one
	Codes, Types *LabelSet // codes and types as labels
	// TaskStart returns when a task began, or 0 where that is not known.
	TaskStart func(taskID string) Instant
	// Bounded is told of a text that is no label, since too many are already.
	Bounded func(sas.Anomaly)
}

// Anomalies of texts beyond a LabelSet's limit.
const (
	CodeLimit = sas.Anomaly("code_limit")
	TypeLimit = sas.Anomaly("type_limit")
)

// errorCode returns a code that means an error, or "".
func (p *CodePolicy) errorCode(code string) string {
	if strings.TrimSpace(code) == "" || slices.Contains(p.SuccessCodes, code) {
		return ""
	}
	return code
}

func (p *CodePolicy) label(set *LabelSet, text string, limit sas.Anomaly) string {
	label := set.Label(text)
	if label != text {
		p.Bounded(limit)
	}
	return label
}

// Finished is a subtask that completed, and how long that took.
type Finished struct {
	TaskID, Type string
	Took         time.Duration
}

// Next returns what is known after a poll, of which there is one result a question, and the
// subtasks that completed. A successful answer replaces all that an earlier one to the same
// question said; a failed one changes no subtask.
func (r *Record) Next(results []CallResult, p *CodePolicy, now Instant) (*Record, []Finished) {
	next := *r
	next.Polled, next.Failure = true, ""
	next.Subtasks, next.Errors = nil, slices.Clone(r.Errors)
	before := r.index()
	at := make(map[subtaskKey]int) // place in next.Subtasks
	for i, result := range results {
		if result.Answer == nil {
			next.fail(result.Err, now)
			next.keep(at, r, results, i)
			continue
		}
		next.Total = result.Answer.TotalCount
		for _, reported := range result.Answer.Subtasks {
			next.report(at, before, reported, i, p, now)
		}
	}
	if next.Failure == "" {
		next.LastSuccess = now
		next.EmptySince = emptySince(r.EmptySince, len(next.Subtasks), now)
		next.Problem = r.Problem.unlessOld(now)
	}
	MarkSuperseded(next.Subtasks)
	next.countErrors(before, now)
	next.Changes = r.changesTo(&next, before, p, now)
	ended := next.ended(before, now)
	// Most polls find nothing new: then nothing is held twice.
	if slices.Equal(next.Subtasks, r.Subtasks) {
		next.Subtasks = r.Subtasks
	}
	if slices.Equal(next.Errors, r.Errors) {
		next.Errors = r.Errors
	}
	return &next, ended
}

// fail takes note of a failed call.
func (r *Record) fail(err *sas.Error, now Instant) {
	r.Failure = err.Result
	r.Problem = &Problem{At: now.Time(), Err: err, UUID: r.Target.UUID, Server: r.Target.Name}
}

// keep keeps the subtasks of before of which failed call i would have told: those of the tasks that
// it asked for and, of tasks with other IDs than were asked for, those that answered the same
// question. Of questions that are no longer asked they stay with any failure.
func (r *Record) keep(at map[subtaskKey]int, before *Record, results []CallResult, i int) {
	for _, s := range before.Subtasks {
		by := slices.IndexFunc(results, func(of CallResult) bool { return slices.Contains(of.TaskIDs, s.TaskID) })
		if by < 0 && (int(s.Question) == i || int(s.Question) >= len(results)) {
			by = i
		}
		if by == i {
			r.put(at, s)
		}
	}
}

// report adds a subtask that an answer reports, with the history that before has of it.
func (r *Record) report(at map[subtaskKey]int, before map[subtaskKey]*Subtask, reported sas.Subtask, question int, p *CodePolicy, now Instant) {
	// The configuration's own strings, where they say the same, let the answer's memory go.
	reported.TaskID = same(reported.TaskID, r.Target.TaskIDs)
	reported.Type = same(p.label(p.Types, reported.Type, TypeLimit), r.Target.Types)
	old := before[subtaskKey{reported.TaskID, reported.Type}]
	if s, says := updated(old, reported, p, now); says {
		s.Question = uint16(question)
		r.put(at, s)
	}
}

// put adds a subtask. Answers to two questions may name the same main task; the later one then
// counts, so that no series comes twice.
func (r *Record) put(at map[subtaskKey]int, s Subtask) {
	if i, twice := at[s.key()]; twice {
		r.Subtasks[i] = s
		return
	}
	at[s.key()] = len(r.Subtasks)
	r.Subtasks = append(r.Subtasks, s)
}

// same returns the equal one of the known texts, if there is one.
func same(text string, known []string) string {
	if i := slices.Index(known, text); i >= 0 {
		return known[i]
	}
	return text
}

// updated returns a reported subtask with its history, which is that of old (nil: none). says is
// false for one that says nothing.
func updated(old *Subtask, reported sas.Subtask, p *CodePolicy, now Instant) (s Subtask, says bool) {
	if old != nil && old.Code == reported.Code {
		reported.Code = old.Code
	}
	s = Subtask{
		TaskID: reported.TaskID, Type: reported.Type, Status: reported.Status,
		Code: p.errorCode(reported.Code), Changed: now, StatusSince: now, Began: now,
	}
	if math.IsNaN(s.Status) && s.Code == "" {
		return s, false
	}
	if s.Code != "" {
		s.CodeLabel = p.label(p.Codes, s.Code, CodeLimit)
	}
	if old != nil {
		s.Began = old.Began
		if sameStatus(old.Status, s.Status) {
			s.StatusSince = old.StatusSince
			if old.Code == s.Code {
				s.Changed = old.Changed
			}
		}
	}
	if start := p.TaskStart(s.TaskID); start != 0 {
		s.Began = start
	}
	switch {
	case s.Unfinished() && old != nil && old.Unfinished():
		s.Started = old.Started
	case s.Unfinished():
		s.Started = now
	}
	return s, true
}

// sameStatus compares statuses; two that were not reported are the same.
func sameStatus(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// MarkSuperseded marks the subtasks of whose type a newer task has a complete one.
func MarkSuperseded(subtasks []Subtask) {
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

// index returns the subtasks by key.
func (r *Record) index() map[subtaskKey]*Subtask {
	index := make(map[subtaskKey]*Subtask, len(r.Subtasks))
	for i := range r.Subtasks {
		index[r.Subtasks[i].key()] = &r.Subtasks[i]
	}
	return index
}

// ended returns the subtasks that completed since before and were seen before that. It looks at
// what is kept: of two answers about one subtask only one is.
func (r *Record) ended(before map[subtaskKey]*Subtask, now Instant) []Finished {
	var ended []Finished
	for i := range r.Subtasks {
		s := &r.Subtasks[i]
		if old := before[s.key()]; !s.Unfinished() && old != nil && old.Unfinished() {
			ended = append(ended, Finished{s.TaskID, s.Type, max(0, old.Started.Until(now))})
		}
	}
	return ended
}

// countErrors counts the error codes that subtasks went into since before.
func (r *Record) countErrors(before map[subtaskKey]*Subtask, now Instant) {
	for i := range r.Subtasks {
		s := &r.Subtasks[i]
		old := before[s.key()]
		if s.Code == "" || old != nil && old.Code == s.Code {
			continue
		}
		at := slices.IndexFunc(r.Errors, func(e ErrorCount) bool { return e.Type == s.Type && e.Code == s.CodeLabel })
		if at < 0 {
			at = len(r.Errors)
			r.Errors = append(r.Errors, ErrorCount{Type: s.Type, Code: s.CodeLabel, Created: now})
		}
		r.Errors[at].Count++
	}
}

func emptySince(before Instant, subtasks int, now Instant) Instant {
	switch {
	case subtasks > 0:
		return 0
	case before == 0:
		return now
	}
	return before
}

// problemAge is how long a server's last failed call is remembered after calls succeed again: after
// an outage there is one for every server.
const problemAge = 24 * time.Hour

func (p *Problem) unlessOld(now Instant) *Problem {
	if p != nil && now.Time().Sub(p.At) > problemAge {
		return nil
	}
	return p
}

// DropTasks takes the subtasks of tasks out that the server is not asked for any more. r must be a
// copy that nobody else has.
func (r *Record) DropTasks(ids []string) {
	dropped := func(s Subtask) bool { return slices.Contains(ids, s.TaskID) }
	if len(ids) == 0 || !slices.ContainsFunc(r.Subtasks, dropped) {
		return
	}
	before := *r
	r.Subtasks = slices.DeleteFunc(slices.Clone(r.Subtasks), dropped)
	MarkSuperseded(r.Subtasks)
	r.Changes = before.rebased(r)
}

// SameKnowledge reports whether two records of one server say the same of its subtasks and errors,
// whenever that was last confirmed.
func (r *Record) SameKnowledge(as *Record) bool {
	return r.Total == as.Total && r.EmptySince == as.EmptySince &&
		slices.Equal(r.Subtasks, as.Subtasks) && slices.Equal(r.Errors, as.Errors)
}
