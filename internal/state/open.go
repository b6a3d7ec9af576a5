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
	metaBucket   = "meta"    // versionKey → version
	serverBucket = "servers" // encodeKey → encodeServer
	goneBucket   = "gone"    // encodeKey → encodeMark: since when it is not polled

	versionKey = "version"
	version    = "1"
)

// errDamaged is an error that says that a file cannot be used any more.
var errDamaged = errors.New("damaged")

// Open opens the state file at path, or makes a new one. A damaged file is
// renamed, which is logged and counted, and a new one takes its place. Any
// other file that cannot be used is left as it is, and the error says what to
// do: one that may not be written, that another process uses, that a newer
// version wrote, or that is another program's.
func Open(path string, o Options) (*Store, error) {
	s := &Store{path: path, logger: o.Logger, errors: o.Errors}
	if o.lockWait == 0 {
		o.lockWait = 2 * time.Second
	}
	err := guarded(func() error { return s.inspect(o.lockWait) })
	if errors.Is(err, errDamaged) || errors.Is(err, errPanicked) {
		err = s.setAside(err)
	}
	if err != nil {
		return nil, err
	}
	if err := guarded(func() error { return s.open(o.lockWait) }); err != nil {
		return nil, unusable(path, err)
	}
	return s, nil
}

// inspect finds out whether bbolt may use the file. It writes nothing.
func (s *Store) inspect(lockWait time.Duration) error {
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
		level.Warn(s.logger).Log("msg", "state file is empty: error counters and last-change times start anew", "path", s.path)
		return nil
	}
	// Opened so, bbolt takes its lock and reads the two headers, and no more.
	db, err := bbolt.Open(s.path, 0, &bbolt.Options{ReadOnly: true, Timeout: lockWait, OpenFile: openExisting})
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
	file, err := os.Open(s.path)
	if err != nil {
		return unusable(s.path, err)
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return unusable(s.path, err)
	}
	stale, err := examine(file, info.Size(), db.Info().PageSize)
	if err != nil {
		return err
	}
	if stale {
		s.errors.Inc()
		level.Warn(s.logger).Log("msg", "one of the two headers of the state file is damaged: the last write may be lost", "path", s.path)
	}
	return db.View(s.identify)
}

// openExisting shows whether the file may be written, and never makes one.
func openExisting(path string, _ int, _ os.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR, 0)
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

// identify says whether a sound file is one of this package, whole and of its
// version. One without any bucket is new: its maker was killed early.
func (s *Store) identify(tx *bbolt.Tx) error {
	if name, _ := tx.Cursor().First(); name == nil {
		return nil
	}
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil || meta.Get([]byte(versionKey)) == nil {
		return fmt.Errorf("state file %s is a database of another program: name another --state.file", s.path)
	}
	if string(meta.Get([]byte(versionKey))) != version {
		return newer(s.path)
	}
	for _, name := range []string{serverBucket, goneBucket} {
		b := tx.Bucket([]byte(name))
		if b == nil {
			return damaged("bucket %s is missing", name)
		}
		err := b.ForEach(func(k, _ []byte) error {
			if _, ok := decodeKey(k); !ok {
				return damaged("bucket %s, key %.64q", name, k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	level.Error(s.logger).Log("msg", "state file is damaged and was set aside: error counters and last-change times start anew; check the disk",
		"path", s.path, "set_aside", aside, "err", damage)
	return nil
}

// open opens a file that was inspected, or makes a new one.
func (s *Store) open(lockWait time.Duration) error {
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	isNew := true
	if err = db.View(func(tx *bbolt.Tx) error {
		isNew = tx.Bucket([]byte(metaBucket)) == nil
		return nil
	}); err == nil && isNew {
		err = s.prepare(db)
	}
	if err != nil {
		_ = db.Close()
		return err
	}
	s.db = db
	return nil
}

// prepare makes a new file one of this package.
func (s *Store) prepare(db *bbolt.DB) error {
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{serverBucket, goneBucket, metaBucket} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(metaBucket)).Put([]byte(versionKey), []byte(version))
	})
	// The file's name has to last as what it holds does, where that can be asked for.
	if dir, openErr := os.Open(filepath.Dir(s.path)); openErr == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return err
}
