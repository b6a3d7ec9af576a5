package collector

import (
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// subtask is what is known of one scan of one server for one type.
type subtask struct {
	taskID, typ string
	status      float64   // as reported; NaN: the service reported none
	code        string    // the error code as reported, "" while there is none
	codeLabel   string    // code as a label: bounded in number
	changed     time.Time // first sight of the present status and code
	statusSince time.Time // first sight of the present status
	started     time.Time // first sight of it unfinished; zero if never seen so
	question    int       // which of the server's questions it answers
}

// unfinished says whether the scan still has to end. A status that nobody
// documents is not an end.
func (s *subtask) unfinished() bool { return s.status != sas.StatusComplete }

func (s *subtask) stalled(now time.Time, after time.Duration) bool {
	return s.unfinished() && now.Sub(s.statusSince) >= after
}

// scanKey identifies a subtask among those of its server.
type scanKey struct{ taskID, typ string }

// errorCount is how often subtasks of one type went into one error code.
type errorCount struct {
	typ, code string
	count     float64
	created   time.Time
}

// record is what is known of one server at one moment. It is never changed
// once it can be seen by a scrape: the next answer makes a new one.
type record struct {
	server      config.Server
	tried       bool      // polled at least once, successfully or not
	failure     string    // result of the last poll's failure, "" after a success
	lastSuccess time.Time // zero: never
	emptySince  time.Time // since when answers carry no subtask; zero: the last did
	total       int64     // TotalCount of the last answer, -1: none
	subtasks    []subtask
	errors      []errorCount
}

// outcome is what came of one question of a poll.
type outcome struct {
	answer *sas.Answer // nil where the call failed
	err    *sas.Error
}

// finished is a subtask that ended, and how long that took.
type finished struct {
	taskID, typ string
	took        time.Duration
}

// interpretation holds the settings that say what a code means.
type interpretation struct {
	successCodes []string
	label        func(code string) string
}

// errorCode gives a code that means an error, or "".
func (in interpretation) errorCode(code string) string {
	if strings.TrimSpace(code) == "" || slices.Contains(in.successCodes, code) {
		return ""
	}
	return code
}

// answered gives what is known after a poll, one outcome a question. A
// successful answer replaces all that an earlier one to the same question
// said; a failed one changes no subtask.
func (r *record) answered(outcomes []outcome, in interpretation, now time.Time) (*record, []finished) {
	next := *r
	next.tried, next.failure = true, ""
	next.subtasks, next.errors = nil, slices.Clone(r.errors)
	before := r.index()
	at := make(map[scanKey]int) // index in next.subtasks
	for i, o := range outcomes {
		if o.answer == nil {
			next.failure = o.err.Result
			for _, s := range r.subtasks {
				if s.question == i || s.question >= len(outcomes) {
					next.put(at, s)
				}
			}
			continue
		}
		next.total = o.answer.TotalCount
		for _, reported := range o.answer.Subtasks {
			if s, keep := update(before[scanKey{reported.TaskID, reported.Type}], reported, i, in, now); keep {
				next.put(at, s)
			}
		}
	}
	if next.failure == "" {
		next.lastSuccess = now
		next.emptySince = emptySince(r.emptySince, len(next.subtasks), now)
	}
	next.countErrors(before, now)
	return &next, next.ended(before, now)
}

// ended gives the subtasks that completed since before and were seen before
// that. It looks at what is kept: of two answers about one subtask only one is.
func (r *record) ended(before map[scanKey]*subtask, now time.Time) []finished {
	var ended []finished
	for _, s := range r.subtasks {
		old := before[scanKey{s.taskID, s.typ}]
		if !s.unfinished() && old != nil && old.unfinished() {
			ended = append(ended, finished{s.taskID, s.typ, now.Sub(old.started)})
		}
	}
	return ended
}

// put adds a subtask. Answers to two questions may name the same main task;
// the later one then counts, so that no series comes twice.
func (r *record) put(at map[scanKey]int, s subtask) {
	key := scanKey{s.taskID, s.typ}
	if i, twice := at[key]; twice {
		r.subtasks[i] = s
		return
	}
	at[key] = len(r.subtasks)
	r.subtasks = append(r.subtasks, s)
}

func emptySince(before time.Time, subtasks int, now time.Time) time.Time {
	if subtasks > 0 {
		return time.Time{}
	}
	if before.IsZero() {
		return now
	}
	return before
}

// update gives a reported subtask with its history, which is that of old (nil:
// none). keep is false for one that says nothing.
func update(old *subtask, reported sas.Subtask, question int, in interpretation, now time.Time) (s subtask, keep bool) {
	s = subtask{
		taskID: reported.TaskID, typ: reported.Type, status: reported.Status,
		code: in.errorCode(reported.Code), changed: now, statusSince: now, question: question,
	}
	if math.IsNaN(s.status) && s.code == "" {
		return s, false
	}
	if s.code != "" {
		s.codeLabel = in.label(s.code)
	}
	if old != nil && sameStatus(old.status, s.status) {
		s.statusSince = old.statusSince
		if old.code == s.code {
			s.changed = old.changed
		}
	}
	switch {
	case s.unfinished() && old != nil && old.unfinished():
		s.started = old.started
	case s.unfinished():
		s.started = now
	}
	return s, true
}

func sameStatus(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// index finds subtasks by what identifies them.
func (r *record) index() map[scanKey]*subtask {
	index := make(map[scanKey]*subtask, len(r.subtasks))
	for i := range r.subtasks {
		s := &r.subtasks[i]
		index[scanKey{s.taskID, s.typ}] = s
	}
	return index
}

// countErrors counts the error codes that subtasks went into since before.
func (r *record) countErrors(before map[scanKey]*subtask, now time.Time) {
	at := make(map[[2]string]int, len(r.errors)) // type and code → index
	for i, c := range r.errors {
		at[[2]string{c.typ, c.code}] = i
	}
	for _, s := range r.subtasks {
		if s.code == "" {
			continue
		}
		if old := before[scanKey{s.taskID, s.typ}]; old != nil && old.code == s.code {
			continue
		}
		key := [2]string{s.typ, s.codeLabel}
		i, known := at[key]
		if !known {
			i = len(r.errors)
			at[key] = i
			r.errors = append(r.errors, errorCount{typ: s.typ, code: s.codeLabel, created: now})
		}
		r.errors[i].count++
	}
}

// settled says whether nothing more is to be expected of a server soon: it has
// subtasks and all are complete, or has answered with none for so long that
// none will come.
func (r *record) settled(now time.Time, stallAfter time.Duration) bool {
	if len(r.subtasks) == 0 {
		return !r.emptySince.IsZero() && now.Sub(r.emptySince) >= stallAfter
	}
	return !slices.ContainsFunc(r.subtasks, func(s subtask) bool { return s.unfinished() })
}

// movedAt is when a scan that is not complete was last seen to move; of a
// server without subtasks, since when it has had none.
func (r *record) movedAt() time.Time {
	moved := r.emptySince
	for i := range r.subtasks {
		if s := &r.subtasks[i]; s.unfinished() && s.statusSince.After(moved) {
			moved = s.statusSince
		}
	}
	return moved
}

// stale says whether what is known is too old to be published.
func (r *record) stale(now time.Time, after time.Duration) bool {
	return after > 0 && now.Sub(r.lastSuccess) >= after
}
