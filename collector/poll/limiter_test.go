package poll

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// epoch is when the fake time of tests begins.
const epoch = 946684800

func configuredLimiter(limit float64) *limiter {
	l := newLimiter(time.Now, (&scan.CallCounter{}).Count)
	l.configure(limit)
	return l
}

// busiestSecond returns the most calls that any second saw.
func busiestSecond(at []time.Time) int {
	slices.SortFunc(at, time.Time.Compare)
	most, first := 0, 0
	for i, t := range at {
		for t.Sub(at[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Five minutes of 200 calls a second, without their HTTP.
func TestLimiterKeepsAHighRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := configuredLimiter(200)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var mu sync.Mutex
		var calls []time.Time
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for l.wait(ctx, forPoll, time.Time{}) == nil {
					mu.Lock()
					calls = append(calls, time.Now())
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		if got := busiestSecond(calls); got > 200 || len(calls) < 57000 {
			t.Errorf("%d calls in a second, %d in all, want at most 200 and at least 57000", got, len(calls))
		}
	})
}

// Late timers are made good, but never by more calls in a second.
func TestLimiterTakesAtMostItsRateHoweverLateItIsAsked(t *testing.T) {
	tests := map[string][]time.Duration{ // gaps between questions
		"at once":           {0},
		"late every time":   {0, 130 * time.Millisecond},
		"after a long rest": {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10 * time.Second},
		"in bursts":         {0, 0, 0, 40 * time.Millisecond, 900 * time.Millisecond},
	}
	for name, gaps := range tests {
		t.Run(name, func(t *testing.T) {
			l := configuredLimiter(10)
			now := time.Unix(epoch, 0)
			var calls []time.Time
			for i := range 20000 {
				if l.take(now, forPoll, time.Time{}) <= 0 {
					calls = append(calls, now)
				}
				now = now.Add(gaps[i%len(gaps)] + time.Millisecond)
			}
			if got := busiestSecond(calls); got > 10 {
				t.Errorf("%d calls in a second, want at most 10", got)
			}
		})
	}
}

func TestLimiterIsConfiguredAnew(t *testing.T) {
	now := time.Unix(epoch, 0)
	filled := func(limit float64) *limiter {
		l := configuredLimiter(limit)
		for at := now.Add(-2 * time.Second); at.Before(now); at = at.Add(time.Millisecond) {
			l.take(at, forPoll, time.Time{})
		}
		return l
	}
	for _, tt := range []struct{ from, to float64 }{{10, 3}, {3, 10}, {2.5, 2}, {200, 10}, {10, 0.5}, {5, 5}, {0.01, 10}, {0.5, 200}} {
		t.Run(fmt.Sprint(tt.from, " to ", tt.to), func(t *testing.T) {
			// Whoever waited for a call at the old rate is not waited for.
			for what, behindPolls := range map[purpose]time.Time{forPoll: {}, forList: {}, forTarget: now.Add(time.Minute)} {
				l := filled(tt.from)
				l.configure(tt.to)
				wantEqual(t, "allowed", l.allowed(), tt.to)
				first := now
				for wait := l.take(first, what, behindPolls); wait > 0; wait = l.take(first, what, behindPolls) {
					first = first.Add(wait)
				}
				if most := time.Duration(1.1 * float64(time.Second) / tt.to); first.Sub(now) > most && tt.to >= tt.from {
					t.Errorf("the first call for %d waits %v, want at most %v", what, first.Sub(now), most)
				}
				if tt.to < tt.from && tt.to < 3 && first.Equal(now) {
					t.Error("calls already made are forgotten")
				}
			}
		})
	}
}

// Pages of the lists of targets let polls go first, and nothing else: there is nothing to poll
// before they are read.
func TestPagesOfTargetsWaitForPollsAlone(t *testing.T) {
	for what, wait := range map[purpose]time.Duration{forPoll: 11 * time.Second, forList: 2 * time.Second, forTarget: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := configuredLimiter(1)
			if left := l.take(time.Now(), what, time.Time{}); left > 0 {
				t.Fatalf("the first call waits %v", left)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				var err error
				for what != forTarget && err == nil { // others wait all the time
					err = l.wait(ctx, what, time.Time{})
				}
			}()
			synctest.Wait()
			start := time.Now()
			if err := l.wait(ctx, forTarget, start.Add(10*time.Second)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > wait+100*time.Millisecond {
				t.Errorf("waited %v behind calls for %d, want %v at most", took, what, wait)
			}
			if what == forPoll && time.Since(start) < 10*time.Second {
				t.Errorf("waited %v behind polls, want 10 s", time.Since(start))
			}
		})
	}
}
