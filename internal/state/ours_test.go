package state

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestFileThatIsNoStateFileIsRefusedAndLeftAlone(t *testing.T) {
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	ours := filepath.Join(t.TempDir(), "state.db")
	content, _ := sound(t, ours, 20)
	for name, foreign := range map[string][]byte{
		"vulscan.yml":         []byte("accounts:\n  - name: production\n    region: cn-hangzhou\n"),
		"one byte":            {'a'},
		"text":                bytes.Repeat([]byte("text\n"), 20_000),
		"text that names us":  bytes.Repeat([]byte(mark+mark1+"\n"), 5000),
		"random bytes":        random,
		"zeros":               make([]byte, 40_000),
		"chunks/000001":       append([]byte{0x85, 0xBD, 0x40, 0xDD, 1, 0, 0, 0}, random...),
		"wal/00000000":        append([]byte{1, 0, 26, 0x5a, 0x5f, 0x2e}, random...),
		"index":               append([]byte{0xBA, 0xAA, 0xD7, 0x00, 2}, random...),
		"state.tar":           append(make([]byte, 512), content...),
		"sqlite":              append([]byte("SQLite format 3\x00"), random...),
		"no page but headers": content[:2*pageSize],
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			writeFile(t, path, foreign)
			refused(t, path, "is not a state file of this program, or too little of it is left")
			refused(t, path, "name another --state.file, or move this one away")
		})
	}
}

// A header with an intact checksum may still be nonsense.
func TestNonsenseInAHeaderIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, pageSize := range []int{1 << 10, 1 << 12, 1 << 16} {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if err := os.Truncate(path, int64(3*pageSize)); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is not a state file of this program")
		os.Remove(path)
	}
}

func TestDamagedFileIsOursByAnyPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for name, content := range map[string][]byte{
		"version 1": version1(t, path),
		"version 2": func() []byte { c, _ := sound(t, filepath.Join(t.TempDir(), "state.db"), 100); return c }(),
	} {
		found := 0
		for at := 2 * pageSize; at < len(content); at += pageSize {
			alone := make([]byte, len(content))
			copy(alone[at:], content[at:at+pageSize])
			writeFile(t, path, alone)
			if isOurs(path) {
				found++
			}
		}
		if found < 8 {
			t.Errorf("%s: only %d pages show it", name, found)
		}
		lost := bytes.Clone(content)
		clear(lost[:2*pageSize])
		writeFile(t, path, lost)
		w := newWitness()
		shut(t, open(t, path, w))
		w.logged(t, "was set aside")
		if aside, _ := filepath.Glob(path + ".corrupt-*"); len(aside) == 0 || !strings.Contains(w.log.String(), aside[len(aside)-1]) {
			t.Errorf("%s: %v", name, aside)
		}
	}
}
