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
	// saveAgainAfter is how old the stored time of a server's last success may be while nothing
	// else of it changes.
	saveAgainAfter = 5 * time.Minute
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

	wake chan struct{}
	stop context.CancelFunc // nil before start
	done chan struct{}

	mu      sync.Mutex
	pending map[*server]*pendingUpdate

	flushing sync.Mutex // held while a batch is written and shown
	unsaved  map[state.Key]state.Entry
	failures map[string]map[string]float64 // by account and type, all that were ever counted
}

// pendingUpdate is what polls of a server found that no reader has seen yet.
type pendingUpdate struct {
	account  *account
	server   *server
	record   *scan.Record
	ended    []scan.Finished
	failures map[string]float64 // new ones, by type
}

// then adds a later update of the same server.
func (u *pendingUpdate) then(later *pendingUpdate) {
	u.record, u.ended = later.record, append(u.ended, later.ended...)
	for typ, n := range later.failures {
		if u.failures == nil {
			u.failures = make(map[string]float64)
		}
		u.failures[typ] += n
	}
}

func newStateWriter(s State, clock *scan.Clock, accounts func() []*account) *stateWriter {
	return &stateWriter{
		state: s, clock: clock, accounts: accounts, wake: make(chan struct{}, 1), done: make(chan struct{}),
		pending: make(map[*server]*pendingUpdate), unsaved: make(map[state.Key]state.Entry),
		failures: make(map[string]map[string]float64),
	}
}

// start begins to write, until close is called.
func (w *stateWriter) start() {
	if w.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() {
		defer close(w.done)
		w.run(ctx)
	}()
}

// close writes what is left, with the last success of every server, and stops.
func (w *stateWriter) close() {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
	for _, a := range w.accounts() {
		w.takeAll(a)
	}
	w.flush()
	w.sweep()
}

func (w *stateWriter) run(ctx context.Context) {
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	for {
		pause := gatherFor
		select {
		case <-w.wake:
		case <-sweep.C:
			if w.sweep() {
				sweep.Reset(sweepEvery)
			} else {
				sweep.Reset(sweepRetry)
			}
			continue
		case <-ctx.Done():
			return
		}
		for sleep(ctx, pause) && !w.flush() {
			pause = retryAfter
		}
	}
}

// sweep has the state forget servers that have been gone for long. It reports whether it did: until
// every account's lists have been read, servers that are not watched yet may well be in them.
func (w *stateWriter) sweep() bool {
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
			return false
		}
	}
	// The state logs if it fails; the next sweep tries again.
	_, _ = w.state.Sweep(func(key state.Key) bool { return watched[state.Key{Account: key.Account, UUID: scan.KeyOf(key.UUID)}] }, w.clock.Now().Add(w.clock.Step()))
	return true
}

// take takes an update for writing, or reports false if there is nothing to write. It is called
// with the account's mu held.
func (w *stateWriter) take(u *pendingUpdate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := u.server
	if before := w.pending[s]; before != nil {
		before.then(u)
		return true
	}
	// While an earlier update is being written, this one has to wait behind it.
	recent := s.savedAt.Until(u.record.LastSuccess) < saveAgainAfter
	if !s.saving && recent && s.entry.Record().SameKnowledge(u.record) {
		return false
	}
	w.pending[s] = u
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return true
}

// takeAll takes all servers of an account whose last success the state does not have, as before a
// stop.
func (w *stateWriter) takeAll(a *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range a.servers {
		if w.pending[s] == nil && s.latest.LastSuccess > s.savedAt {
			w.pending[s] = &pendingUpdate{account: a, server: s, record: s.latest}
		}
	}
}

// flush writes and then publishes all updates. It reports whether everything there is has been
// written.
func (w *stateWriter) flush() (saved bool) {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	updates := w.begin()
	for _, u := range updates {
		w.add(u)
	}
	saved = w.save()
	for s, u := range updates {
		u.account.mu.Lock()
		u.account.show(u)
		w.mu.Lock()
		s.saving = false
		if saved {
			s.savedAt = u.record.LastSuccess
		}
		w.mu.Unlock()
		u.account.unlock()
	}
	return saved
}

// begin returns the pending updates, which are being saved from now on.
func (w *stateWriter) begin() map[*server]*pendingUpdate {
	w.mu.Lock()
	defer w.mu.Unlock()
	updates := w.pending
	w.pending = make(map[*server]*pendingUpdate)
	for s := range updates {
		s.saving = true
	}
	return updates
}

// add adds what an update says to what has to be saved.
func (w *stateWriter) add(u *pendingUpdate) {
	name := u.account.published.Name
	e := entry(name, u.record, w.clock.Step())
	w.unsaved[e.Key] = e
	for typ, n := range u.failures {
		if n != 0 {
			w.failures[name][typ] += n
			w.unsaved[failuresKey(name)] = failuresEntry(name, w.failures[name])
		}
	}
}

// save writes what is not saved yet. The state logs if it fails.
func (w *stateWriter) save() bool {
	if len(w.unsaved) == 0 {
		return true
	}
	err := w.state.Save(slices.Collect(maps.Values(w.unsaved)))
	if errors.Is(err, state.ErrReplaced) {
		w.addEverything()
		err = w.state.Save(slices.Collect(maps.Values(w.unsaved)))
	}
	if err != nil {
		return false
	}
	clear(w.unsaved)
	return true
}

// addEverything adds all that readers see to what has to be saved: the file is a new one.
func (w *stateWriter) addEverything() {
	step := w.clock.Step()
	add := func(e state.Entry) {
		if _, newer := w.unsaved[e.Key]; !newer {
			w.unsaved[e.Key] = e
		}
	}
	for _, a := range w.accounts() {
		name := a.published.Name
		for _, g := range a.published.Groups() {
			for _, r := range g.Load().List {
				add(entry(name, r, step))
			}
		}
		add(failuresEntry(name, w.failures[name]))
	}
}
