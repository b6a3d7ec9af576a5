package poll

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// untilWoken is how long to wait for what wakes the loop when it comes.
	untilWoken = time.Hour
	// nothingLeft says that a Poller that polls once has tried all lists and servers.
	nothingLeft = -1
)

// run polls servers as they are due, until the context ends or, for a Poller that polls once,
// nothing is left.
func (a *account) run(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	for ctx.Err() == nil {
		s, wait := a.take(a.now())
		if s != nil {
			polls.Go(func() { a.poll(ctx, s) })
			continue
		}
		if wait == nothingLeft {
			return
		}
		select {
		case <-time.After(wait):
		case <-a.wake:
		case <-ctx.Done():
		}
	}
}

// take returns the server to poll now, with a call of the limiter's, or how long to wait before
// there may be one.
func (a *account) take(now time.Time) (s *server, wait time.Duration) {
	a.mu.Lock()
	defer a.unlock()
	first, once := a.queue.due(), a.options.Once
	// No server is polled twice by a Poller that polls once: all tasks and IDs come first.
	discovering := once && (unread(a.config.Discovery, a.found) > 0 || !a.listsTried())
	switch {
	case once && (a.refused || first.IsZero() && !discovering):
		return nil, nothingLeft
	case first.IsZero() || discovering || a.inFlight >= a.config.Concurrency:
		return nil, untilWoken
	case a.refused && now.Before(a.probeAt):
		return nil, a.probeAt.Sub(now)
	case first.After(now):
		return nil, first.Sub(now)
	}
	// Only now that a call may start is it decided for whom: what is most urgent at this moment
	// comes first.
	if left := a.limiter.take(now, forPoll, time.Time{}); left > 0 {
		return nil, left
	}
	s = a.queue.pop(now)
	a.inFlight++
	s.polling = true
	a.probeAt = now.Add(probeInterval)
	return s, 0
}

// poll asks all of a server's questions and keeps what came of them. The first call has been taken
// of the limiter already.
func (a *account) poll(ctx context.Context, s *server) {
	start := a.now()
	a.mu.Lock()
	known, probe := s.latest, a.refused
	s.asking = known.Target
	a.mu.Unlock()
	taken := true
	results, failed := a.ask(ctx, known, func() bool {
		if taken {
			taken = false
			return ctx.Err() == nil
		}
		return a.turn(ctx, forPoll, time.Time{}, probe)
	})
	a.finish(s, start, results, failed)
	signal(a.wake)
}

// ask asks all that there is to ask about a server, until a call is refused or cut short; failed is
// the last failure.
func (a *account) ask(ctx context.Context, known *scan.Record, turn func() bool) (results []scan.CallResult, failed *sas.Error) {
	a.mu.Lock()
	root, own := a.kinds.wanted(a.now())
	a.mu.Unlock()
	leaf := leaves(known)
	asked := questions(known.Target, leaf, root, own)
	results = make([]scan.CallResult, len(asked))
	for i, q := range asked {
		results[i] = scan.CallResult{Err: failed, TaskIDs: q.roots}
		if refusal(failed) || canceled(failed) {
			continue // the rest would end in the same way
		}
		answer, err := call(a, turn, func() (*sas.Answer, error) { return a.api.VulCheckTaskStatusDetail(ctx, q.Query) })
		results[i].Answer, results[i].Err = answer, err
		if err != nil {
			failed = err
			continue
		}
		a.options.Events.Anomalies(a.config.Name, answer.Anomalies)
		if byRoot, byLeaf := underRoots(answer, leaf); root && own && len(leaf) > 0 && len(answer.Subtasks) > 0 {
			a.mu.Lock()
			a.kinds.learn(byRoot, byLeaf, a.now())
			a.mu.Unlock()
		}
	}
	if failed == nil && (!root || !own) && lacking(known, leaf, results) { // both are wanted from now on
		a.mu.Lock()
		a.kinds = taskIDKinds{}
		a.mu.Unlock()
		return a.ask(ctx, known, turn)
	}
	return results, failed
}

// maxAttempts bounds the calls for one question while the API throttles.
const maxAttempts = 3

// call makes a call when turn says that it may start, and again where the failure says that this
// helps.
func call[T any](a *account, turn func() bool, send func() (T, error)) (T, *sas.Error) {
	var none T
	for attempt := 1; ; attempt++ {
		if !turn() {
			return none, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
		}
		sent := a.now()
		answer, err := send()
		if err == nil {
			a.limiter.succeeded()
			return answer, nil
		}
		failed, ok := errors.AsType[*sas.Error](err)
		if !ok {
			failed = &sas.Error{Class: sas.Retryable, Result: sas.ResultResponse}
		}
		again := failed.Again && attempt == 1
		if failed.Class == sas.Throttled {
			a.limiter.throttled(sent, failed.RetryAfter)
			again = attempt < maxAttempts
		}
		a.mu.Lock()
		level.Debug(a.log).Log("msg", "call failed", "uuid", failed.UUID, "attempt", attempt, "class", failed.Class, "err", failed.Brief())
		a.unlock()
		if !again {
			return none, failed
		}
	}
}

// turn waits for a call of the limiter's and reports whether it may start: the context has not ended
// and, unless this is a probe, the credentials are not refused by then.
func (a *account) turn(ctx context.Context, what purpose, behindPolls time.Time, probe bool) bool {
	err := a.limiter.wait(ctx, what, behindPolls)
	a.mu.Lock()
	defer a.mu.Unlock()
	return err == nil && (probe || !a.refused)
}

// probeInterval is the pause between calls while credentials are refused.
const probeInterval = 30 * time.Second

// judge has an account's credentials count as refused when a poll is, and as accepted when one
// succeeds. Each is logged once.
func (a *account) judge(failed *sas.Error, now time.Time) {
	switch {
	case failed == nil && a.refused:
		a.refused = false
		level.Info(a.log).Log("msg", "credentials accepted again, polling resumes")
	case refusal(failed) && !a.refused:
		a.refused, a.probeAt = true, now.Add(probeInterval)
		level.Error(a.log).Log("msg", "calls are refused, the account is only probed until that is mended",
			"probe_interval", probeInterval, "err", failed.Brief())
	}
}

// refusal reports whether every other call of the account would fail like this.
func refusal(failed *sas.Error) bool {
	return failed != nil && (failed.Class == sas.Refused || failed.Class == sas.Clock)
}

// canceled reports whether a call was cut short, by shutdown, reload or refusal.
func canceled(failed *sas.Error) bool { return failed != nil && failed.Class == sas.Canceled }
