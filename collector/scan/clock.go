package scan

import (
	"sync/atomic"
	"time"
)

// Instant is a moment in milliseconds since 1970, 0 being none. Every subtask holds several, and
// each is a third of a time.Time.
type Instant int64

// InstantOf returns t as an Instant.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMilli())
}

// Time returns i as a time.Time, the zero one for no moment.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i))
}

// Add returns the moment d later; 0 stays none.
func (i Instant) Add(d time.Duration) Instant {
	if i == 0 {
		return 0
	}
	return i + Instant(d.Milliseconds())
}

// Until returns how much time passes from i to a later moment.
func (i Instant) Until(later Instant) time.Duration { return time.Duration(later-i) * time.Millisecond }

// Clock is the time of this process. It begins as the system's clock says and then runs evenly,
// whatever the system's clock is set to meanwhile, so that no age and no duration changes with it.
type Clock struct {
	began  time.Time     // when the process started; its monotonic reading is what counts
	ahead  time.Duration // by how much the system's clock was ahead of that; 0 but in tests
	system func() time.Time
}

// NewClock returns a clock that starts now. system is the machine's: time.Now, but for tests.
func NewClock(system func() time.Time) *Clock {
	c := &Clock{began: time.Now(), system: system}
	c.ahead = c.Step()
	return c
}

// Now returns the time of this process.
func (c *Clock) Now() time.Time { return c.began.Add(c.ahead + time.Since(c.began)) }

// Step returns by how much the system's clock was set forward (or back, if it is negative) since
// the process started; 0 for less than two seconds.
func (c *Clock) Step() time.Duration {
	// Round(0) drops the monotonic reading. The clocks may drift apart a little.
	step := c.system().Round(0).Sub(c.Now().Round(0))
	if step.Abs() < 2*time.Second {
		return 0
	}
	return step.Round(time.Second)
}

// CallCounter counts calls by the second, and remembers the last minute of them. Its readers wait
// for nobody.
type CallCounter struct {
	seconds [callSeconds]atomic.Int64 // second since 1970 << callBits | calls in it
}

const (
	callSeconds = 60
	callBits    = 20
)

// Count counts a call that starts now. Only one goroutine at a time may call it.
func (c *CallCounter) Count(now time.Time) {
	place := &c.seconds[now.Unix()%callSeconds]
	if place.Load()>>callBits != now.Unix() {
		place.Store(now.Unix() << callBits)
	}
	place.Add(1)
}

// PerSecond returns how many calls a second were started within the last minute of whole seconds.
func (c *CallCounter) PerSecond(now time.Time) float64 {
	calls := int64(0)
	for i := range c.seconds {
		second := c.seconds[i].Load()
		if age := now.Unix() - second>>callBits; age > 0 && age <= callSeconds {
			calls += second & (1<<callBits - 1)
		}
	}
	return float64(calls) / callSeconds
}
