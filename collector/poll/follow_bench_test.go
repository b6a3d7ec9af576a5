package poll

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	scanned  = 100_000 // servers, of four subtasks each
	scanKeep = 0.98    // of the quota is used when it is short, as measured
)

// BenchmarkFollowScan follows one scan of 100,000 servers to its end on fake time, with the queue
// and the intervals that the poller uses, and beside it polls all of them at a fixed interval. A
// subtask's duration is log-normal: median 15 minutes, the longest of all about eight hours. The
// delay is the time from a subtask's end to the poll that sees it.
func BenchmarkFollowScan(b *testing.B) {
	for _, rate := range []float64{10, 50, 200} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) {
			pass := time.Duration(scanned / (rate * scanKeep) * float64(time.Second))
			for b.Loop() {
				settings := config.Settings{PollInterval: pass, SettledInterval: 12 * time.Hour, StallAfter: 24 * time.Hour}
				ends := scanEnds()
				fixed := follow(ends, rate, func(*scan.Record, scan.Instant) (time.Duration, rank) { return pass, rankUnfinished })
				adaptive := follow(ends, rate, policy(settings))
				settings.PollInterval = 30 * time.Second
				eager := follow(ends, rate, policy(settings))
				b.Logf("every server every %v:        %v", pass.Round(time.Second), fixed)
				b.Logf("adaptive, poll_interval %v: %v", pass.Round(time.Second), adaptive)
				b.Logf("adaptive, poll_interval 30s:       %v", eager)
				b.ReportMetric(float64(adaptive.calls)/float64(fixed.calls), "calls-ratio")
				b.ReportMetric(float64(adaptive.p95)/float64(fixed.p95), "p95-ratio")
				b.ReportMetric(float64(eager.p95)/float64(fixed.p95), "p95-ratio-at-30s")
			}
		})
	}
}

// policy is what the poller does with a successful poll.
func policy(s config.Settings) func(*scan.Record, scan.Instant) (time.Duration, rank) {
	return func(r *scan.Record, now scan.Instant) (time.Duration, rank) {
		return nextPoll(r, 0, s, 0, now), rankOf(r, s, now)
	}
}

// scanEnds draws how long after the scan's begin each subtask ends.
func scanEnds() [][4]time.Duration {
	random := rand.New(rand.NewPCG(7, 7))
	ends := make([][4]time.Duration, scanned)
	for i := range ends {
		for k := range ends[i] {
			ends[i][k] = time.Duration(15 * float64(time.Minute) * math.Exp(0.8*random.NormFloat64()))
		}
	}
	return ends
}

// followed is what following a scan took.
type followed struct {
	calls    int
	end      time.Duration // when the last end was seen
	p50, p95 time.Duration
}

func (f followed) String() string {
	return fmt.Sprintf("%9d calls, the last end seen after %v, delay p50 %v, p95 %v",
		f.calls, f.end.Round(time.Minute), f.p50.Round(time.Second), f.p95.Round(time.Second))
}

// follow polls until every end has been seen. next says when a server is due again, and how urgent
// it is then.
func follow(ends [][4]time.Duration, rate float64, next func(*scan.Record, scan.Instant) (time.Duration, rank)) (f followed) {
	now := now0.Time()
	begin, pace := now, time.Duration(float64(time.Second)/(rate*scanKeep))
	place := make(map[*server]int, len(ends))
	q := queue{patience: math.MaxInt64}
	types := config.Types()
	asked := &scan.Target{Server: config.Server{Types: types}}
	for i := range ends {
		s := &server{due: now, latest: &scan.Record{Target: asked, Total: -1}}
		place[s] = i
		q.push(s, rankUnfinished)
	}
	codes, answer := somePolicy(), &sas.Answer{RequestID: "R", TotalCount: 4, Subtasks: make([]sas.Subtask, 4)}
	var delays []time.Duration
	for left := 4 * len(ends); left > 0; {
		s := q.pop(now)
		if s == nil {
			now = q.due()
			continue
		}
		f.calls++
		for k, end := range ends[place[s]] {
			status := min(4, math.Floor(4*float64(now.Sub(begin))/float64(end)))
			answer.Subtasks[k] = sas.Subtask{TaskID: "t", Type: types[k], Status: status}
			if status == 4 && (len(s.latest.Subtasks) == 0 || s.latest.Subtasks[k].Unfinished()) {
				delays = append(delays, now.Sub(begin)-end)
				left--
			}
		}
		s.latest, _ = s.latest.Next([]scan.CallResult{{Answer: answer}}, codes, scan.InstantOf(now))
		wait, urgency := next(s.latest, scan.InstantOf(now))
		s.due = now.Add(wait)
		q.push(s, urgency)
		now = now.Add(pace)
	}
	slices.Sort(delays)
	f.end, f.p50, f.p95 = now.Sub(begin), delays[len(delays)/2], delays[len(delays)*95/100]
	return f
}
