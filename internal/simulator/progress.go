package simulator

import (
	"cmp"
	"slices"
	"time"
)

// sampleSize bounds how many servers are looked at to tell how a task fares: with more, its figures
// are estimates, and cheap ones.
const sampleSize = 1000

// progress is how a task fares over servers.
type progress struct {
	total, success, fail int       // servers
	end                  time.Time // when the last of them ended; zero while any goes on
}

// percent is the part of the servers that have ended.
func (p progress) percent() int {
	if p.total == 0 {
		return 100
	}
	return 100 * (p.success + p.fail) / p.total
}

// taskProgress looks at the whole fleet, or at an even sample of it.
func (f Fleet) taskProgress(t Task, now time.Time) progress {
	step := max(1, (f.Size+sampleSize-1)/sampleSize)
	var sum progress
	ended := true
	for i := 0; i < f.Size; i += step {
		p := f.serverProgress(i, t, now)
		sum.total += p.total
		sum.success += p.success
		sum.fail += p.fail
		if p.end.After(sum.end) {
			sum.end = p.end
		}
		ended = ended && (p.total == 0 || !p.end.IsZero())
	}
	if !ended {
		sum.end = time.Time{}
	}
	if step > 1 && sum.total > 0 {
		sampled := sum.total
		sum.total = f.Size
		sum.success = sum.success * f.Size / sampled
		sum.fail = sum.fail * f.Size / sampled
	}
	return sum
}

// serverProgress looks at one server: it has failed if any of its subtasks has.
func (f Fleet) serverProgress(server int, t Task, now time.Time) progress {
	if len(f.pinnedOf(server)) > 0 {
		return progress{} // not part of the fleet's tasks
	}
	p := progress{total: 1}
	ended, failed := true, false
	for _, typ := range typesOf(server) {
		st := f.state(server, t, typ, now)
		ended = ended && !st.ended.IsZero()
		failed = failed || st.code != ""
		if st.ended.After(p.end) {
			p.end = st.ended
		}
	}
	switch {
	case !ended:
		p.end = time.Time{}
	case failed:
		p.fail = 1
	default:
		p.success = 1
	}
	return p
}

func sortNewestFirst(tasks []Task) []Task {
	slices.SortStableFunc(tasks, func(a, b Task) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.ID, b.ID))
	})
	return tasks
}
