package collector_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// busiestSecond returns the most calls that any second saw.
func busiestSecond(calls []simulator.Call) int {
	var at []time.Time
	for _, c := range calls {
		at = append(at, c.Time)
	}
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

// saturating is an account with more to ask than its quota allows.
func saturating(rps float64, more string) string {
	servers := 10 + int(math.Ceil(rps*4))
	return yamlOf(yamlAccount("main", fmt.Sprintf("requests_per_second: %v\npoll_interval: 1s\n%s", rps, more), serversYAML(servers)...))
}

func TestQuotaIsKeptAndUsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rps         float64
		concurrency int
		time        time.Duration
		latency     time.Duration
	}{
		{2.5, 8, 5 * time.Minute, 100 * time.Millisecond},
		{10, 8, 2 * time.Minute, 300 * time.Millisecond},
		{10, 1, 2 * time.Minute, 0},
		{200, 40, 10 * time.Second, 50 * time.Millisecond},
		{0.5, 2, 20 * time.Minute, 0},
	} {
		t.Run(fmt.Sprint(tt.rps, " a second, concurrency ", tt.concurrency), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				w := startWorld(t, simulator.Options{Latency: tt.latency}, saturating(tt.rps, fmt.Sprint("concurrency: ", tt.concurrency)))
				pass(tt.time)
				calls := w.observed()
				if got, most := busiestSecond(calls), int(math.Ceil(tt.rps)); got > most {
					t.Errorf("%d calls in a second, want at most %d", got, most)
				}
				used := float64(len(calls)) / (tt.rps * tt.time.Seconds())
				t.Logf("%.1f%% of the quota used", 100*used)
				if used < 0.95 || used > 1.001 {
					t.Errorf("%.1f%% of the quota used, want 95 to 100", 100*used)
				}
				if w.value("poll_lag_seconds") < 1 {
					t.Error("no lag, where the quota is too small")
				}
			})
		})
	}
}

// A reload to another rate neither forgets the calls made nor bunches new ones.
func TestQuotaIsKeptOverAReload(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startWorld(t, simulator.Options{}, saturating(10, ""))
		for i := range 20 {
			pass(1300 * time.Millisecond)
			w.apply(saturating(10, fmt.Sprintf("timeout: %ds", 5+i)))
		}
		pass(time.Second)
		if got := busiestSecond(w.observed()); got > 10 {
			t.Errorf("%d calls in a second, want at most 10", got)
		}
		w.apply(saturating(3, ""))
		start := time.Now()
		pass(10 * time.Second)
		late := slices.DeleteFunc(w.observed(), func(c simulator.Call) bool { return c.Time.Before(start.Add(time.Second)) })
		if got := busiestSecond(late); got > 3 || len(late) < 25 {
			t.Errorf("%d calls in a second, %d in all, at 3 a second", got, len(late))
		}
	})
}
