package state

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"aliyun_vulscan_exporter/collector/scan"
)

// put writes into a store's file what the store itself would not.
func put(t testing.TB, s *Store, bucket string, key, value []byte) {
	t.Helper()
	if err := s.update(func(tx *transaction) error { return tx.put(bucket, key, value) }); err != nil {
		t.Fatal(err)
	}
}

// alter changes a state file at rest, or makes one.
func alter(t testing.TB, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// saved makes a state file with some servers.
func saved(t testing.TB, path string, batch ...Entry) {
	t.Helper()
	s := open(t, path, newWitness())
	save(t, s, batch...)
	shut(t, s)
}

// refused checks that the file cannot be opened, for the reason given, that the error names it, and
// that it stays as it is and alone.
func refused(t *testing.T, path, reason string) {
	t.Helper()
	before := readFile(t, path)
	s, err := Open(path, newWitness().options())
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(before, readFile(t, path)) {
		t.Error("it was changed")
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(files) != 1 {
		t.Errorf("%v", files)
	}
}

// damagedFile returns a state file whose second page is lost.
func damagedFile(t testing.TB, filler byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	content, _ := sound(t, path, 20)
	copy(content[pageSize:2*pageSize], bytes.Repeat([]byte{filler}, pageSize))
	return content
}

func TestFileOfANewerVersionIsLeftAlone(t *testing.T) {
	for _, newer := range []uint64{version + 1, version + 8, math.MaxUint64} {
		path := filepath.Join(t.TempDir(), "state.db")
		saved(t, path, fleet("a", 3)...)
		alter(t, path, func(tx *bbolt.Tx) error {
			if err := tx.DeleteBucket([]byte(goneBucket)); err != nil { // it may have other buckets
				return err
			}
			return tx.Bucket([]byte(metaBucket)).Put([]byte(versionKey), encodeSummary(summary{version: newer}))
		})
		refused(t, path, "was written by a newer version of this program: upgrade, or name another --state.file")
	}
}

func TestUnreadableVersionIsDamage(t *testing.T) {
	for _, value := range []string{"", "0", "2", "10"} {
		path := filepath.Join(t.TempDir(), "state.db")
		saved(t, path, fleet("a", 3)...)
		alter(t, path, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(metaBucket)).Put([]byte(versionKey), []byte(value))
		})
		w := newWitness()
		open(t, path, w)
		w.logged(t, "its version cannot be read")
	}
}

func TestDatabaseOfAnotherProgramIsLeftAlone(t *testing.T) {
	for name, o := range map[string]*bbolt.Options{"": nil, ", without a freelist": {NoFreelistSync: true}, ", of larger pages": {PageSize: 16384}} {
		for what, change := range map[string]func(*bbolt.Tx) error{
			"nested buckets": func(tx *bbolt.Tx) error {
				outer, _ := tx.CreateBucket([]byte("outer"))
				for _, name := range []string{"small", "large"} {
					inner, _ := outer.CreateBucket([]byte(name))
					if name == "large" {
						inner.Put([]byte("k"), make([]byte, 100_000))
					}
					inner.Put([]byte("key"), []byte("value"))
				}
				return outer.Put([]byte("zkey"), nil)
			},
			"meta without version": func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte(metaBucket))
				return err
			},
		} {
			t.Run(what+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "state.db")
				db, err := bbolt.Open(path, 0o600, o)
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Update(change); err != nil {
					t.Fatal(err)
				}
				db.Close()
				refused(t, path, "is a database of another program: name another --state.file")
				content := readFile(t, path)
				clear(content[:pageSize])
				clear(content[len(content)/2:])
				writeFile(t, path, content)
				refused(t, path, "is not a state file of this program")
			})
		}
	}
}

func TestFileInUseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	batch := fleet("a", 3)
	s := open(t, path, newWitness())
	save(t, s, batch...)
	refused(t, path, "is in use, probably by another exporter: stop it, or give each its own --state.file")
	save(t, s, batch...)
	shut(t, s)
	holds(t, open(t, path, newWitness()), "a", byUUID(batch))
}

func TestUnusablePathIsExplained(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "file"), []byte("a"))
	for path, want := range map[string]string{
		dir:                                    "is a directory or device: name a file in --state.file",
		os.DevNull:                             "is a directory or device: name a file in --state.file",
		filepath.Join(dir, "missing", "state"): "no such file or directory: see that the file and its directory exist, are writable for the exporter and have room, or name another --state.file",
		filepath.Join(dir, "file", "state"):    "not a directory: see that",
		"":                                     "no such file or directory: see that",
	} {
		w := newWitness()
		if _, err := Open(path, w.options()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		w.logged(t)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("%v", files)
	}
}

func TestEmptyFileIsUsedAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	writeFile(t, path, nil)
	w := newWitness()
	s := open(t, path, w)
	w.logged(t, "state file is empty: error counters and last-change times start anew")
	if w.counted() != 1 {
		t.Errorf("%v errors", w.counted())
	}
	save(t, s, fleet("a", 2)...)
	holds(t, s, "a", byUUID(fleet("a", 2)))
}

func TestFileWhoseMakerWasKilledIsNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	alter(t, path, func(*bbolt.Tx) error { return nil })
	w := newWitness()
	s := open(t, path, w)
	save(t, s, fleet("a", 2)...)
	holds(t, s, "a", byUUID(fleet("a", 2)))
	w.logged(t)
}

func TestCompactedFileIsUsed(t *testing.T) {
	path, compacted := filepath.Join(t.TempDir(), "state.db"), filepath.Join(t.TempDir(), "compacted.db")
	_, want := sound(t, path, 100)
	src, err := bbolt.Open(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := bbolt.Open(compacted, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := bbolt.Compact(dst, src, 0); err != nil {
		t.Fatal(err)
	}
	src.Close()
	dst.Close()
	w := newWitness()
	s := open(t, compacted, w)
	holds(t, s, "alpha", want["alpha"])
	save(t, s, fleet("beta", 3)...)
	w.logged(t)
}

func TestSymbolicLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	saved(t, link, fleet("a", 2)...)
	holds(t, open(t, target, newWitness()), "a", byUUID(fleet("a", 2)))
}

func TestDamagedFileIsSetAsideBesideOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for i := range 3 { // within the same second, or nearly
		garbage := damagedFile(t, byte(i))
		writeFile(t, path, garbage)
		w := newWitness()
		s := open(t, path, w)
		w.logged(t, "state file is damaged and was set aside: error counters and last-change times start anew")
		for _, text := range []string{"level=error", "path=" + path, "set_aside=" + path + ".corrupt-20", "err="} {
			if !strings.Contains(w.log.String(), text) {
				t.Errorf("%q is missing: %s", text, w.log.String())
			}
		}
		if w.counted() != 1 {
			t.Errorf("%v errors", w.counted())
		}
		holds(t, s, "a", map[string]scan.Record{})
		save(t, s, fleet("a", 2)...)
		shut(t, s)
		found := false
		files, _ := filepath.Glob(path + ".*")
		for _, file := range files {
			if !regexp.MustCompile(`\.corrupt-\d{8}T\d{6}Z(-\d+)?$`).MatchString(file) {
				t.Error(file)
			}
			found = found || bytes.Equal(readFile(t, file), garbage)
		}
		if !found || len(files) != i+1 {
			t.Errorf("garbage %d is not in %v", i, files)
		}
		s = open(t, path, newWitness())
		holds(t, s, "a", byUUID(fleet("a", 2)))
		shut(t, s)
	}
}

func TestMissingBucketIsDamage(t *testing.T) {
	for _, name := range []string{serverBucket, goneBucket} {
		path := filepath.Join(t.TempDir(), "state.db")
		saved(t, path, fleet("a", 3)...)
		alter(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(name)) })
		w := newWitness()
		open(t, path, w)
		w.logged(t, "bucket "+name+" is missing")
	}
}

func TestDamagedKeyIsDamage(t *testing.T) {
	for _, name := range []string{serverBucket, goneBucket} {
		path := filepath.Join(t.TempDir(), "state.db")
		saved(t, path, fleet("a", 3)...)
		alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(name)).Put([]byte("\x01akey"), nil) })
		w := newWitness()
		open(t, path, w)
		w.logged(t, "bucket "+name)
	}
}

func TestDamagedValuesAreLeftOutAndReported(t *testing.T) {
	w, path := newWitness(), filepath.Join(t.TempDir(), "state.db")
	batch := fleet("a", 10)
	s := open(t, path, w)
	save(t, s, batch...)
	save(t, s, Entry{Key{"b", "u"}, typical(1)})
	for _, i := range []int{2, 5, 7} {
		put(t, s, serverBucket, encodeKey(batch[i].Key), encodeServer(encodeKey(batch[i+1].Key), &batch[i+1].Server, 0))
		batch[i].UUID = "lost"
	}
	want := byUUID(batch)
	delete(want, "lost")
	shut(t, s)
	s = open(t, path, w)
	holds(t, s, "b", map[string]scan.Record{"u": typical(1)})
	w.logged(t)
	holds(t, s, "a", want)
	w.logged(t, `msg="state of some servers is damaged: their error counters and last-change times start anew; check the disk"`)
	if !strings.Contains(w.log.String(), "account=a lost=3 restored=7 example=") || w.counted() != 3 {
		t.Errorf("%v errors, %s", w.counted(), w.log.String())
	}
}
