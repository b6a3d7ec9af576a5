package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-kit/log/level"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	metaBucket   = "meta"    // versionKey → encodeSummary
	serverBucket = "servers" // encodeKey → encodeServer
	goneBucket   = "gone"    // encodeKey → encodeMark: since when it is not polled

	versionKey = "version"
	version    = 2
)

// errDamaged is an error that says that a file cannot be used any more.
var errDamaged = errors.New("damaged")

// Open opens the state file at path, or makes a new one. A damaged file is renamed, which is logged
// and counted, and a new one takes its place. Any other file that cannot be used is left as it is,
// and the error says what to do: one that may not be written, that another process uses, that a
// newer version wrote, or that is no state file.
func Open(path string, o Options) (*Store, error) {
	s := &Store{path: path, logger: o.Logger, errors: o.Errors, lockWait: o.lockWait, noSync: o.noSync}
	if s.lockWait == 0 {
		s.lockWait = 2 * time.Second
	}
	s.effect = "error counters and last-change times start anew"
	if err := s.open(); err != nil {
		return nil, err
	}
	s.effect = "everything that is known is saved again"
	return s, nil
}

func (s *Store) open() error {
	err := guarded(s.inspect)
	if errors.Is(err, errDamaged) || errors.Is(err, errPanicked) {
		if !isOurs(s.path) {
			return fmt.Errorf("%s is not a state file of this program, or too little of it is left (%w): name another --state.file, or move this one away", s.path, err)
		}
		err = s.setAside(err)
	}
	if err != nil {
		return err
	}
	if err := guarded(s.use); err != nil {
		return unusable(s.path, err)
	}
	return nil
}

// inspect finds out whether bbolt may use the file. It writes nothing.
func (s *Store) inspect() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(s.path, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("state file %s is a directory or device: name a file in --state.file", s.path)
	case info.Size() == 0:
		s.errors.Inc()
		level.Warn(s.logger).Log("msg", "state file is empty: "+s.effect, "path", s.path)
		return nil
	}
	// Opened so, bbolt takes its lock and reads the two headers, and no more.
	var file *os.File
	db, err := bbolt.Open(s.path, 0, &bbolt.Options{ReadOnly: true, Timeout: s.lockWait, OpenFile: opener(&file, os.O_RDWR)})
	_, system := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, berrors.ErrVersionMismatch):
		return newer(s.path)
	case system || errors.Is(err, berrors.ErrTimeout):
		return unusable(s.path, err)
	case err != nil:
		return damaged("%w", err)
	}
	defer func() { _ = db.Close() }()
	if info, err = file.Stat(); err != nil {
		return unusable(s.path, err)
	}
	if err := examine(file, info.Size(), db.Info().PageSize); err != nil {
		return err
	}
	return db.View(s.identify)
}

// opener returns a function by which bbolt opens a file, in the way that flag says, and that shares
// the file with its caller.
func opener(file **os.File, flag int) func(string, int, os.FileMode) (*os.File, error) {
	return func(path string, _ int, mode os.FileMode) (opened *os.File, err error) {
		*file, err = os.OpenFile(path, flag, mode)
		return *file, err
	}
}

// unusable says what to do about a file that cannot be opened.
func unusable(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("state file %s is in use, probably by another exporter: stop it, or give each its own --state.file", path)
	}
	return fmt.Errorf("state file %s cannot be used: %w: see that the file and its directory exist, are writable for the exporter and have room, or name another --state.file", path, err)
}

func newer(path string) error {
	return fmt.Errorf("state file %s was written by a newer version of this program: upgrade, or name another --state.file", path)
}

// identify reports whether a sound file is one of this package, and all of it. One without any
// bucket is new: its maker was killed early.
func (s *Store) identify(tx *bbolt.Tx) error {
	if name, _ := tx.Cursor().First(); name == nil {
		return nil
	}
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil || meta.Get([]byte(versionKey)) == nil {
		return fmt.Errorf("state file %s is a database of another program: name another --state.file", s.path)
	}
	stored, ok := decodeSummary(meta.Get([]byte(versionKey)))
	switch {
	case !ok:
		return damaged("its version cannot be read")
	case stored.version > version:
		return newer(s.path)
	}
	sums, err := sumOfAll(tx)
	if err != nil || stored.version == 1 {
		return err
	}
	// Every page may be sound and still not the one that was written last.
	if stored.sums != sums {
		return damaged("its values are not the ones that were written last")
	}
	return nil
}

// sumOfAll adds up the checksums of all values. It returns errDamaged if a key or a bucket is
// damaged.
func sumOfAll(tx *bbolt.Tx) (sums uint64, err error) {
	for _, name := range []string{serverBucket, goneBucket} {
		b := tx.Bucket([]byte(name))
		if b == nil {
			return 0, damaged("bucket %s is missing", name)
		}
		err := b.ForEach(func(k, v []byte) error {
			if _, ok := decodeKey(k); !ok {
				return damaged("bucket %s, key %.64q", name, k)
			}
			sums += uint64(storedSum(v))
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sums, nil
}

// setAside renames a damaged file, never onto another one.
func (s *Store) setAside(damage error) error {
	s.errors.Inc()
	name := s.path + ".corrupt-" + time.Now().UTC().Format("20060102T150405Z")
	aside := name
	for i := 2; ; i++ {
		if _, err := os.Lstat(aside); err != nil {
			break
		}
		aside = fmt.Sprintf("%s-%d", name, i)
	}
	if err := os.Rename(s.path, aside); err != nil {
		return fmt.Errorf("state file %s cannot be read (%w) nor renamed: %w: move it away", s.path, damage, err)
	}
	level.Error(s.logger).Log("msg", "state file is damaged and was set aside: "+s.effect+"; check the disk",
		"path", s.path, "set_aside", aside, "err", damage)
	return nil
}

// use opens a file that was inspected, or makes a new one, and brings it to the present version.
func (s *Store) use() error {
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout: s.lockWait, FreelistType: bbolt.FreelistMapType, OpenFile: opener(&s.file, os.O_RDWR|os.O_CREATE),
		NoSync: s.noSync, NoGrowSync: s.noSync,
	})
	if err != nil {
		return err
	}
	s.db, s.pageSize = db, db.Info().PageSize
	err = db.View(func(tx *bbolt.Tx) error {
		s.summary, s.lastID = summaryOf(tx), tx.ID()
		return nil
	})
	if err == nil && s.summary.version == 1 {
		if err = s.update(convert); err == nil {
			level.Info(s.logger).Log("msg", "state file was converted: older versions of this program will refuse it", "path", s.path)
		}
	} else if err == nil && s.summary.version == 0 {
		err = s.update(createBuckets)
		s.syncDirectory()
	}
	if err != nil {
		_ = db.Close()
		s.db = nil
	}
	return err
}

func createBuckets(tx *transaction) error {
	for _, name := range []string{serverBucket, goneBucket, metaBucket} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// syncDirectory makes the name of a new file last, where the system can.
func (s *Store) syncDirectory() {
	if dir, err := os.Open(filepath.Dir(s.path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}
