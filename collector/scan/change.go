package scan

import (
	"iter"
	"math"
	"slices"
)

// maxChanges is how many of its last changes a server keeps.
const maxChanges = 20

// Change is one change of a subtask to another status or code. There are up to maxChanges for every
// server, so that it has to be small.
type Change struct {
	at      uint32      // seconds since 1970
	status  float32     // NaN: none
	subtask uint16      // the subtask's place in its record
	code    LabelNumber // of the code's label
}

// At returns when the change was seen, to the second.
func (c Change) At() Instant { return Instant(c.at) * 1000 }

// Status returns the new status; NaN: none.
func (c Change) Status() float64 { return float64(c.status) }

// Code returns the number of the new code's label.
func (c Change) Code() LabelNumber { return c.code }

// Subtask returns the subtask of r that changed. c must be one of r's changes.
func (c Change) Subtask(r *Record) *Subtask { return &r.Subtasks[c.subtask] }

// Changed yields the subtasks of r that before has otherwise, with what before has, which is nil
// for new ones.
func (r *Record) Changed(before *Record) iter.Seq2[*Subtask, *Subtask] {
	return func(yield func(*Subtask, *Subtask) bool) {
		if slices.Equal(r.Subtasks, before.Subtasks) {
			return
		}
		index := before.index()
		for i := range r.Subtasks {
			s := &r.Subtasks[i]
			if old := index[s.key()]; !s.reportedAs(old) && !yield(old, s) {
				return
			}
		}
	}
}

// reportedAs reports whether the service reported the same of old, which may be nil.
func (s *Subtask) reportedAs(old *Subtask) bool {
	return old != nil && sameStatus(old.Status, s.Status) && old.Code == s.Code
}

// changesTo returns the last changes of the server, those included that lead to next. before are
// r's subtasks by key. A subtask that next no longer has takes its changes with it.
func (r *Record) changesTo(next *Record, before map[subtaskKey]*Subtask, p *CodePolicy, now Instant) []Change {
	var fresh []Change
	for i := range min(len(next.Subtasks), math.MaxUint16) {
		s := &next.Subtasks[i]
		// What the first answer says is where the history begins.
		if s.reportedAs(before[s.key()]) || r.LastSuccess == 0 {
			continue
		}
		fresh = append(fresh, Change{at: uint32(now / 1000), status: float32(s.Status), subtask: uint16(i), code: p.Codes.Number(s.CodeLabel)})
	}
	changes := r.Changes
	if len(changes) > 0 && !slices.EqualFunc(r.Subtasks, next.Subtasks, func(a, b Subtask) bool { return a.key() == b.key() }) {
		changes = r.rebased(next)
	}
	if len(fresh) == 0 {
		return changes
	}
	all := slices.Concat(changes, fresh)
	return slices.Clip(slices.Clone(all[max(0, len(all)-maxChanges):]))
}

// rebased returns the changes of the subtasks that next still has, with their places in next.
func (r *Record) rebased(next *Record) []Change {
	place := make(map[subtaskKey]int, len(next.Subtasks))
	for i := range next.Subtasks {
		place[next.Subtasks[i].key()] = i
	}
	var kept []Change
	for _, c := range r.Changes {
		if i, still := place[c.Subtask(r).key()]; still && i <= math.MaxUint16 {
			c.subtask = uint16(i)
			kept = append(kept, c)
		}
	}
	return kept
}
