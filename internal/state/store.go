// Package state keeps what is known of every server over restarts, in one
// bbolt file. It knows nothing of polling.
package state

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
)

// Key identifies a server among those of all accounts. Any string will do.
type Key struct{ Account, UUID string }

// Server is what is known of one server. Times are kept to the millisecond.
type Server struct {
	LastSuccess time.Time // last successful poll; zero: never
	EmptySince  time.Time // since when answers carry no subtask; zero: the last did
	TotalCount  int64     // of the last answer, -1: none
	Subtasks    []Subtask
	Errors      []ErrorCount
}

// Subtask is what is known of one scan of a server for one type.
type Subtask struct {
	TaskID, Type string
	Status       float64   // as reported; NaN: the service reported none
	Code         string    // the error code as reported, "" while there is none
	Changed      time.Time // first sight of the present status and code
	StatusSince  time.Time // first sight of the present status
	Started      time.Time // first sight of it unfinished; zero: never seen so
	Question     int       // which of the server's questions it answers
}

// ErrorCount is how often subtasks of one type went into one error code.
type ErrorCount struct {
	Type, Code string
	Count      float64
	Created    time.Time
}

// Entry is a server to be saved.
type Entry struct {
	Key
	Server Server
}

// Options are what a Store needs of its surroundings.
type Options struct {
	Logger log.Logger
	Errors prometheus.Counter // failed reads and writes, and what was found lost

	lockWait time.Duration // for a file that is in use; 0: 2 s
}

// Store is an open state file. Its methods may be called concurrently.
type Store struct {
	path   string
	logger log.Logger
	errors prometheus.Counter

	mu      sync.Mutex // held while db is in use
	db      *bbolt.DB
	broken  error       // a panic of bbolt, which may have left locks of its own behind
	failing atomic.Bool // the last write failed
}

var errPanicked = errors.New("the database gave up")

// guarded runs op. A panic becomes an error, and so does a page of a mapped
// file that the disk cannot give or that is no longer there.
func guarded(op func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return op()
}

// use runs op, guarded and alone. It counts a failure and says what op was to do.
func (s *Store) use(what string, op func(*bbolt.DB) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.broken
	if err == nil {
		err = guarded(func() error { return op(s.db) })
		if errors.Is(err, errPanicked) {
			err = fmt.Errorf("%w: restart the exporter, which sets a damaged file aside", err)
			s.broken = err
		}
	}
	if err == nil {
		return nil
	}
	s.errors.Inc()
	return fmt.Errorf("%s state file %s: %w", what, s.path, err)
}

// Restore gives what is known of an account's servers, by UUID. Entries that
// are damaged are left out, counted and logged; an error means that none could
// be read.
func (s *Store) Restore(account string) (map[string]Server, error) {
	servers := make(map[string]Server)
	var lost []string
	err := s.use("reading", func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
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
		return nil, err
	}
	if len(lost) > 0 {
		s.errors.Add(float64(len(lost)))
		level.Error(s.logger).Log("msg", "state of some servers is damaged: their error counters and last-change times start anew; check the disk",
			"path", s.path, "account", account, "lost", len(lost), "kept", len(servers), "example", lost[0])
	}
	return servers, nil
}

// Save stores all entries or none, in place of what was stored of the same
// servers. They are on disk when it returns nil. After an error the store can
// still be used: a full disk, say, may have room again. bbolt refuses an
// account and UUID of more than 32 KiB together.
func (s *Store) Save(batch []Entry) error {
	if len(batch) == 0 {
		return nil
	}
	return s.write(func(tx *bbolt.Tx) error {
		servers := tx.Bucket([]byte(serverBucket))
		for _, e := range batch {
			key := encodeKey(e.Key)
			if err := servers.Put(key, encodeServer(key, e.Server)); err != nil {
				return fmt.Errorf("server %.64q of account %.64q: %w", e.UUID, e.Account, err)
			}
		}
		return nil
	})
}

// write makes a change that lasts, and logs when such begin and end to fail.
func (s *Store) write(change func(*bbolt.Tx) error) error {
	err := s.use("writing", func(db *bbolt.DB) error { return db.Update(change) })
	switch failed := err != nil; {
	case s.failing.Swap(failed) == failed:
	case failed:
		level.Error(s.logger).Log("msg", "state cannot be saved: a restart now would count errors again and lose last-change times; check the disk's free space and the file's permissions",
			"err", err)
	default:
		level.Info(s.logger).Log("msg", "state is saved again", "path", s.path)
	}
	return err
}

// Close gives the file free. What was saved is on disk already. It may be
// called again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil // bbolt might wait for its own locks; the file is free when the process ends
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing state file %s: %w", s.path, err)
	}
	return nil
}
