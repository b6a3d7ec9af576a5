package poll

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// windowMargin widens the window in which calls are counted, so that the promise holds where
	// they arrive, however unevenly they travel.
	windowMargin = 1.02
	// catchUp is how much lateness of timers is made good by sending sooner.
	catchUp = 50 * time.Millisecond
	// lowestShare of the configured rate is never gone below.
	lowestShare = 1.0 / 64
	// raiseShare of the configured rate is given back each second.
	raiseShare = 1.0 / 80
)

// purpose is what a call is for. Where several purposes wait, no one may take two calls in a row.
type purpose int

const (
	forPoll   purpose = iota
	forList           // a page of a task's list of servers
	forTarget         // a page of the list of tasks, or of that of servers
	purposes
)

// limiter paces one account's calls. It differs from a token bucket (golang.org/x/time/rate) in
// what it promises: no second sees more calls than configured, even where timers fire late and
// calls would bunch. Throttling halves the rate, which then recovers step by step. It is safe for
// concurrent use.
type limiter struct {
	now   func() time.Time
	count func(now time.Time) // told of every call that starts

	mu       sync.Mutex
	limit    float64     // calls a second, configured
	rate     float64     // calls a second, now
	sent     []time.Time // start of the last calls, as many as a window may see
	next     time.Time   // when the next call may start, by pace
	paused   time.Time   // no call before, because the API asked for it
	cutAt    time.Time   // when the rate was last halved
	raisedAt time.Time

	lastFor purpose             // of the last call
	wanted  [purposes]time.Time // until when a call for each purpose is waited for
}

// newLimiter returns a limiter that has yet to be configured.
func newLimiter(now func() time.Time, count func(now time.Time)) *limiter {
	return &limiter{now: now, count: count, limit: 1, rate: 1}
}

// configure sets the rate, as at a reload. Calls already made still count, and what throttling has
// taken away stays taken.
func (l *limiter) configure(limit float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit, l.rate = limit, limit*(l.rate/l.limit)
	l.wanted = [purposes]time.Time{} // nobody waits while an account is configured
	if n := len(l.sent); n > 0 {
		l.next = l.sent[n-1].Add(l.interval())
	}
}

// interval is the pause between two calls at the present rate.
func (l *limiter) interval() time.Duration { return time.Duration(float64(time.Second) / l.rate) }

// wait returns when a call may start, and counts it. Until a moment (zero: not at all) it lets polls
// that wait go first.
func (l *limiter) wait(ctx context.Context, what purpose, behindPolls time.Time) error {
	for {
		left := l.take(l.now(), what, behindPolls)
		if left <= 0 || !sleep(ctx, left) {
			return ctx.Err()
		}
	}
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// take counts a call that starts now, or returns how long to wait before one may.
func (l *limiter) take(now time.Time, what purpose, behindPolls time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := min(l.wanted[forPoll].Sub(now), behindPolls.Sub(now)); left > 0 {
		return left
	}
	most, full := int(math.Ceil(l.limit)), time.Time{}
	if n := len(l.sent) - most; n >= 0 {
		full = l.sent[n].Add(time.Duration(windowMargin * float64(most) / l.limit * float64(time.Second)))
	}
	at := slices.MaxFunc([]time.Time{l.next, l.paused, full}, time.Time.Compare)
	for other, until := range l.wanted {
		if purpose(other) != what && l.lastFor == what && now.Before(until) {
			at = at.Add(l.interval()) // it is the other's turn, who may have given up
			break
		}
	}
	if at.After(now) {
		l.wanted[what] = at.Add(l.interval())
		return at.Sub(now)
	}
	l.sent = append(l.sent[max(0, len(l.sent)+1-most):], now)
	l.lastFor = what
	if earliest := now.Add(-catchUp); l.next.Before(earliest) {
		l.next = earliest
	}
	l.next = l.next.Add(l.interval())
	l.count(now)
	return 0
}

// throttled halves the rate and obeys the API's hint. A call that was already under way when the
// rate was last halved says nothing new.
func (l *limiter) throttled(sent time.Time, hint time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if until := now.Add(hint); until.After(l.paused) {
		l.paused = until
	}
	if sent.After(l.cutAt) {
		l.rate = max(l.rate/2, l.limit*lowestShare)
		l.cutAt, l.raisedAt, l.next = now, now, now.Add(l.interval())
	}
}

// succeeded gives back a part of the rate for every second without throttling.
func (l *limiter) succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.rate < l.limit && now.Sub(l.raisedAt) >= time.Second {
		l.rate, l.raisedAt = min(l.limit, l.rate+l.limit*raiseShare), now
	}
}

// allowed returns the rate now, in calls a second.
func (l *limiter) allowed() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}
