// Package state keeps what is known of every server over restarts, in one bbolt file. It knows
// nothing of polling.
package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"aliyun_vulscan_exporter/collector/scan"
)

// Key identifies a server among those of all accounts. Any string will do. UUIDs that differ only
// in the case of ASCII letters are the same; the store always returns them in lower case.
type Key struct{ Account, UUID string }

// Entry is a server to be saved. codec.go lists what of it is.
type Entry struct {
	Key
	Server scan.Record
}

// Options are the logger and the counter that a Store uses.
type Options struct {
	Logger log.Logger
	Errors prometheus.Counter // failed reads and writes, and damaged entries that were found

	lockWait time.Duration // for a file that is in use; 0: 2 s
	noSync   bool          // for tests: a power failure may lose what was saved
}

// NewErrorCounter returns the counter for Options.Errors. It stays at 0 where no state is kept.
func NewErrorCounter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aliyun_vulscan_exporter_state_errors_total",
		Help: "Failed reads and writes of the state that is carried over restarts. Above 0: a restart may count errors twice; the log says why.",
	})
}

// ErrReplaced is the error of a Save that found the file deleted, replaced or overwritten, and
// opened a new one at its path. The new file lacks the entries of that Save and of all before it:
// the caller must save everything it knows.
var ErrReplaced = errors.New("the state file was lost while in use, and a new one was made")

// Store is an open state file. Its methods may be called concurrently.
type Store struct {
	path     string
	logger   log.Logger
	errors   prometheus.Counter
	lockWait time.Duration
	noSync   bool
	effect   string // what the loss of the file means, for the log

	mu       sync.Mutex // guards all below
	db       *bbolt.DB  // nil: the file was lost and could not be made anew
	file     *os.File   // the one that db uses
	pageSize int
	summary  summary // as written last
	lastID   int     // of the transaction that wrote it
	lost     error   // why db must not be used any more; nil: it may
	closed   bool
	failing  bool // the last write failed
}

var errPanicked = errors.New("the database gave up")

// guarded runs op. A panic becomes an error, and so does a page of a mapped file that the disk
// cannot give or that is no longer there.
func guarded(op func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return op()
}

// do runs op, guarded, on a file that is still the right one. It counts a failure and says what op
// was to do. mu is held.
func (s *Store) do(what string, op func() error) error {
	err := s.lost
	switch {
	case s.closed:
		err = berrors.ErrDatabaseNotOpen
	case err == nil:
		err = guarded(func() error {
			if err := s.check(); err != nil {
				return err
			}
			return op()
		})
		if errors.Is(err, errPanicked) {
			err = fmt.Errorf("%w: restart the exporter, which sets a damaged file aside", err)
		}
		if errors.Is(err, errPanicked) || errors.Is(err, errChanged) {
			s.lost = err
		}
	}
	if err == nil {
		return nil
	}
	s.errors.Inc()
	return fmt.Errorf("%s state file %s: %w", what, s.path, err)
}

// Restore returns what is known of an account's servers, by UUID in lower case. Entries that are
// damaged are left out, counted and logged; an error means that none could be read.
func (s *Store) Restore(account string) (map[string]scan.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	servers := make(map[string]scan.Record)
	var lost []string
	err := s.do("reading", func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			prefix := accountPrefix(account)
			c := tx.Bucket([]byte(serverBucket)).Cursor()
			for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
				key, _ := decodeKey(k) // Open found all keys intact
				if server, ok := decodeServer(k, v); ok {
					servers[key.UUID] = server
				} else {
					lost = append(lost, key.UUID)
				}
			}
			return nil
		})
	})
	if err != nil {
		level.Error(s.logger).Log("msg", "state cannot be read: error counters and last-change times of an account start anew", "account", account, "err", err)
		return nil, err
	}
	if len(lost) > 0 {
		s.errors.Add(float64(len(lost)))
		level.Error(s.logger).Log("msg", "state of some servers is damaged: their error counters and last-change times start anew; check the disk",
			"path", s.path, "account", account, "lost", len(lost), "restored", len(servers), "example", lost[0])
	}
	return servers, nil
}

// Save stores all entries or none, in place of what was stored of the same servers. step is how far
// the system's clock, by which the next process starts, is ahead of that of the entries' times. They
// are on disk when it returns nil. After an error the store can still be used: a full disk, say, may have
// room again. After ErrReplaced the caller must save everything it knows. bbolt refuses an account
// and UUID of more than 32 KiB together.
func (s *Store) Save(batch []Entry, step time.Duration) error {
	if len(batch) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(func(tx *transaction) error {
		for _, e := range batch {
			key := encodeKey(e.Key)
			if err := tx.put(serverBucket, key, encodeServer(key, &e.Server, step)); err != nil {
				return fmt.Errorf("server %.64q of account %.64q: %w", e.UUID, e.Account, err)
			}
		}
		return nil
	})
	if errors.Is(s.lost, errChanged) && !s.closed {
		err = s.reopen()
	}
	s.report(err)
	return err
}

// write makes a change that lasts. mu is held.
func (s *Store) write(change func(*transaction) error) error {
	return s.do("writing", func() error { return s.update(change) })
}

// report logs when writes begin and end to fail.
func (s *Store) report(err error) {
	failed := err != nil
	switch {
	case errors.Is(err, ErrReplaced):
		level.Error(s.logger).Log("msg", "state file was lost while in use, and a new one was made: "+s.effect, "err", err)
	case s.failing == failed:
	case failed:
		level.Error(s.logger).Log("msg", "state cannot be saved: a restart now would count errors again and lose last-change times; check the disk's free space and the file's permissions",
			"err", err)
	default:
		level.Info(s.logger).Log("msg", "state is saved again", "path", s.path)
	}
	s.failing = failed
}

// Close releases the file. What was saved is on disk already. It may be called again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if err := s.release(); err != nil {
		return fmt.Errorf("closing state file %s: %w", s.path, err)
	}
	return nil
}
