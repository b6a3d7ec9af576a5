package scan

import (
	"sync/atomic"
	"time"
)

// callSeconds is over how many seconds a CallCounter averages.
const callSeconds = 60

// CallCounter counts calls by the second, and remembers the last minute of them. It is safe for
// concurrent use, and its readers wait for nobody.
type CallCounter struct {
	seconds [callSeconds]atomic.Int64 // second since 1970 << 20 | calls in it, at second % callSeconds
}

const callBits = 20

// Count counts a call that starts now.
func (c *CallCounter) Count(now time.Time) {
	place := &c.seconds[now.Unix()%callSeconds]
	for {
		before := place.Load()
		after := now.Unix()<<callBits | 1
		if before>>callBits == now.Unix() {
			after = before + 1
		}
		if place.CompareAndSwap(before, after) {
			return
		}
	}
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
