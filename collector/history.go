package collector

import (
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// maxChanges is how many of its last changes are kept of a server.
const maxChanges = 20

// step is one change of a subtask to another status or code. There are up to
// maxChanges for every server, so that it has to be small.
type step struct {
	at     uint32     // seconds since 1970
	status float32    // NaN: none
	scan   uint16     // the subtask's place in its record
	code   codeNumber // of the code's label
}

// changesTo gives the last changes of a server, those included that its next
// record brings. What is no longer reported takes its changes with it.
func (r *record) changesTo(next *record, before map[scanKey]*subtask, in interpretation, now time.Time) []step {
	var fresh []step
	moved := len(next.subtasks) < len(r.subtasks)
	for i := range min(len(next.subtasks), math.MaxUint16) {
		s := &next.subtasks[i]
		old := before[scanKey{s.taskID, s.typ}]
		moved = moved || old != nil && old != &r.subtasks[min(i, len(r.subtasks)-1)]
		// What the first answer says is where the history begins.
		if same := old != nil && sameStatus(old.status, s.status) && old.code == s.code; same || r.lastSuccess.IsZero() {
			continue
		}
		fresh = append(fresh, step{at: uint32(now.Unix()), status: float32(s.status), scan: uint16(i), code: in.number(s.codeLabel)})
	}
	kept := r.changes
	if moved {
		kept = r.rebased(next)
	}
	if len(fresh) == 0 {
		return kept
	}
	all := slices.Concat(kept, fresh)
	return slices.Clip(slices.Clone(all[max(0, len(all)-maxChanges):]))
}

// rebased gives the changes of the subtasks that the next record still has, by
// their places there.
func (r *record) rebased(next *record) []step {
	place := make(map[scanKey]int, len(next.subtasks))
	for i, s := range next.subtasks {
		place[scanKey{s.taskID, s.typ}] = i
	}
	var kept []step
	for _, c := range r.changes {
		old := &r.subtasks[c.scan]
		if i, still := place[scanKey{old.taskID, old.typ}]; still && i <= math.MaxUint16 {
			c.scan = uint16(i)
			kept = append(kept, c)
		}
	}
	return kept
}

// Trouble is a call that failed.
type Trouble struct {
	At time.Time
	// Err names the operation, the account and the server, never a secret.
	Err *sas.Error
	// UUID and Server are those of the server that was asked about.
	UUID, Server string
}

func newTrouble(err *sas.Error, t *target, now time.Time) *Trouble {
	return &Trouble{At: now, Err: err, UUID: t.UUID, Server: t.Name}
}

// troubleAge is how long a server's last failed call is remembered after calls
// succeed again: after an outage there is one for every server.
const troubleAge = 24 * time.Hour

func (t *Trouble) unlessOld(now time.Time) *Trouble {
	if t != nil && now.Sub(t.At) > troubleAge {
		return nil
	}
	return t
}
