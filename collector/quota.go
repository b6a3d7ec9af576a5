package collector

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// windowMargin widens the window in which calls are counted, so that the
	// promise holds where they arrive, however unevenly they travel.
	windowMargin = 1.02
	// catchUp is how much lateness of timers is made good by sending sooner.
	catchUp = 50 * time.Millisecond
	// lowestShare of the configured rate is never gone below.
	lowestShare = 1.0 / 64
	// raiseShare of the configured rate is given back each second.
	raiseShare = 1.0 / 80
)

// quota paces one account's calls. It differs from a token bucket
// (golang.org/x/time/rate) in what it promises: no second sees more calls than
// configured, even where timers fire late and calls would bunch. Throttling
// halves the rate, which then recovers step by step.
type quota struct {
	mu       sync.Mutex
	limit    float64       // calls a second, configured
	rate     float64       // calls a second, now
	window   time.Duration // len(sent) calls may start in so long
	sent     []time.Time   // start of the last calls, a ring
	oldest   int
	next     time.Time // when the next call may start, by pace
	paused   time.Time // no call before, because the API asked for it
	cutAt    time.Time // when the rate was last halved
	raisedAt time.Time

	calls [usedOver]second // of the last minute, a ring

	waiting atomic.Int64 // calls that wait
}

// usedOver is over how many seconds used averages.
const usedOver = 60

// second counts the calls that started within one.
type second struct {
	unix  int64
	calls int
}

// steps is how often waitBehind looks whether others still wait.
const steps = 10

// waitBehind is wait for calls that let others go first, for so long at most.
func (q *quota) waitBehind(ctx context.Context, patience time.Duration) error {
	for i := 0; i < steps && q.waiting.Load() > 0; i++ {
		select {
		case <-time.After(patience / steps):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return q.wait(ctx)
}

func newQuota(limit float64) *quota {
	q := &quota{}
	q.configure(limit)
	return q
}

// configure sets the rate, as at a reload. Calls already made still count.
func (q *quota) configure(limit float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if limit == q.limit {
		return
	}
	calls := int(math.Ceil(limit))
	ring := make([]time.Time, calls)
	// The newest calls go last, where the ring comes to them last.
	for i := 1; i <= min(calls, len(q.sent)); i++ {
		ring[calls-i] = q.sent[(q.oldest-i+len(q.sent))%len(q.sent)]
	}
	q.sent, q.oldest = ring, 0
	q.limit, q.rate = limit, limit
	q.window = time.Duration(windowMargin * float64(calls) / limit * float64(time.Second))
}

// wait returns when a call may start, and counts it.
func (q *quota) wait(ctx context.Context) error {
	q.waiting.Add(1)
	defer q.waiting.Add(-1)
	for {
		left := q.take(time.Now())
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// take counts a call that starts now, or says how long to wait before one may.
func (q *quota) take(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := q.next
	if q.paused.After(at) {
		at = q.paused
	}
	if last := q.sent[q.oldest]; !last.IsZero() && last.Add(q.window).After(at) {
		at = last.Add(q.window)
	}
	if at.After(now) {
		return at.Sub(now)
	}
	q.sent[q.oldest] = now
	this := &q.calls[now.Unix()%usedOver]
	if this.unix != now.Unix() {
		*this = second{unix: now.Unix()}
	}
	this.calls++
	q.oldest = (q.oldest + 1) % len(q.sent)
	if earliest := now.Add(-catchUp); q.next.Before(earliest) {
		q.next = earliest
	}
	q.next = q.next.Add(time.Duration(float64(time.Second) / q.rate))
	return 0
}

// throttled halves the rate and obeys the API's hint. Calls that were already
// under way when the rate was last halved say nothing new.
func (q *quota) throttled(sent, now time.Time, hint time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until := now.Add(hint); hint > 0 && until.After(q.paused) {
		q.paused = until
	}
	if !q.cutAt.IsZero() && !sent.After(q.cutAt) {
		return
	}
	q.rate = max(q.rate/2, q.limit*lowestShare)
	q.cutAt, q.raisedAt = now, now
	q.next = now.Add(time.Duration(float64(time.Second) / q.rate))
}

// succeeded gives back a part of the rate for every second without throttling.
func (q *quota) succeeded(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rate < q.limit && now.Sub(q.raisedAt) >= time.Second {
		q.rate = min(q.limit, q.rate+q.limit*raiseShare)
		q.raisedAt = now
	}
}

// allowed is the rate now, in calls a second.
func (q *quota) allowed() float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rate
}

// used is how many calls a second were made over the last minute.
func (q *quota) used(now time.Time) float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls := 0
	for _, s := range q.calls {
		if age := now.Unix() - s.unix; age > 0 && age <= usedOver {
			calls += s.calls
		}
	}
	return float64(calls) / usedOver
}
