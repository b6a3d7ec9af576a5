package poll

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/state"
)

const (
	// gatherFor is how long updates are gathered before they are written together.
	gatherFor = 100 * time.Millisecond
	// retryAfter is the pause after a write that failed.
	retryAfter = 10 * time.Second
	// sweepEvery is how often servers that are gone are looked for, and sweepRetry how often until
	// the lists of all accounts have been read.
	sweepEvery, sweepRetry = time.Hour, time.Minute
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
	// saveAgain is how old the stored time of a server's last success may be while nothing else of
	// it changes.
	saveAgain time.Duration

	flushing sync.Mutex // held while a batch is written and shown
	unsaved  map[state.Key]state.Entry
	failures map[string]map[string]float64 // by account and type, all that were ever counted
}

// pendingUpdate is what polls of a server found that no reader has seen yet.
type pendingUpdate struct {
	account       *account
	server        *server
	before, after *scan.Record
	ended         []scan.Finished
}

// failures are the errors that began, by type.
func (u *pendingUpdate) failures() map[string]float64 {
	sums := make(map[string]float64)
	for i, e := range u.after.Errors { // new errors come last
		if i < len(u.before.Errors) {
			e.Count -= u.before.Errors[i].Count
		}
		if e.Count > 0 {
			sums[e.Type] += e.Count
		}
	}
	return sums
}

func newStateWriter(s State, clock *scan.Clock, accounts func() []*account) *stateWriter {
	w := &stateWriter{
		state: s, clock: clock, accounts: accounts, wake: make(chan struct{}, 1), pending: make(map[*server]*pendingUpdate),
		saveAgain: 5 * time.Minute, unsaved: make(map[state.Key]state.Entry), failures: make(map[string]map[string]float64),
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.start, w.stop = sync.OnceFunc(func() { w.running.Go(func() { w.run(ctx) }) }), cancel
	return w
}

// close writes what is left, with the last success of every server, and stops.
func (w *stateWriter) close() {
	w.stop()
	w.running.Wait()
	w.saveAgain = time.Millisecond
	for _, a := range w.accounts() {
		a.mu.Lock()
		for _, s := range a.servers {
			w.take(&pendingUpdate{account: a, server: s, before: s.latest, after: s.latest})
		}
		a.mu.Unlock()
	}
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
		watched[failuresKey(a.config.Name)] = true
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
	_, _ = w.state.Sweep(func(key state.Key) bool { return watched[state.Key{Account: key.Account, UUID: scan.KeyOf(key.UUID)}] }, now)
	return sweepEvery
}

// take takes an update for writing, or reports false if there is nothing to write. It is called
// with the account's mu held.
func (w *stateWriter) take(u *pendingUpdate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := u.server
	if before := w.pending[s]; before != nil {
		before.after, before.ended = u.after, append(before.ended, u.ended...)
		return true
	}
	// While an earlier update is being written, this one has to wait behind it.
	recent := s.savedAt.Until(u.after.LastSuccess) < w.saveAgain
	if w.writing[s] == nil && recent && s.entry.Record.SameKnowledge(u.after) {
		return false
	}
	w.pending[s] = u
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return true
}

// flush writes and then publishes all updates. It reports whether everything there is has been
// written.
func (w *stateWriter) flush() (saved bool) {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	w.mu.Lock()
	w.writing, w.pending = w.pending, make(map[*server]*pendingUpdate)
	w.mu.Unlock()
	for _, u := range w.writing {
		w.add(u.account.published.Name, u.after, u.failures())
	}
	saved = w.save()
	for s, u := range w.writing {
		u.account.mu.Lock()
		u.account.show(u)
		w.mu.Lock()
		delete(w.writing, s)
		w.mu.Unlock()
		if saved {
			s.savedAt = u.after.LastSuccess
		}
		u.account.unlock()
	}
	return saved
}

// add adds a record to what has to be saved, and new failures to the account's.
func (w *stateWriter) add(account string, r *scan.Record, failures map[string]float64) {
	e := state.Entry{Key: state.Key{Account: account, UUID: r.Target.Key()}, Server: *r}
	w.unsaved[e.Key] = e
	for typ, n := range failures {
		w.failures[account][typ] += n
		w.unsaved[failuresKey(account)] = w.failuresEntry(account)
	}
}

// save writes what is not saved yet. The state logs if it fails.
func (w *stateWriter) save() bool {
	if len(w.unsaved) == 0 {
		return true
	}
	save := func() error { return w.state.Save(slices.Collect(maps.Values(w.unsaved)), w.clock.Step()) }
	err := save()
	if errors.Is(err, state.ErrReplaced) {
		w.addEverything()
		err = save()
	}
	if err != nil {
		return false
	}
	clear(w.unsaved)
	return true
}

// addEverything adds all that readers see to what has to be saved: the file is a new one.
func (w *stateWriter) addEverything() {
	newer := maps.Clone(w.unsaved)
	for _, a := range w.accounts() {
		name := a.published.Name
		w.unsaved[failuresKey(name)] = w.failuresEntry(name)
		for _, g := range a.published.Groups() {
			for _, r := range g.Load().List() {
				w.add(name, r, nil)
			}
		}
	}
	maps.Copy(w.unsaved, newer)
}
