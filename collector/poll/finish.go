package poll

import (
	"math/rand/v2"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// finish keeps what came of a poll and puts the server back into the queue. A poll that was cut
// short changes nothing: the server is due as before.
func (a *account) finish(s *server, start time.Time, results []scan.CallResult, failed *sas.Error) {
	now := a.now()
	a.mu.Lock()
	defer a.unlock()
	a.inFlight--
	s.polling = false
	if canceled(failed) || s.gone {
		if !a.options.Once {
			a.enqueue(s, now)
		}
		return
	}
	before := s.latest
	next, transitions := before.Next(results, &a.policy, scan.InstantOf(now))
	s.latest = next
	a.schedule(s, start, failed, now)
	a.plan(s, now)
	next.Due = scan.InstantOf(s.due)
	update := &pendingUpdate{account: a, server: s, record: next, transitions: transitions}
	if a.writer == nil || !a.writer.take(update) {
		a.show(update)
	}
	if failed != nil {
		a.published.Update(func(s *scan.AccountStatus) { s.Problem = next.Problem })
	}
	a.judge(failed, now)
	a.noticeCondition(before, next, failed)
	a.noticeProgress(next, transitions, now.Sub(start))
	a.enqueue(s, now)
	if s.offline && !a.keepsOffline(next.Target.AssetInfo, nil) {
		a.lookForTargets()
	}
}

// schedule takes note of a poll that ended, for plan. It is called with a.mu held.
func (a *account) schedule(s *server, start time.Time, failed *sas.Error, now time.Time) {
	wait := probeInterval // a refusal says nothing of the server
	if !refusal(failed) {
		s.failures++
		if failed == nil {
			s.failures = 0
		}
		wait = nextPoll(s.latest, s.failures, a.config.Settings, rand.Float64(), scan.InstantOf(now))
	}
	s.started, s.dueAlone = start, start.Add(wait)
	if s.askedAnew {
		s.dueAlone = now
	}
	if failed != nil {
		return
	}
	if s.asked = s.asking; !start.Before(s.newsRead) {
		s.news = noNews
	}
}

// show publishes what a poll of a server found. It is called with a.mu held.
func (a *account) show(u *pendingUpdate) {
	r := u.record
	if now := u.server.latest; r != now { // other things may be known of it by now
		other := *r
		other.Target, other.ServerScans, other.Confirmed = now.Target, now.ServerScans, now.Confirmed
		r = &other
	}
	a.published.Publish(u.server.entry, r)
	for _, t := range u.transitions {
		if t.Failed() {
			a.options.Events.ScanFailures(a.config.Name, t.Type, 1)
		}
		if took, completed := t.Completed(); completed {
			a.options.Events.ScanEnded(a.config.Name, t.Type, t.TaskID, took)
		}
	}
}

// judge opens or closes the breaker. Each is logged once. It is called with a.mu held.
func (a *account) judge(failed *sas.Error, now time.Time) {
	if !a.breaker.judge(failed, now) {
		return
	}
	if !a.breaker.open {
		a.notice(func(l log.Logger) { level.Info(l).Log("msg", "credentials accepted again, polling resumes") })
		return
	}
	a.notice(func(l log.Logger) {
		level.Error(l).Log("msg", "calls are refused, the account is only probed until that is mended",
			"probe_interval", probeInterval, "err", failed.Brief())
	})
}

// noticeCondition logs when the first server of the account begins to fail in some way, and when
// none does any more: an outage of the service takes one line, not one a server. It is called with
// a.mu held.
func (a *account) noticeCondition(before, next *scan.Record, failed *sas.Error) {
	if before.Failure == next.Failure {
		return
	}
	a.noLongerFailing(before.Failure)
	if next.Failure == "" {
		return
	}
	a.failing[next.Failure]++
	// A refusal was logged as the account's.
	first := a.failing[next.Failure] == 1 && !refusal(failed)
	a.notice(func(l log.Logger) {
		l = log.With(ofServer(l, next), "err", failed.Brief())
		if first {
			level.Warn(l).Log("msg", "poll failed; other servers that fail in the same way are logged at level debug")
			return
		}
		level.Debug(l).Log("msg", "poll failed")
	})
}
