package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"aliyun_vulscan_exporter/collector/scan"
)

// lose opens a state file with servers, and lets lose do away with it.
func lose(t *testing.T, how func(t *testing.T, path string)) (s *Store, w *witness, path string) {
	t.Helper()
	w, path = newWitness(), filepath.Join(t.TempDir(), "state.db")
	sound(t, path, 200)
	s = open(t, path, w)
	how(t, path)
	return s, w, path
}

// others put something that is no state file of ours in place of the file, as a new file or into
// the open one.
func others(t *testing.T) map[string][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	alter(t, path, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("theirs"))
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), make([]byte, 900_000))
	})
	return map[string][]byte{
		"text":     []byte("accounts:\n"),
		"database": readFile(t, path),
	}
}

func TestLostFileIsWrittenAnew(t *testing.T) {
	backup := filepath.Join(t.TempDir(), "backup.db")
	saved(t, backup, append(fleet("alpha", 2), Entry{Key{"gamma", "u"}, typical(9)})...)
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		how  func(t *testing.T, path string)
		also map[string]map[string]scan.Record // what the file holds that takes its place
		log  string                            // besides
	}{
		"deleted": {how: remove},
		"moved":   {how: func(t *testing.T, path string) { os.Rename(path, path+".bak") }},
		"replaced by an empty file": {how: func(t *testing.T, path string) {
			remove(t, path)
			writeFile(t, path, nil)
		}, log: "state file is empty: everything that is known is saved again"},
		"replaced by a backup": {how: func(t *testing.T, path string) {
			remove(t, path)
			writeFile(t, path, readFile(t, backup))
		}, also: map[string]map[string]scan.Record{"gamma": {"u": typical(9)}}},
		"overwritten by a backup": {how: func(t *testing.T, path string) {
			writeFile(t, path, readFile(t, backup))
			os.Truncate(path, 1<<20)
		}, also: map[string]map[string]scan.Record{"gamma": {"u": typical(9)}}},
		"emptied": {
			how: func(t *testing.T, path string) { os.Truncate(path, 0) },
			log: "state file is empty: everything that is known is saved again",
		},
		"cut short": {
			how: func(t *testing.T, path string) { os.Truncate(path, 4*pageSize) },
			log: "state file is damaged and was set aside: everything that is known is saved again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w, path := lose(t, tc.how)
			batch := fleet("alpha", 200)
			err := s.Save(batch[:1], 0)
			if !errors.Is(err, ErrReplaced) {
				t.Fatal(err)
			}
			if w.counted() < 1 {
				t.Errorf("%v errors", w.counted())
			}
			save(t, s, batch...)
			texts := []string{"level=error msg=\"state file was lost while in use, and a new one was made: everything that is known is saved again\"", "state is saved again"}
			if tc.log != "" {
				texts = append([]string{tc.log}, texts...)
			}
			w.logged(t, texts...)
			holds(t, s, "alpha", byUUID(batch))
			shut(t, s)
			sane(t, path)
			s = open(t, path, newWitness())
			holds(t, s, "alpha", byUUID(batch))
			holds(t, s, "gamma", maps.Collect(maps.All(tc.also["gamma"])))
		})
	}
}

func TestFileThatIsOverwrittenByOneOfTheSameAgeIsNoticed(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "state.db"), filepath.Join(t.TempDir(), "other.db")
	s := open(t, path, newWitness())
	save(t, s, fleet("a", 3)...)
	saved(t, other, fleet("b", 3)...) // with as many transactions
	writeFile(t, path, readFile(t, other))
	if err := s.Save(fleet("a", 1), 0); !errors.Is(err, ErrReplaced) {
		t.Error(err)
	}
	save(t, s, fleet("a", 3)...)
	holds(t, s, "a", byUUID(fleet("a", 3)))
	holds(t, s, "b", byUUID(fleet("b", 3)))
}

