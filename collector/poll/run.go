package poll

import (
	"context"
	"sync"
	"time"

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
	case once && (a.breaker.open || first.IsZero() && !discovering):
		return nil, nothingLeft
	case first.IsZero() || discovering || a.inFlight >= a.config.Concurrency:
		return nil, untilWoken
	case a.breaker.open && now.Before(a.breaker.probeAt):
		return nil, a.breaker.probeAt.Sub(now)
	case first.After(now):
		return nil, first.Sub(now)
	}
	// Only now that a call may start is it decided for whom: what is most urgent at this moment
	// comes first.
	if left := a.limiter.take(now, forPoll); left > 0 {
		return nil, left
	}
	s = a.queue.pop(now)
	a.inFlight++
	s.polling = true
	a.breaker.probeAt = now.Add(probeInterval)
	return s, 0
}

// look has the loop look at the queue again.
func (a *account) look() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// poll asks all of a server's questions and keeps what came of them. The first call has been taken
// of the limiter already.
func (a *account) poll(ctx context.Context, s *server) {
	start := a.now()
	a.mu.Lock()
	known, leaf, probe := s.latest, leaves(s.latest), a.breaker.open
	root, own := a.kinds.wanted(start)
	s.asking = known.Target
	a.mu.Unlock()
	taken := true
	turn := func() bool {
		if taken {
			taken = false
			return ctx.Err() == nil
		}
		return a.turn(ctx, forPoll, 0, probe)
	}
	results, failed := a.ask(ctx, turn, known.Target, leaf, root, own)
	if (!root || !own) && failed == nil && lacking(known, leaf, results) {
		a.mu.Lock()
		a.kinds = taskIDKinds{}
		a.mu.Unlock()
		results, failed = a.ask(ctx, turn, known.Target, leaf, true, true)
	}
	a.finish(s, start, results, failed)
	a.look()
}

// ask asks all that there is to ask about a server, until a call is refused or cut short; failed is
// the last failure. leaf has the IDs of its parts of tasks; root and own say which of the two IDs of
// such a task to ask for.
func (a *account) ask(ctx context.Context, turn func() bool, t *scan.Target, leaf map[string]string, root, own bool) (results []scan.CallResult, failed *sas.Error) {
	asked := questions(t, leaf, root, own)
	results = make([]scan.CallResult, len(asked))
	for i, q := range asked {
		if refusal(failed) || canceled(failed) {
			results[i].Err = failed // the rest would end in the same way
			continue
		}
		answer, err := call(a, turn, func() (*sas.Answer, error) { return a.api.VulCheckTaskStatusDetail(ctx, q) })
		results[i] = scan.CallResult{Answer: answer, Err: err}
		if err != nil {
			failed = err
			continue
		}
		a.options.Events.Anomalies(a.config.Name, answer.Anomalies)
		if len(leaf) > 0 {
			byRoot, byLeaf := underRoots(answer, leaf)
			if root && own && len(answer.Subtasks) > 0 {
				a.mu.Lock()
				a.kinds.learn(byRoot, byLeaf, a.now())
				a.mu.Unlock()
			}
		}
	}
	if failed != nil {
		for i, q := range asked {
			results[i].TaskIDs = rootIDs(q.TaskIDs, leaf)
		}
	}
	return results, failed
}
