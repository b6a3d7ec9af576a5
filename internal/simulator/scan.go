package simulator

import (
	"math"
	"strconv"
	"time"
)

// Subtask is the scan of one server by one task for one type.
type Subtask struct {
	TaskID string // as answered
	Type   string // cve, sys, cms or sca
	Status string // 0 unhandled, 1 collecting, 2 collected, 3 matching, 4 complete
	Code   string // error code; empty: none
}

// failure is a way for a scan to go wrong: once it has reached a status, it shows another, and a
// code, until its period ends.
type failure struct {
	after, shown int
	code         string
}

// pushFailed is the one code that is documented, with status 4 as documented: the agent is never
// reached, and the scan is over.
func pushFailed() failure { return failure{after: 1, shown: 4, code: "push_command_failed"} }

// failureOf picks a way to fail. The other codes are invented: the set is open.
func failureOf(h uint64) failure {
	switch u := fraction(h); {
	case u < 0.5:
		return pushFailed()
	case u < 0.8:
		return failure{after: 1, shown: 1, code: "agent_offline"}
	default:
		return failure{after: 3, shown: 3, code: "match_timeout"}
	}
}

// state is what a subtask is doing.
type state struct {
	status int
	code   string
	ended  time.Time // when it completed or failed; zero: it has not
}

// Subtasks lists what a server answers for the tasks and types at a time, in their order; of tasks
// and types it does not have, nothing.
func (f Fleet) Subtasks(uuid string, taskIDs, types []string, now time.Time) []Subtask {
	server, ok := f.serverByUUID(uuid)
	if !ok {
		return nil
	}
	pinned := f.pinnedOf(server)
	var out []Subtask
	for _, id := range taskIDs {
		if len(pinned) > 0 {
			out = append(out, fixedAnswers(pinned, id, types)...)
			continue
		}
		t, answered, ok := f.asked(server, id, now)
		if !ok {
			continue
		}
		for _, typ := range types {
			if !applies(server, typ) {
				continue
			}
			st := f.state(server, t, typ, now)
			out = append(out, Subtask{TaskID: answered, Type: typ, Status: strconv.Itoa(st.status), Code: st.code})
		}
	}
	return out
}

// subtaskCount is the number of all subtasks that a server has.
func (f Fleet) subtaskCount(server int, now time.Time) int {
	if pinned := f.pinnedOf(server); len(pinned) > 0 {
		return len(pinned)
	}
	return f.taskCount(now) * len(typesOf(server))
}

func applies(server int, typ string) bool {
	for _, t := range typesOf(server) {
		if t == typ {
			return true
		}
	}
	return false
}

func (f Fleet) pinnedOf(server int) []Pinned {
	var out []Pinned
	for _, p := range f.Pinned {
		if p.Server == server {
			out = append(out, p)
		}
	}
	return out
}

func fixedAnswers(pinned []Pinned, taskID string, types []string) []Subtask {
	var out []Subtask
	for _, typ := range types {
		for _, p := range pinned {
			if p.TaskID != taskID || p.Type != typ {
				continue
			}
			answered := p.AnsweredTaskID
			if answered == "" {
				answered = p.TaskID
			}
			out = append(out, Subtask{TaskID: answered, Type: typ, Status: p.Status, Code: p.Code})
		}
	}
	return out
}

// asked finds the task that a server is asked about by an ID of either kind, and the ID under which
// it is answered.
func (f Fleet) asked(server int, id string, now time.Time) (t Task, answered string, ok bool) {
	if f.KnownIDs != LeafIDs {
		t, ok = f.task(id, now)
	}
	if !ok && f.KnownIDs != RootIDs {
		t, ok = f.leafTask(server, id, now)
	}
	return t, f.answeredID(t, id), ok
}

func (f Fleet) answeredID(t Task, asked string) string {
	if !f.DecimalTaskIDs {
		return asked
	}
	return strconv.FormatUint(10_000_000+mix(uint64(f.Seed), t.key, saltDecimal)%1e9, 10)
}

// state returns what a subtask is doing at a time. It depends on nothing but its arguments.
func (f Fleet) state(server int, t Task, typ string, now time.Time) state {
	key := mix(uint64(f.Seed), uint64(server), t.key, textKey(typ))
	online := f.online(server)
	drop, _ := f.outage(server, t)
	elapsed := f.elapsed(server, t, now)
	if online && fraction(mix(key, saltStall)) < f.StallRatio {
		// A stalled scan stays stalled in all later periods, so elapsed is not divided.
		reached := statusAfter(drop.worked(elapsed), f.length(mix(key, 0)))
		return state{status: min(reached, int(mix(key, saltStallAt)%4))}
	}
	cycle, elapsed := f.cycle(elapsed, t)
	key = mix(key, cycle)
	length := f.length(key)
	st := state{status: statusAfter(drop.worked(elapsed), length)}
	end := length
	if fail, fails := f.failure(key, online); fails && st.status >= fail.after {
		st.status, st.code = fail.shown, fail.code
		end = begins(fail.after, length)
	}
	if st.status == 4 || st.code != "" {
		st.ended = now.Add(drop.passed(end) - elapsed)
	}
	return st
}

// cycle splits the time since a scan's beginning into whole periods of its task and the rest.
func (f Fleet) cycle(elapsed time.Duration, t Task) (n uint64, rest time.Duration) {
	if !t.repeats {
		return 0, elapsed
	}
	return uint64(elapsed / f.period()), elapsed % f.period()
}

// elapsed is how long a server's scan has been going; negative while it waits.
func (f Fleet) elapsed(server int, t Task, now time.Time) time.Duration {
	since := now.Sub(t.begun)
	if t.repeats {
		// Each server is at another point of its period, so that there is always something going
		// on, at Start too.
		return since + share(f.period(), mix(uint64(f.Seed), uint64(server), t.key, saltPhase))
	}
	return since - share(f.typical()/2, mix(uint64(f.Seed), uint64(server), t.key, saltWait))
}

// length is how long a scan takes if nothing goes wrong.
func (f Fleet) length(key uint64) time.Duration {
	d := f.typical()
	return d/3 + share(2*d-d/3, mix(key, saltLength))
}

func (f Fleet) failure(key uint64, online bool) (failure, bool) {
	if !online {
		return pushFailed(), true
	}
	return failureOf(mix(key, saltFailHow)), fraction(mix(key, saltFail)) < f.FailRatio
}

// share is a part of d, evenly drawn.
func share(d time.Duration, h uint64) time.Duration {
	return time.Duration(math.Floor(float64(d) * fraction(h)))
}

// begins is when a scan of the length enters a status.
func begins(status int, length time.Duration) time.Duration {
	percent := [...]time.Duration{0, 20, 50, 70, 100}
	return length / 100 * percent[status]
}

func statusAfter(elapsed, length time.Duration) int {
	for status := 4; status > 0; status-- {
		if elapsed >= begins(status, length) {
			return status
		}
	}
	return 0
}
