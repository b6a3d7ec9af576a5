package collector

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// probeInterval is the pause between calls while credentials are refused.
	probeInterval = 30 * time.Second
	// maxAttempts bounds the calls for one question while the API throttles.
	maxAttempts = 3
)

// start begins to poll, until stop is called or, for a collector that polls
// once, every server was tried.
func (a *account) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	go func() {
		defer close(a.done)
		stop := a.discover(ctx)
		defer stop()
		a.run(ctx)
	}()
}

// stop cancels the calls in flight and returns when nothing of the account
// runs any more.
func (a *account) stop() {
	a.cancel()
	<-a.done
	a.api.Close()
}

func (a *account) run(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	slots := make(chan struct{}, a.config.Concurrency)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		s := a.next(ctx)
		if s == nil {
			return
		}
		polls.Go(func() {
			a.poll(ctx, s)
			<-slots
		})
	}
}

// next waits for a server that is due. It gives nil when the context ends, or
// when a collector that polls once has nothing left.
func (a *account) next(ctx context.Context) *server {
	for ctx.Err() == nil {
		s, wait := a.take(time.Now())
		if s != nil {
			return s
		}
		if wait < 0 && a.once && a.triedAll() {
			return nil
		}
		timer := time.NewTimer(wait)
		due := timer.C
		if wait < 0 {
			due = nil
		}
		select {
		case <-due:
		case <-a.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// take gives the server to poll now, or how long to wait before one may be;
// negative: until a poll ends.
func (a *account) take(now time.Time) (*server, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused {
		if a.once || a.inFlight > 0 {
			return nil, -1
		}
		if now.Before(a.probeAt) {
			return nil, a.probeAt.Sub(now)
		}
	}
	s, wait := a.queue.pop(now)
	if s != nil {
		a.inFlight++
		s.polling, s.probe = true, a.refused
		a.probeAt = now.Add(probeInterval)
	}
	return s, wait
}

// poll asks all of a server's questions and keeps what came of them.
func (a *account) poll(ctx context.Context, s *server) {
	start := time.Now()
	a.mu.Lock()
	questions := s.questions
	a.mu.Unlock()
	outcomes := make([]outcome, len(questions))
	var failed *sas.Error
	for i, q := range questions {
		if refusal(failed) {
			outcomes[i] = outcome{err: failed} // the rest would end in the same way
			continue
		}
		answer, err := a.ask(ctx, s, q)
		outcomes[i] = outcome{answer: answer, err: err}
		if err != nil {
			failed = err
		}
		if canceled(failed) {
			break
		}
	}
	a.finish(s, start, outcomes, failed)
	a.poke()
}

// poke has the loop look at the queue again.
func (a *account) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// triedAll says whether discovery has been tried: for a collector that polls
// once, no server can come any more.
func (a *account) triedAll() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused || a.undiscovered() == 0
}

// ask puts one question, within the quota, and again where the failure says
// that this helps.
func (a *account) ask(ctx context.Context, s *server, q sas.Query) (*sas.Answer, *sas.Error) {
	for attempt := 1; ; attempt++ {
		if a.quota.wait(ctx) != nil || a.holdsBack(s) {
			return nil, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
		}
		sent := time.Now()
		answer, err := a.api.VulCheckTaskStatusDetail(ctx, q)
		if err == nil {
			a.quota.succeeded(time.Now())
			a.metrics.anomalies(a.config.Name, answer.Anomalies)
			return answer, nil
		}
		failed, ok := errors.AsType[*sas.Error](err)
		if !ok {
			failed = &sas.Error{Class: sas.Retryable, Result: sas.ResultResponse}
		}
		level.Debug(a.logger).Log("msg", "call failed", "uuid", q.UUID, "attempt", attempt, "class", failed.Class, "err", failed)
		if !a.again(failed, sent, attempt) {
			return nil, failed
		}
	}
}

// holdsBack says whether a poll that waited for the quota must not call any
// more, because others' calls have been refused meanwhile.
func (a *account) holdsBack(s *server) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused && !s.probe
}

// finish keeps what came of a poll and puts the server back into the queue. A
// poll that was cut short changes nothing: the server is due as before.
func (a *account) finish(s *server, start time.Time, outcomes []outcome, failed *sas.Error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	s.polling = false
	if canceled(failed) || s.gone {
		if !a.once {
			a.enqueue(s, now)
		}
		return
	}
	before := s.latest
	next, ended := before.answered(outcomes, a.interpretation(), now)
	s.latest = next
	if found := (&finding{a, next, ended}); a.keeper == nil || !a.keeper.keep(s, found) {
		a.show(s, found)
	}
	wait := probeInterval // a refusal says nothing of the server
	if !refusal(failed) {
		s.failures++
		if failed == nil {
			s.failures = 0
		}
		wait = nextPoll(next, s.failures, a.config.Settings, rand.Float64(), now)
	}
	if failed != nil {
		a.trouble = next.trouble
	}
	a.judge(failed)
	a.logCondition(before, next, failed)
	s.due = start.Add(wait)
	if s.askedAnew {
		s.due, s.askedAnew = now, false
	}
	a.enqueue(s, now)
}

// refusal says whether every other call of the account would fail like this.
func refusal(failed *sas.Error) bool {
	return failed != nil && (failed.Class == sas.Refused || failed.Class == sas.Clock)
}

// canceled says whether a call was cut short, by shutdown, reload or refusal.
func canceled(failed *sas.Error) bool { return failed != nil && failed.Class == sas.Canceled }

// judge opens the breaker when credentials are refused, and closes it when a
// call succeeds. Each is logged once. It is called with a.mu held.
func (a *account) judge(failed *sas.Error) {
	switch {
	case failed == nil && a.refused:
		a.refused = false
		level.Info(a.logger).Log("msg", "credentials accepted again, polling resumes")
	case refusal(failed) && !a.refused:
		a.refused = true
		a.probeAt = time.Now().Add(probeInterval)
		level.Error(a.logger).Log("msg", "calls are refused, the account is only probed until that is mended",
			"probe_interval", probeInterval, "err", failed)
	}
}

// logCondition logs when the first server of the account begins to fail in
// some way, and when none does any more: an outage of the service takes one
// line, not one a server. It is called with a.mu held.
func (a *account) logCondition(before, next *record, failed *sas.Error) {
	if before.failure == next.failure {
		return
	}
	a.noLonger(before.failure)
	if next.failure == "" {
		return
	}
	a.failingBy[next.failure]++
	log := level.Debug(a.logger)
	if a.failingBy[next.failure] == 1 && !refusal(failed) { // judge has told of a refusal
		log = level.Warn(a.logger)
	}
	log.Log("msg", "poll failed; other servers that fail in the same way are logged at level debug",
		"uuid", next.server.UUID, "task_id", strings.Join(next.server.TaskIDs, ","), "result", next.failure, "err", failed)
}

// noLonger takes note that a server does not fail in some way any more; "": it
// did not. It is called with a.mu held.
func (a *account) noLonger(failure string) {
	if failure == "" {
		return
	}
	a.failingBy[failure]--
	if a.failingBy[failure] == 0 {
		delete(a.failingBy, failure)
		level.Info(a.logger).Log("msg", "no server's poll fails in this way any more", "result", failure)
	}
}
