package discovery

import (
	"cmp"
	"errors"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// scansRefusedPause is the shortest pause after an answer that a person has to mend: no
	// permission, or no such operation.
	scansRefusedPause = 10 * time.Minute
	// maxFinalReadings bounds the attempts to read the list of a task that has ended. The list does
	// not change any more, so one that is odd stays odd.
	maxFinalReadings = 3
	// earlyReadings is how often a list that names no server is read at the usual pace. The list of
	// a new task may name servers soon.
	earlyReadings = 3
)

// scanState is what is known of the readings of one task's list.
type scanState struct {
	task  sas.Task
	began time.Time // of the last reading; zero: there was none
	err   error     // of the last reading
	// final is true if a reading after the task's end was complete. attempts counts the readings
	// after its end that were not.
	final    bool
	attempts int
	unnamed  int // readings in a row whose list named no server
}

// due returns when a task's list is to be read next; ok is false if it need not be read any more.
func (s scanState) due(interval time.Duration) (at time.Time, ok bool) {
	if s.final || s.attempts >= maxFinalReadings {
		return time.Time{}, false
	}
	if s.began.IsZero() {
		return time.Time{}, true
	}
	return s.began.Add(s.pause(interval)), true
}

// pause returns how long to wait after the last reading.
func (s scanState) pause(interval time.Duration) time.Duration {
	var failed *sas.Error
	errors.As(s.err, &failed)
	switch {
	case s.unnamed >= earlyReadings:
	case failed == nil:
		return interval
	case failed.Class == sas.Canceled:
		return min(refusedPause, interval)
	case failed.Class != sas.Permanent && !failed.Denied:
		return interval // temporary, or refused: then the caller makes no calls anyway
	}
	return max(scansRefusedPause, interval)
}

// nextReading returns the task whose list is to be read next, and when; none if there is nothing to
// read. Of those that are due, running tasks come first, then those that have waited for longest,
// then the newest.
func nextReading(tasks []scanState, interval time.Duration, now time.Time) (next *scanState, at time.Time) {
	for i := range tasks {
		s := &tasks[i]
		due, ok := s.due(interval)
		if ok && (next == nil || before(s, due, next, at, now)) {
			next, at = s, due
		}
	}
	return next, at
}

// before reports whether the list of a comes before that of b, given when they are due.
func before(a *scanState, dueA time.Time, b *scanState, dueB time.Time, now time.Time) bool {
	waitsA, waitsB := dueA.After(now), dueB.After(now)
	switch {
	case waitsA != waitsB:
		return waitsB
	case !waitsA && a.task.Ended() != b.task.Ended():
		return b.task.Ended()
	}
	return cmp.Or(dueA.Compare(dueB), b.task.Start.Compare(a.task.Start)) < 0
}
