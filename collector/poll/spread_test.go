package poll

import (
	"fmt"
	"testing"
	"time"
)

// Servers that were polled within an hour are due evenly over the interval, and each once an
// interval from then on.
func TestServersAtRestAreSpread(t *testing.T) {
	const least, interval = time.Hour, 24 * time.Hour
	hours := make(map[int]int)
	for i := range 2400 {
		key := fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-%012x", i)
		due := spread(key, now0, least, interval)
		wait := now0.Until(due)
		if wait < least || wait >= least+interval {
			t.Fatalf("waits %v", wait)
		}
		hours[int(wait/time.Hour)]++
		late := due.Add(time.Minute)
		wantEqual(t, "next time", spread(key, late, least, interval), due.Add(interval))
	}
	for hour, servers := range hours {
		if servers > 150 {
			t.Errorf("%d of 2400 servers are due in hour %d", servers, hour)
		}
	}
	wantEqual(t, "where the least is all", spread("x", now0, interval, interval), now0.Add(interval))
}
