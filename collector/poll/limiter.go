package poll

import (
	"context"
	"math"
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
	limit    float64       // calls a second, configured
	rate     float64       // calls a second, now
	window   time.Duration // len(sent) calls may start in so long
	sent     []time.Time   // start of the last calls, a ring
	oldest   int
	last     time.Time // start of the last call
	next     time.Time // when the next call may start, by pace
	paused   time.Time // no call before, because the API asked for it
	cutAt    time.Time // when the rate was last halved
	raisedAt time.Time

	lastFor purpose       // of the last call
	waiting [purposes]int // who waits for a call
}

func newLimiter(now func() time.Time, count func(now time.Time)) *limiter {
	return &limiter{now: now, count: count}
}

// configure sets the rate, as at a reload. Calls already made still count, and what throttling has
// taken away stays taken.
func (l *limiter) configure(limit float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit == l.limit {
		return
	}
	calls := int(math.Ceil(limit))
	ring := make([]time.Time, calls)
	// The newest calls go last, where the ring comes to them last.
	for i := 1; i <= min(calls, len(l.sent)); i++ {
		ring[calls-i] = l.sent[(l.oldest-i+len(l.sent))%len(l.sent)]
	}
	share := 1.0
	if l.limit > 0 {
		share = l.rate / l.limit
	}
	l.sent, l.oldest = ring, 0
	l.limit, l.rate = limit, limit*share
	l.window = time.Duration(windowMargin * float64(calls) / limit * float64(time.Second))
	if !l.last.IsZero() {
		l.next = l.last.Add(l.interval())
	}
}

// interval is the pause between two calls at the present rate.
func (l *limiter) interval() time.Duration { return time.Duration(float64(time.Second) / l.rate) }

// wait returns when a call may start, and counts it.
func (l *limiter) wait(ctx context.Context, what purpose) error {
	l.queueUp(what, 1)
	defer l.queueUp(what, -1)
	for {
		left := l.take(l.now(), what)
		if left <= 0 {
			return ctx.Err()
		}
		if !sleep(ctx, left) {
			return ctx.Err()
		}
	}
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// steps is how often waitBehind looks whether others still wait.
const steps = 10

// waitBehind is wait for calls that let polls go first, for so long at most.
func (l *limiter) waitBehind(ctx context.Context, patience time.Duration) error {
	for i := 0; i < steps && l.queued(forPoll); i++ {
		if !sleep(ctx, patience/steps) {
			return ctx.Err()
		}
	}
	return l.wait(ctx, forTarget)
}

// queueUp adds to those who wait.
func (l *limiter) queueUp(what purpose, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[what] += n
}

func (l *limiter) queued(what purpose) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting[what] > 0
}

// take counts a call that starts now, or returns how long to wait before one may.
func (l *limiter) take(now time.Time, what purpose) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.next
	if l.paused.After(at) {
		at = l.paused
	}
	if last := l.sent[l.oldest]; !last.IsZero() && last.Add(l.window).After(at) {
		at = last.Add(l.window)
	}
	if l.othersTurn(what) { // for one interval: they may have given up
		at = at.Add(l.interval())
	}
	if at.After(now) {
		return at.Sub(now)
	}
	l.sent[l.oldest] = now
	l.oldest = (l.oldest + 1) % len(l.sent)
	l.last, l.lastFor = now, what
	if earliest := now.Add(-catchUp); l.next.Before(earliest) {
		l.next = earliest
	}
	l.next = l.next.Add(l.interval())
	l.count(now)
	return 0
}

// othersTurn reports whether the last call had this purpose too and one of another purpose waits.
func (l *limiter) othersTurn(what purpose) bool {
	if l.lastFor != what {
		return false
	}
	for other, waiting := range l.waiting {
		if purpose(other) != what && waiting > 0 {
			return true
		}
	}
	return false
}

// throttled halves the rate and obeys the API's hint. Calls that were already under way when the
// rate was last halved say nothing new.
func (l *limiter) throttled(sent, now time.Time, hint time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := now.Add(hint); hint > 0 && until.After(l.paused) {
		l.paused = until
	}
	if !l.cutAt.IsZero() && !sent.After(l.cutAt) {
		return
	}
	l.rate = max(l.rate/2, l.limit*lowestShare)
	l.cutAt, l.raisedAt = now, now
	l.next = now.Add(l.interval())
}

// succeeded gives back a part of the rate for every second without throttling.
func (l *limiter) succeeded(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate < l.limit && now.Sub(l.raisedAt) >= time.Second {
		l.rate = min(l.limit, l.rate+l.limit*raiseShare)
		l.raisedAt = now
	}
}

// allowed returns the rate now, in calls a second.
func (l *limiter) allowed() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}
