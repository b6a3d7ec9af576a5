package scan

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockRunsEvenlyWhateverTheSystemsClockSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, ahead := time.Now(), time.Duration(0)
		c := NewClock(func() time.Time { return time.Now().Add(ahead) })
		for _, tt := range []struct{ set, want time.Duration }{
			{0, 0},
			{time.Second, 0},
			{-1999 * time.Millisecond, 0},
			{2 * time.Second, 2 * time.Second},
			{-2 * time.Second, -2 * time.Second},
			{14*time.Minute + 300*time.Millisecond, 14 * time.Minute},
			{-24 * time.Hour, -24 * time.Hour},
			{0, 0},
		} {
			time.Sleep(time.Minute)
			ahead = tt.set
			wantEqual(t, "time passed", c.Now().Sub(begin), time.Since(begin))
			wantEqual(t, "step", c.Step(), tt.want)
		}
	})
}

func TestClockBeginsAsTheSystemsClockSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := func() time.Time { return time.Now().Add(-time.Hour) }
		c := NewClock(system)
		time.Sleep(time.Minute)
		wantEqual(t, "now", c.Now().UnixMilli(), system().UnixMilli())
		wantEqual(t, "step", c.Step(), time.Duration(0))
	})
}

func TestInstants(t *testing.T) {
	wantEqual(t, "none", InstantOf(time.Time{}), Instant(0))
	wantEqual(t, "none as a time", Instant(0).Time().IsZero(), true)
	wantEqual(t, "there and back", InstantOf(now0.Time()), now0)
	wantEqual(t, "later", now0.Until(now0.Add(90*time.Second)), 90*time.Second)
}

func TestCallsAreCountedOverTheLastMinute(t *testing.T) {
	var c CallCounter
	now := now0.Time()
	wantEqual(t, "none", c.PerSecond(now), 0)
	for i := range 120 { // two a second
		c.Count(now.Add(time.Duration(i) * 500 * time.Millisecond))
	}
	wantEqual(t, "after a minute", c.PerSecond(now.Add(time.Minute)), 2)
	wantEqual(t, "half a minute later", c.PerSecond(now.Add(90*time.Second)), 1)
	wantEqual(t, "long after", c.PerSecond(now.Add(time.Hour)), 0)
	c.Count(now.Add(time.Hour))
	wantEqual(t, "the present second is not over", c.PerSecond(now.Add(time.Hour)), 0)
	wantEqual(t, "one call", c.PerSecond(now.Add(time.Hour+time.Second))*60, 1)
}

func TestCallsAreReadWhileOthersCount(t *testing.T) {
	var c CallCounter
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 1000 {
				if n := math.Round(c.PerSecond(now0.Add(2*time.Second).Time()) * 60); n < 0 || n > 2000 {
					t.Errorf("%v calls", n)
				}
			}
		})
	}
	for i := range 2000 {
		c.Count(now0.Add(time.Duration(i) * time.Millisecond).Time())
	}
	readers.Wait()
	wantEqual(t, "calls", math.Round(c.PerSecond(now0.Add(2*time.Second).Time())*60), 2000)
}