func TestFileOfOthersThatTookThePlaceIsNotWritten(t *testing.T) {
	for name, other := range others(t) {
		for way, how := range map[string]func(t *testing.T, path string){
			"a new file":    func(t *testing.T, path string) { os.Remove(path); writeFile(t, path, other) },
			"the same file": func(t *testing.T, path string) { writeFile(t, path, other) },
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				s, w, path := lose(t, how)
				batch := fleet("alpha", 200)
				for range 3 {
					err := s.Save(batch, 0)
					if err == nil || errors.Is(err, ErrReplaced) || !strings.Contains(err.Error(), "no new one can be made") || !strings.Contains(err.Error(), "name another --state.file") {
						t.Fatal(err)
					}
					if _, err := s.Sweep(func(Key) bool { return false }, at(0)); err == nil {
						t.Error("it was swept")
					}
					if !bytes.Equal(readFile(t, path), other) {
						t.Fatal("it was changed")
					}
				}
				if w.counted() < 3 {
					t.Errorf("%v errors", w.counted())
				}
				w.logged(t, "level=error msg=\"state cannot be saved")
				os.Remove(path)
				if err := s.Save(batch[:1], 0); !errors.Is(err, ErrReplaced) {
					t.Fatal(err)
				}
				save(t, s, batch...)
				holds(t, s, "alpha", byUUID(batch))
			})
		}
	}
}

func TestDirectoryThatIsGoneIsAnErrorUntilItIsBack(t *testing.T) {
	w, path := newWitness(), filepath.Join(t.TempDir(), "dir", "state.db")
	os.Mkdir(filepath.Dir(path), 0o755)
	s := open(t, path, w)
	os.RemoveAll(filepath.Dir(path))
	if err := s.Save(fleet("a", 2), 0); err == nil || errors.Is(err, ErrReplaced) {
		t.Fatal(err)
	}
	if _, err := s.Restore("a"); err == nil {
		t.Error("a lost file was read")
	}
	shutAfter := func() { os.Mkdir(filepath.Dir(path), 0o755) }
	shutAfter()
	if err := s.Save(fleet("a", 2), 0); !errors.Is(err, ErrReplaced) {
		t.Fatal(err)
	}
	save(t, s, fleet("a", 2)...)
	holds(t, s, "a", byUUID(fleet("a", 2)))
}

func TestSweepLeavesALostFileToTheNextSave(t *testing.T) {
	s, _, path := lose(t, func(_ *testing.T, path string) { os.Remove(path) })
	if _, err := s.Sweep(func(k Key) bool { return false }, at(0)); !errors.Is(err, errChanged) {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the sweep made a file that nobody fills")
	}
	if err := s.Save(fleet("alpha", 1), 0); !errors.Is(err, ErrReplaced) {
		t.Error(err)
	}
}

func TestLostFileIsNoticedByReadsAndWrittenAnewByTheNextSave(t *testing.T) {
	s, w, _ := lose(t, func(t *testing.T, path string) { os.Truncate(path, 2*pageSize) })
	_, restoring := s.Restore("alpha")
	_, sweeping := s.Sweep(func(Key) bool { return true }, at(0))
	for what, err := range map[string]error{"Restore": restoring, "Sweep": sweeping} {
		if !errors.Is(err, errChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w.counted() != 2 {
		t.Errorf("%v errors", w.counted())
	}
	w.logged(t, "level=error msg=\"state cannot be read", "level=error msg=\"state cannot be saved")
	if err := s.Save(fleet("alpha", 1), 0); err == nil || errors.Is(err, ErrReplaced) || !strings.Contains(err.Error(), "too little of it is left") {
		t.Error(err)
	}
}

// A disk that cannot read a page makes bbolt panic.
func TestPanicIsAnErrorUntilTheProgramIsRestarted(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	err := s.write(func(*transaction) error { panic(fmt.Errorf("no %s", "reason")) })
	if !errors.Is(err, errPanicked) {
		t.Errorf("%v", err)
	}
	if err := s.Save(fleet("a", 1), 0); !errors.Is(err, errPanicked) || !strings.Contains(err.Error(), "restart the exporter") {
		t.Errorf("%v", err)
	}
	if _, err := s.Restore("a"); !errors.Is(err, errPanicked) {
		t.Errorf("%v", err)
	}
	shut(t, s)
	shut(t, s)
}

func TestClosedStoreMakesNoNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path, newWitness())
	shut(t, s)
	os.Remove(path)
	if err := s.Save(fleet("a", 1), 0); err == nil || errors.Is(err, ErrReplaced) {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made anew")
	}
}
