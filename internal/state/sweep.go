package state

import (
	"time"

	"go.etcd.io/bbolt"
)

// keptFor is how long a server that is no longer polled is remembered.
const keptFor = 7 * 24 * time.Hour

// change is what a sweep has to do to one server.
type change struct {
	key        []byte
	mark, drop bool // neither: its mark goes
}

// Sweep forgets servers that were found unwatched a week ago and ever since,
// and gives their number. watched says whether a server is polled now; it is
// called without any lock. A server that is saved while a sweep drops it is
// back with its next Save.
func (s *Store) Sweep(watched func(Key) bool, now time.Time) (dropped int, err error) {
	var keys [][]byte
	gone := make(map[string]time.Time)
	err = s.use("reading", func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket([]byte(serverBucket)).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				keys = append(keys, append([]byte(nil), k...))
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
		return 0, err
	}
	var changes []change
	for _, k := range keys {
		key, _ := decodeKey(k)
		since, marked := gone[string(k)]
		switch {
		case watched(key):
			if marked {
				changes = append(changes, change{key: k})
			}
		case !marked || since.After(now): // the clock was ahead then
			changes = append(changes, change{key: k, mark: true})
		case now.Sub(since) >= keptFor:
			changes = append(changes, change{key: k, drop: true})
			dropped++
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	if err := s.write(func(tx *bbolt.Tx) error { return apply(tx, changes, now) }); err != nil {
		return 0, err
	}
	return dropped, nil
}

func apply(tx *bbolt.Tx, changes []change, now time.Time) error {
	servers, gone := tx.Bucket([]byte(serverBucket)), tx.Bucket([]byte(goneBucket))
	for _, c := range changes {
		var err error
		if c.mark {
			err = gone.Put(c.key, encodeMark(c.key, now))
		} else {
			err = gone.Delete(c.key)
		}
		if c.drop && err == nil {
			err = servers.Delete(c.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
