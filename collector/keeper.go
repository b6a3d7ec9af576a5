package collector

import (
	"context"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/state"
)

const (
	// gatherFor is how long answers are gathered before they are written
	// together.
	gatherFor = 100 * time.Millisecond
	// retryAfter is the pause after a write that failed.
	retryAfter = 10 * time.Second
	// restampAfter is how old the stored time of a server's last success may
	// be while nothing else of it changes.
	restampAfter = 5 * time.Minute
	// sweepEvery is how often servers that are gone are looked for.
	sweepEvery = time.Hour
)

// State keeps what is known over restarts; *state.Store is one. It tells of its
// own troubles.
type State interface {
	Restore(account string) (map[string]state.Server, error)
	Save(batch []state.Entry) error
	Sweep(watched func(state.Key) bool, now time.Time) (dropped int, err error)
}

// keeper writes what polls find to the state, in batches that no poll waits
// for. A scrape sees it only once it is written: what was shown is not taken
// back by a crash, and no error is counted twice after one. Where writing
// fails, it is shown all the same, and written when that works again.
type keeper struct {
	state   State
	watched func() map[state.Key]bool

	wake chan struct{}
	stop context.CancelFunc // nil before start
	done chan struct{}

	mu      sync.Mutex
	pending map[*server]*finding

	flushing sync.Mutex // one flush at a time
	unsaved  map[state.Key]state.Entry
}

// finding is what polls of a server found that no scrape has seen yet.
type finding struct {
	account *account
	record  *record
	ended   []finished
}

func newKeeper(s State, watched func() map[state.Key]bool) *keeper {
	return &keeper{
		state: s, watched: watched, wake: make(chan struct{}, 1), done: make(chan struct{}),
		pending: make(map[*server]*finding), unsaved: make(map[state.Key]state.Entry),
	}
}

// start begins to write, until close is called.
func (k *keeper) start() {
	if k.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	go func() {
		defer close(k.done)
		k.run(ctx)
	}()
}

// close writes what is left and stops.
func (k *keeper) close() {
	if k.stop != nil {
		k.stop()
		<-k.done
	}
	k.flush()
}

func (k *keeper) run(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	k.sweep()
	for {
		var pause time.Duration
		select {
		case <-k.wake:
			pause = gatherFor
		case <-sweep.C:
			k.sweep()
			continue
		case <-ctx.Done():
			return
		}
		for pause > 0 && ctx.Err() == nil {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			pause = 0
			if !k.flush() {
				pause = retryAfter
			}
		}
	}
}

// sweep has the state forget servers that have been gone for long. The state
// tells if it fails; the next sweep tries again.
func (k *keeper) sweep() {
	watched := k.watched()
	_, _ = k.state.Sweep(func(key state.Key) bool { return watched[key] }, time.Now())
}

// keep takes a finding for writing, or says that there is nothing to write. It
// is called with the account's mu held.
func (k *keeper) keep(s *server, f *finding) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before := k.pending[s]; before != nil {
		before.record, before.ended = f.record, append(before.ended, f.ended...)
		return true
	}
	if s.record.sameKnowledge(f.record) && f.record.lastSuccess.Sub(s.stamped.time()) < restampAfter {
		return false
	}
	k.pending[s] = f
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return true
}

// restamp takes all servers of an account for writing whose last success the
// state does not have, as before a stop.
func (k *keeper) restamp(a *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range a.servers {
		if k.pending[s] == nil && instantOf(s.latest.lastSuccess) > s.stamped {
			k.pending[s] = &finding{account: a, record: s.latest}
		}
	}
}

// flush writes and then publishes all findings. It says whether everything
// there is has been written.
func (k *keeper) flush() (saved bool) {
	k.flushing.Lock()
	defer k.flushing.Unlock()
	k.mu.Lock()
	findings := k.pending
	k.pending = make(map[*server]*finding)
	k.mu.Unlock()
	for _, f := range findings {
		e := f.record.entry(f.account.config.Name)
		k.unsaved[e.Key] = e
	}
	saved = true
	if len(k.unsaved) > 0 {
		batch := make([]state.Entry, 0, len(k.unsaved))
		for _, e := range k.unsaved {
			batch = append(batch, e)
		}
		if saved = k.state.Save(batch) == nil; saved {
			clear(k.unsaved)
		}
	}
	for s, f := range findings {
		f.account.mu.Lock()
		f.account.show(s, f)
		s.stamped = instantOf(f.record.lastSuccess)
		f.account.mu.Unlock()
	}
	return saved
}
