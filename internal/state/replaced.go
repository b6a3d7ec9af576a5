package state

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// errChanged says that the file is not what this store wrote last.
var errChanged = errors.New("somebody else deleted, replaced or changed it")

// check returns errChanged unless path still names the open file and that begins as this store left
// it. bbolt would go on with a deleted file, and panic over one that was cut short or overwritten.
func (s *Store) check() error {
	opened, err := s.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", errChanged, err)
	}
	h, intact := readHeader(s.file, uint64(s.lastID%2), s.pageSize)
	if !os.SameFile(opened, named) || !intact || h.Transaction != uint64(s.lastID) || h.Pages > uint64(named.Size())/uint64(s.pageSize) {
		return errChanged
	}
	return nil
}

// reopen replaces a lost file, as Open would: it makes a new one, or uses the state file that is at
// path now, but no other file. It never returns nil.
func (s *Store) reopen() error {
	_ = s.release()
	if err := s.open(); err != nil {
		return fmt.Errorf("state file %s was lost (%w), and no new one can be made: %w", s.path, s.lost, err)
	}
	err := fmt.Errorf("%w: %w", ErrReplaced, s.lost)
	s.lost = nil
	return err
}

// release closes the open file and frees its lock. After a panic it does not, because bbolt might
// wait for its own locks for ever; the file is then free when the process ends.
func (s *Store) release() error {
	db := s.db
	s.db = nil
	if db == nil || errors.Is(s.lost, errPanicked) {
		return nil
	}
	return db.Close()
}

// transaction is a bbolt transaction that counts what it does to the summary.
type transaction struct {
	*bbolt.Tx
	sums uint64
}

func (tx *transaction) put(bucket string, key, value []byte) error {
	b := tx.Bucket([]byte(bucket))
	tx.sums += uint64(storedSum(value)) - uint64(storedSum(b.Get(key)))
	return b.Put(key, value)
}

func (tx *transaction) delete(bucket string, key []byte) error {
	b := tx.Bucket([]byte(bucket))
	tx.sums -= uint64(storedSum(b.Get(key)))
	return b.Delete(key)
}

// update makes a change together with its summary. It returns errChanged if the file is not as the
// last transaction of this store left it.
func (s *Store) update(change func(*transaction) error) error {
	var written summary
	var id int
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if summaryOf(tx) != s.summary {
			return errChanged
		}
		t := &transaction{tx, s.summary.sums}
		if err := change(t); err != nil {
			return err
		}
		written, id = summary{version, t.sums}, tx.ID()
		return tx.Bucket([]byte(metaBucket)).Put([]byte(versionKey), encodeSummary(written))
	})
	if err == nil {
		s.summary, s.lastID = written, id
	}
	return err
}

// summaryOf returns the zero summary if the file has none that is intact.
func summaryOf(tx *bbolt.Tx) summary {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		return summary{}
	}
	s, ok := decodeSummary(meta.Get([]byte(versionKey)))
	if !ok {
		return summary{}
	}
	return s
}
