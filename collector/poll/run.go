package poll

import (
	"context"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// run polls servers as they are due, until the context ends or, for a Poller that polls once,
// nothing is left.
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

// next waits for a server that is due and for a call that may start, which it takes. It returns nil
// when the context ends, or when a Poller that polls once has nothing left.
func (a *account) next(ctx context.Context) *server {
	waiting := 0 // whether the limiter knows that a due server waits
	defer func() { a.limiter.queueUp(forPoll, -waiting) }()
	for ctx.Err() == nil {
		s, wait, due := a.take(a.now())
		if s != nil {
			return s
		}
		if wait < 0 && a.options.Once && a.triedAll() {
			return nil
		}
		waits := 0
		if due {
			waits = 1
		}
		a.limiter.queueUp(forPoll, waits-waiting)
		waiting = waits
		a.rest(ctx, wait)
	}
	return nil
}

// rest returns after a time (negative: never), when the queue has changed, or when the context
// ends.
func (a *account) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	over := timer.C
	if wait < 0 {
		over = nil
	}
	select {
	case <-over:
	case <-a.wake:
	case <-ctx.Done():
	}
}

// take returns the server to poll now, with a call of the limiter's, or how long to wait before one
// may be; negative: until a poll ends. due says that a server waits for the limiter only.
func (a *account) take(now time.Time) (s *server, wait time.Duration, due bool) {
	a.mu.Lock()
	defer a.unlock()
	if a.breaker.open {
		if a.options.Once || a.inFlight > 0 {
			return nil, -1, false
		}
		if now.Before(a.breaker.probeAt) {
			return nil, a.breaker.probeAt.Sub(now), false
		}
	}
	first, waits := a.queue.due()
	switch {
	case !waits || a.options.Once && !a.discoveredAll(): // no server is polled twice: all tasks and IDs come first
		return nil, -1, false
	case first.After(now):
		return nil, first.Sub(now), false
	}
	// Only now that a call may start is it decided for whom: what is most urgent at this moment
	// comes first.
	if left := a.limiter.take(now, forPoll); left > 0 {
		return nil, left, true
	}
	s = a.queue.pop(now)
	a.inFlight++
	s.polling, s.probe = true, a.breaker.open
	a.breaker.probeAt = now.Add(probeInterval)
	return s, 0, false
}

// triedAll reports whether a Poller that polls once has nothing left: all lists were tried, and no
// server waits.
func (a *account) triedAll() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, waits := a.queue.due()
	return a.breaker.open || !waits && a.discoveredAll()
}

// discoveredAll reports whether every list was tried to read. It is called with a.mu held.
func (a *account) discoveredAll() bool {
	return unread(a.config.Discovery, a.found) == 0 && a.listsTried()
}

// poll asks all of a server's questions and keeps what came of them. The first call has been taken
// of the limiter already.
func (a *account) poll(ctx context.Context, s *server) {
	start := a.now()
	a.mu.Lock()
	known, leaf := s.latest, leaves(s.latest)
	root, own := a.kinds.wanted(start)
	s.askedAnew, s.asking = false, known.Target
	a.mu.Unlock()
	taken := true
	turn := func(ctx context.Context) error {
		if taken {
			taken = false
			return ctx.Err()
		}
		return a.limiter.wait(ctx, forPoll)
	}
	results, failed := a.ask(ctx, s, turn, questions(known.Target, leaf, root, own), leaf, root && own)
	if (!root || !own) && failed == nil && lacking(known, leaf, results) {
		a.mu.Lock()
		a.kinds = taskIDKinds{}
		a.mu.Unlock()
		results, failed = a.ask(ctx, s, turn, questions(known.Target, leaf, true, true), leaf, true)
	}
	a.finish(s, start, results, failed)
	signal(a.wake)
}

// ask asks questions about a server, until one is refused or cut short; failed is the last failure.
// leaf has the IDs of its parts of tasks; both says that the questions carry both IDs of such
// tasks.
func (a *account) ask(ctx context.Context, s *server, turn func(context.Context) error, questions []question, leaf map[string]string, both bool) (results []scan.CallResult, failed *sas.Error) {
	results = make([]scan.CallResult, len(questions))
	for i, q := range questions {
		results[i] = scan.CallResult{Err: failed, TaskIDs: q.roots}
		if canceled(failed) || refusal(failed) {
			continue // the rest would end in the same way
		}
		answer, err := call(ctx, a, turn, func() bool { return a.holdsBack(s) }, func() (*sas.Answer, error) {
			return a.api.VulCheckTaskStatusDetail(ctx, q.Query)
		})
		results[i].Answer, results[i].Err = answer, err
		if err == nil {
			a.options.Events.Anomalies(a.config.Name, answer.Anomalies)
			a.underRoots(answer, leaf, both)
			continue
		}
		failed = err
	}
	return results, failed
}

// holdsBack reports whether a poll that waited for the limiter must not call any more, because
// others' calls have been refused meanwhile.
func (a *account) holdsBack(s *server) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.breaker.open && !s.probe
}

// underRoots gives an answer's subtasks the IDs of root tasks, and learns from it which kinds of ID
// the service knows if it was asked for both.
func (a *account) underRoots(answer *sas.Answer, leaf map[string]string, both bool) {
	if len(leaf) == 0 {
		return
	}
	byRoot, byLeaf := underRoots(answer, leaf)
	if both && len(answer.Subtasks) > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.kinds.learn(byRoot, byLeaf, a.now())
	}
}
