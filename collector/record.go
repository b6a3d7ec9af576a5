package collector

import (
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// instant is a moment as it is published and kept over restarts, in
// milliseconds since 1970, 0 being none. There are three in every subtask, and
// each is a third of a time.Time.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.UnixMilli())
}

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i))
}

// seconds gives an instant as Prometheus has it.
func (i instant) seconds() float64 { return float64(i) / 1000 }

// subtask is what is known of one scan of one server for one type.
type subtask struct {
	taskID, typ string
	status      float64 // as reported; NaN: the service reported none
	code        string  // the error code as reported, "" while there is none
	codeLabel   string  // code as a label: bounded in number
	changed     instant // first sight of the present status and code
	statusSince instant // first sight of the present status
	started     instant // first sight of it unfinished; 0 if never seen so
	question    int     // which of the server's questions it answers
}

// unfinished says whether the scan still has to end. A status that nobody
// documents is not an end.
func (s *subtask) unfinished() bool { return s.status != sas.StatusComplete }

func (s *subtask) stalled(now time.Time, after time.Duration) bool {
	return s.unfinished() && now.Sub(s.statusSince.time()) >= after
}

// scanKey identifies a subtask among those of its server.
type scanKey struct{ taskID, typ string }

// errorCount is how often subtasks of one type went into one error code.
type errorCount struct {
	typ, code string
	count     float64
	created   instant
}

// record is what is known of one server at one moment. It is never changed
// once it can be seen by a scrape: the next answer makes a new one.
type record struct {
	server      *target
	tried       bool      // polled at least once, successfully or not
	failure     string    // result of the last poll's failure, "" after a success
	lastSuccess time.Time // zero: never
	emptySince  instant   // since when answers carry no subtask; 0: the last did
	total       int64     // TotalCount of the last answer, -1: none
	subtasks    []subtask
	errors      []errorCount
	changes     []step   // the last ones, oldest first
	trouble     *Trouble // the last failed call, nil: none lately
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
	number       func(label string) codeNumber
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
			next.failure, next.trouble = o.err.Result, newTrouble(o.err, r.server, now)
			for _, s := range r.subtasks {
				if s.question == i || s.question >= len(outcomes) {
					next.put(at, s)
				}
			}
			continue
		}
		next.total = o.answer.TotalCount
		for _, reported := range o.answer.Subtasks {
			// The configuration's own strings, where they say the same, let the
			// answer's memory go.
			reported.TaskID = same(reported.TaskID, r.server.TaskIDs)
			reported.Type = same(reported.Type, r.server.Types)
			if s, keep := update(before[scanKey{reported.TaskID, reported.Type}], reported, i, in, now); keep {
				next.put(at, s)
			}
		}
	}
	if next.failure == "" {
		next.lastSuccess = now
		next.emptySince = emptySince(r.emptySince, len(next.subtasks), now)
		next.trouble = r.trouble.unlessOld(now)
	}
	next.countErrors(before, now)
	next.changes = r.changesTo(&next, before, in, now)
	ended := next.ended(before, now)
	// Most polls find nothing new: then nothing is held twice.
	if slices.Equal(next.subtasks, r.subtasks) {
		next.subtasks = r.subtasks
	}
	if slices.Equal(next.errors, r.errors) {
		next.errors = r.errors
	}
	return &next, ended
}

// same gives the equal one of the known texts, if there is one.
func same(text string, known []string) string {
	if i := slices.Index(known, text); i >= 0 {
		return known[i]
	}
	return text
}

// ended gives the subtasks that completed since before and were seen before
// that. It looks at what is kept: of two answers about one subtask only one is.
func (r *record) ended(before map[scanKey]*subtask, now time.Time) []finished {
	var ended []finished
	for _, s := range r.subtasks {
		old := before[scanKey{s.taskID, s.typ}]
		if !s.unfinished() && old != nil && old.unfinished() {
			ended = append(ended, finished{s.taskID, s.typ, max(0, now.Sub(old.started.time()))})
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

func emptySince(before instant, subtasks int, now time.Time) instant {
	switch {
	case subtasks > 0:
		return 0
	case before == 0:
		return instantOf(now)
	}
	return before
}

// update gives a reported subtask with its history, which is that of old (nil:
// none). keep is false for one that says nothing.
func update(old *subtask, reported sas.Subtask, question int, in interpretation, now time.Time) (s subtask, keep bool) {
	if old != nil && old.code == reported.Code {
		reported.Code = old.code
	}
	s = subtask{
		taskID: reported.TaskID, typ: reported.Type, status: reported.Status,
		code: in.errorCode(reported.Code), changed: instantOf(now), statusSince: instantOf(now), question: question,
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
		s.started = instantOf(now)
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
			r.errors = append(r.errors, errorCount{typ: s.typ, code: s.codeLabel, created: instantOf(now)})
		}
		r.errors[i].count++
	}
}

// settled says whether nothing more is to be expected of a server soon: it has
// subtasks and all are complete, or has answered with none for so long that
// none will come.
func (r *record) settled(now time.Time, stallAfter time.Duration) bool {
	if len(r.subtasks) == 0 {
		return r.emptySince != 0 && now.Sub(r.emptySince.time()) >= stallAfter
	}
	return !slices.ContainsFunc(r.subtasks, func(s subtask) bool { return s.unfinished() })
}

// movedAt is when a scan that is not complete was last seen to move; of a
// server without subtasks, since when it has had none.
func (r *record) movedAt() time.Time {
	moved := r.emptySince
	for i := range r.subtasks {
		if s := &r.subtasks[i]; s.unfinished() {
			moved = max(moved, s.statusSince)
		}
	}
	return moved.time()
}

// stale says whether what is known is too old to be published.
func (r *record) stale(now time.Time, after time.Duration) bool {
	return after > 0 && now.Sub(r.lastSuccess) >= after
}
