package state

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"aliyun_vulscan_exporter/collector/scan"
)

// retention is how long a server that is no longer polled is remembered.
const retention = 7 * 24 * time.Hour

// action is what a sweep has to do to one server.
type action struct {
	key        []byte
	mark, drop bool // neither: its mark is removed
}

// Sweep forgets servers that were found unwatched a week ago and ever since, and returns their
// number. watched says whether a server is polled now; it is called without any lock, with the UUID
// in lower case. A server that is saved while a sweep drops it is back with its next Save. After an
// error the next sweep makes up for this one.
func (s *Store) Sweep(watched func(Key) bool, now scan.Instant) (dropped int, err error) {
	keys, gone, err := s.keysAndMarks()
	if err != nil {
		return 0, err
	}
	var actions []action
	for _, k := range keys {
		key, _ := decodeKey(k)
		since, marked := gone[string(k)]
		switch {
		case watched(key):
			if marked {
				actions = append(actions, action{key: k})
			}
		case !marked || since > now: // the clock was ahead then
			actions = append(actions, action{key: k, mark: true})
		case since.Until(now) >= retention:
			actions = append(actions, action{key: k, drop: true})
			dropped++
		}
	}
	if len(actions) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.write(func(tx *transaction) error { return apply(tx, actions, now) })
	s.report(err)
	if err != nil {
		return 0, err
	}
	return dropped, nil
}

// keysAndMarks returns the keys of all servers, and since when those that have a mark are gone.
func (s *Store) keysAndMarks() (keys [][]byte, gone map[string]scan.Instant, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone = make(map[string]scan.Instant)
	err = s.do("reading", func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket([]byte(serverBucket)).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				keys = append(keys, bytes.Clone(k))
			}
			c = tx.Bucket([]byte(goneBucket)).Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				if since, ok := decodeMark(k, v); ok {
					gone[string(k)] = since
				}
			}
			return nil
		})
	})
	if err != nil {
		s.report(err)
	}
	return keys, gone, err
}

func apply(tx *transaction, actions []action, now scan.Instant) error {
	for _, a := range actions {
		var err error
		if a.mark {
			err = tx.put(goneBucket, a.key, encodeMark(a.key, now))
		} else {
			err = tx.delete(goneBucket, a.key)
		}
		if a.drop && err == nil {
			err = tx.delete(serverBucket, a.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
