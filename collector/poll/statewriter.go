package poll

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/state"
)

const (
	gatherFor      = 100 * time.Millisecond // how long updates are gathered for one batch
	retryAfter     = 10 * time.Second       // the pause after a write that failed
	saveAgainAfter = 5 * time.Minute        // the age of a stored last success while nothing else changes
	sweepEvery     = time.Hour              // how often servers that are gone are looked for
	sweepRetry     = time.Minute            // the same until the lists of all accounts have been read
)

// stateWriter writes what polls find to the state, in batches that no poll waits for. Readers see
// an update only once it is written: what was shown is not taken back by a crash, and no error is
// counted twice after one. Where writing fails, it is shown all the same, and written when that
// works again.
type stateWriter struct {
	state    State
	clock    *scan.Clock
	accounts func() []*account

	start   func() // begins to write, until close is called
	stop    context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{} // something is pending

	mu      sync.Mutex // taken with an account's mu held, never the other way round
	pending map[*server]*pendingUpdate
	writing map[*server]*pendingUpdate // not shown yet, either

	flushing sync.Mutex                    // held while a batch is written and shown
	failures map[string]map[string]float64 // by account and type, all that were ever counted
}

// pendingUpdate is what polls of a server found that no reader has seen yet.
type pendingUpdate struct {
	account     *account
	server      *server
	record      *scan.Record
	transitions []scan.Transition
}

