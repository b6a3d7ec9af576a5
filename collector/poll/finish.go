package poll

import (
	"math/rand/v2"
	"slices"
	"strings"
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
	before := s.latest
	if a.servers[before.Target.Key()] != s {
		return // it is no server of the account any more
	}
	if canceled(failed) {
		a.enqueue(s, now)
		return
	}
	next, transitions := before.Next(results, &a.policy, scan.InstantOf(now))
	if s.asking != next.Target { // it changed while the server was polled
		dropTasks(next, s.asking)
	}
	s.latest = next
	a.schedule(s, start, failed, now)
	a.enqueue(s, now)
	next.Due = scan.InstantOf(s.due)
	update := &pendingUpdate{account: a, server: s, record: next, transitions: transitions}
	if a.writer == nil || !a.writer.take(update) {
		a.show(update, false)
	}
	if failed != nil {
		a.published.Update(func(s *scan.AccountStatus) { s.Problem = next.Problem })
	}
	a.judge(failed, now)
	a.noticePoll(before, next, transitions, failed, now.Sub(start))
	if s.offline && !a.keepsOffline(next.Target.AssetInfo, nil) {
		a.lookForTargets()
	}
}

// The functions below are called with a.mu held.

// schedule takes note of a poll that ended, for plan.
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
	if !asksTheSame(s.asking, s.latest.Target) {
		s.dueAlone = now
	}
	if failed == nil {
		s.asked = s.asking
		if !start.Before(s.newsRead) {
			s.news = noNews
		}
	}
}

// asksTheSame reports whether two targets of a server lead to the same questions.
func asksTheSame(a, b *scan.Target) bool {
	return slices.Equal(a.TaskIDs, b.TaskIDs) && slices.Equal(a.Types, b.Types)
}

// show publishes what a poll of a server found. If a later one has found more, which is not shown
// yet, newer is true.
func (a *account) show(u *pendingUpdate, newer bool) {
	r := u.server.latest // as found, but for what else is known of the server by now
	if newer {
		older := *u.record
		older.Target, older.ServerScans, older.Confirmed = r.Target, r.ServerScans, r.Confirmed
		r = &older
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

// noticePoll logs at level debug how a poll ended and every subtask that it found changed. When the
// first server of the account begins to fail in some way this is a warning: an outage of the service
// takes one line, not one a server.
func (a *account) noticePoll(before, next *scan.Record, transitions []scan.Transition, failed *sas.Error, took time.Duration) {
	l := log.With(a.log, "server", next.Target.Name, "uuid", next.Target.UUID)
	poll := log.With(l, "task_id", strings.Join(next.Target.TaskIDs, ","))
	if before.Failure != next.Failure {
		a.noLongerFailing(before.Failure)
	}
	switch {
	case failed == nil:
		level.Debug(poll).Log("msg", "poll succeeded", "subtasks", len(next.Subtasks), "took", took)
	case before.Failure != next.Failure:
		a.failing[next.Failure]++
		if a.failing[next.Failure] > 1 || refusal(failed) { // a refusal was logged as the account's
			level.Debug(poll).Log("msg", "poll failed", "err", failed.Brief())
			break
		}
		level.Warn(poll).Log("msg", "poll failed; other servers that fail in the same way are logged at level debug", "err", failed.Brief())
	}
	for _, s := range transitions {
		subtask := log.With(l, "task_id", s.TaskID, "type", s.Type, "status", s.Status, "code", s.Code)
		if s.Before == nil {
			level.Debug(subtask).Log("msg", "new subtask")
			continue
		}
		level.Debug(subtask).Log("msg", "subtask changed", "status_before", s.Before.Status, "code_before", s.Before.Code)
	}
}

// noLongerFailing takes note that a server does not fail in some way any more; "": it did not.
func (a *account) noLongerFailing(failure string) {
	if failure == "" {
		return
	}
	a.failing[failure]--
	if a.failing[failure] == 0 {
		delete(a.failing, failure)
		level.Info(a.log).Log("msg", "no server's poll fails in this way any more", "result", failure)
	}
}