func newStateWriter(s State, clock *scan.Clock, accounts func() []*account) *stateWriter {
	w := &stateWriter{
		state: s, clock: clock, accounts: accounts, wake: make(chan struct{}, 1),
		pending: make(map[*server]*pendingUpdate), failures: make(map[string]map[string]float64),
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.start, w.stop = sync.OnceFunc(func() { w.running.Go(func() { w.run(ctx) }) }), cancel
	return w
}

// close writes what is left, with the last success of every server, and stops.
func (w *stateWriter) close() {
	w.stop()
	w.running.Wait()
	w.takeAll(false)
	w.flush()
	w.sweep()
}

func (w *stateWriter) run(ctx context.Context) {
	sweep := time.After(0)
	for {
		select {
		case <-w.wake:
			for pause := gatherFor; sleep(ctx, pause) && !w.flush(); {
				pause = retryAfter
			}
		case <-sweep:
			sweep = time.After(w.sweep())
		case <-ctx.Done():
			return
		}
	}
}

// sweep has the state forget servers that have been gone for long, and returns when to do so again.
// Until every account's lists have been read it does not: servers that are not watched yet may well
// be in them.
func (w *stateWriter) sweep() (again time.Duration) {
	watched := make(map[state.Key]bool)
	for _, a := range w.accounts() {
		a.mu.Lock()
		complete := readCompletely(a.config.Discovery, a.found)
		watched[state.Key{Account: a.config.Name}] = true // failures
		for key := range a.servers {
			watched[state.Key{Account: a.config.Name, UUID: key}] = true
		}
		a.mu.Unlock()
		if !complete {
			return sweepRetry
		}
	}
	now := scan.InstantOf(w.clock.Now().Add(w.clock.Step()))
	// The state logs if it fails; the next sweep tries again.
	_, _ = w.state.Sweep(func(key state.Key) bool { return watched[key] }, now)
	return sweepEvery
}

// take takes an update for writing, or reports false if there is nothing to write. It is called
// with the account's mu held.
func (w *stateWriter) take(u *pendingUpdate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := u.server
	// While an earlier update waits or is being written, this one has to wait behind it.
	first := w.pending[s] == nil && w.writing[s] == nil
	if first && s.savedAt.Until(u.record.LastSuccess) < saveAgainAfter && s.entry.Record.SameKnowledge(u.record) {
		return false
	}
	w.put(u)
	return true
}

// takeAll takes all servers of whose last success the state does not know; of a new file that is
// all. The state then has them as polls know them.
func (w *stateWriter) takeAll(newFile bool) {
	for _, a := range w.accounts() {
		a.mu.Lock()
		w.mu.Lock()
		for _, s := range a.servers {
			if newFile || s.latest.LastSuccess > s.savedAt {
				w.put(&pendingUpdate{account: a, server: s, record: s.latest})
			}
		}
		w.mu.Unlock()
		a.mu.Unlock()
	}
}

// put is called with w.mu held.
func (w *stateWriter) put(u *pendingUpdate) {
	if before := w.pending[u.server]; before != nil {
		u.transitions = append(before.transitions, u.transitions...)
	}
	w.pending[u.server] = u
	signal(w.wake)
}

// flush writes and then publishes all updates. It reports whether everything there is has been
// written; what has not is pending again.
func (w *stateWriter) flush() bool {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	err := w.write()
	if errors.Is(err, state.ErrReplaced) {
		w.takeAll(true)
		err = w.write()
	}
	return err == nil
}

// write writes all updates together, and shows them. If that fails, which the state logs, they are
// pending again.
func (w *stateWriter) write() error {
	w.mu.Lock()
	w.writing, w.pending = w.pending, make(map[*server]*pendingUpdate)
	w.mu.Unlock()
	if len(w.writing) == 0 {
		return nil
	}
	batch := make([]state.Entry, 0, len(w.writing)+len(w.failures))
	for _, u := range w.writing {
		name := u.account.published.Name
		batch = append(batch, state.Entry{Key: state.Key{Account: name, UUID: u.record.Target.Key()}, Server: *u.record})
		for _, t := range u.transitions {
			if t.Failed() {
				w.failures[name][t.Type]++
			}
		}
	}
	for name := range w.failures {
		batch = append(batch, w.failuresEntry(name))
	}
	// A server that left and came back while writing failed is there twice: the newer counts.
	slices.SortFunc(batch, func(a, b state.Entry) int { return cmp.Compare(a.Server.LastSuccess, b.Server.LastSuccess) })
	err := w.state.Save(batch, w.clock.Step())
	for s, u := range w.writing {
		u.account.mu.Lock()
		s.savedAt = u.record.LastSuccess
		w.mu.Lock()
		delete(w.writing, s)
		newer := w.pending[s] != nil
		if err != nil {
			s.savedAt = -1
			if !newer {
				w.put(&pendingUpdate{account: u.account, server: s, record: s.latest})
			}
		}
		w.mu.Unlock()
		u.account.show(u, newer)
		u.account.unlock()
	}
	return err
}

// restore reads what the state has of servers that the account does not know.
func (a *account) restore(found discovery.Found) map[string]scan.Record {
	if a.writer == nil {
		return nil
	}
	a.mu.Lock()
	first := a.found.Servers.At.IsZero() // an offline server may have been watched before
	list := targets(a.config, found, a.owns, func(s *discovery.Server) bool { return first || a.servers[scan.KeyOf(s.UUID)] != nil || a.listed(s) })
	known := !slices.ContainsFunc(list, func(t target) bool { return a.servers[t.Key()] == nil })
	a.mu.Unlock()
	if known {
		return nil
	}
	stored, _ := a.writer.state.Restore(a.config.Name) // the state logs if it fails
	return stored
}

// open makes an account's failures known to events as they were counted by earlier processes, or
// before it left the configuration. label bounds the types: each process may have met others.
func (w *stateWriter) open(account string, label func(typ string) string, events Events) {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	failures := w.failures[account]
	if failures == nil {
		failures = make(map[string]float64)
		stored, _ := w.state.Restore(account)
		if sum, known := stored[""]; known { // else a version wrote it that had none
			stored = map[string]scan.Record{"": sum}
		}
		for _, s := range stored {
			for _, e := range s.Errors {
				failures[label(e.Type)] += e.Count
			}
		}
		w.failures[account] = failures
	}
	for typ, n := range failures {
		events.ScanFailures(account, typ, n)
	}
}

// failuresEntry is the sum of an account's failures, which the state has under no UUID. It is the
// sum of what was ever counted, not of what is watched: a counter that falls when a server leaves
// would look like new failures.
func (w *stateWriter) failuresEntry(account string) state.Entry {
	e := state.Entry{Key: state.Key{Account: account}, Server: scan.Record{Total: -1}}
	for _, typ := range slices.Sorted(maps.Keys(w.failures[account])) { // their labels are given out in this order
		e.Server.Errors = append(e.Server.Errors, scan.ErrorCount{Type: typ, Count: w.failures[account][typ]})
	}
	return e
}
