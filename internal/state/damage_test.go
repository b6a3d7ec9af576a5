package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"aliyun_vulscan_exporter/collector/scan"
)

const pageSize = 4096 // of the files that are damaged here

// sound makes a state file that went through a life: several writes, servers replaced and dropped,
// marks, and values that changed with the last two writes. It returns what the file holds, by
// account.
func sound(t testing.TB, path string, servers int) (content []byte, want map[string]map[string]scan.Record) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	s := open(t, path, newWitness())
	want = map[string]map[string]scan.Record{}
	for i, account := range []string{"alpha", "beta"} {
		batch := fleet(account, servers)
		for j := range 4 {
			save(t, s, batch[j*servers/4:(j+1)*servers/4]...)
		}
		now := at(0)
		for range 2 - i { // drops servers of the first account only
			if _, err := s.Sweep(func(k Key) bool { return k.UUID[0] >= '3' }, now); err != nil {
				t.Fatal(err)
			}
			now = now.Add(retention)
		}
		if want[account], err = s.Restore(account); err != nil || len(want[account]) < servers/2 {
			t.Fatal(len(want[account]), err)
		}
	}
	for range 2 { // so that the transaction before differs from the last
		for account, servers := range want {
			var batch []Entry
			for uuid, server := range servers {
				server.Total++
				servers[uuid] = server
				batch = append(batch, Entry{Key{account, uuid}, server})
			}
			save(t, s, batch...)
		}
	}
	shut(t, s)
	return readFile(t, path), want
}

// survive opens a damaged file. What it still holds must be what was saved, and what it lost must
// be reported; afterwards it must serve as any other. It tells whether the file was set aside.
func survive(t *testing.T, path string, content []byte, want map[string]map[string]scan.Record) (setAside bool) {
	t.Helper()
	return outlive(t, path, content, want, true)
}

// outlive is survive, but looks only if it is told to at what is afterwards. It is much faster
// then, because no new file has to reach the disk.
func outlive(t *testing.T, path string, content []byte, want map[string]map[string]scan.Record, afterwards bool) (setAside bool) {
	t.Helper()
	os.Remove(path) // some file systems flush a file that is written over
	writeFile(t, path, content)
	w := newWitness()
	if !afterwards {
		o := w.options()
		s := &Store{path: path, logger: o.Logger, errors: o.Errors, lockWait: o.lockWait}
		if err := guarded(s.inspect); err != nil {
			return (errors.Is(err, errDamaged) || errors.Is(err, errPanicked)) && isOurs(path)
		}
	}
	s, err := Open(path, w.options())
	if err != nil {
		if !bytes.Equal(content, readFile(t, path)) {
			t.Errorf("it was refused (%v), and changed", err)
		}
		return false
	}
	defer s.Close()
	missing := 0
	for account, servers := range want {
		got, err := s.Restore(account)
		if err != nil {
			t.Error(err)
		}
		for uuid, server := range got {
			if !same(server, servers[uuid]) {
				t.Errorf("%s of %s is not what was saved", uuid, account)
			}
		}
		missing += len(servers) - len(got)
	}
	if missing > 0 && (w.counted() == 0 || !strings.Contains(w.log.String(), "level=error")) {
		t.Errorf("%d servers are missing and nothing was said", missing)
	}
	files, _ := filepath.Glob(path + ".*")
	for _, file := range files {
		os.Remove(file)
	}
	if !afterwards {
		return len(files) > 0
	}
	for account, servers := range want {
		var batch []Entry
		for uuid, server := range servers {
			batch = append(batch, Entry{Key{account, uuid}, server})
		}
		save(t, s, batch...)
		holds(t, s, account, servers)
	}
	if _, err := s.Sweep(func(k Key) bool { return k.UUID[0]%2 == 0 }, at(1e9)); err != nil {
		t.Error(err)
	}
	shut(t, s)
	sane(t, path)
	return len(files) > 0
}

// sane checks that a file is sound to the last page.
func sane(t *testing.T, path string) {
	t.Helper()
	content := readFile(t, path)
	size := binary.NativeEndian.Uint32(content[pageHeader+8:])
	if err := examine(bytes.NewReader(content), int64(len(content)), int(size)); err != nil {
		t.Error(err)
	}
}

func TestTruncatedFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 60)
	used := usedBytes(content)
	for n := 512; n <= len(content); n += 1536 {
		aside := outlive(t, path, content[:n], want, n%2048 == 0)
		if n <= 2*pageSize && aside || 3*pageSize <= n && n < used && !aside || n >= used && aside { // two pages do not show whose they are
			t.Errorf("%d bytes of %d, %d used: set aside: %t", n, len(content), used, aside)
		}
	}
}

// usedBytes returns the length of the pages in use. The rest is room for growth.
func usedBytes(content []byte) int {
	used := len(bytes.TrimRight(content, "\x00"))
	return (used + pageSize - 1) / pageSize * pageSize
}

// damages change a copy of a state file of so many used bytes at random.
var damages = map[string]func(rnd *rand.Rand, content []byte, used int){
	"bit of a header": func(rnd *rand.Rand, content []byte, _ int) {
		content[rnd.IntN(2)*pageSize+rnd.IntN(pageHeader+64)] ^= 1 << rnd.IntN(8)
	},
	"bit anywhere": func(rnd *rand.Rand, content []byte, used int) {
		content[rnd.IntN(used)] ^= 1 << rnd.IntN(8)
	},
	"bytes anywhere": func(rnd *rand.Rand, content []byte, used int) {
		at := rnd.IntN(used)
		for i := at; i < min(at+1+rnd.IntN(1000), used); i++ {
			content[i] = byte(rnd.Uint32())
		}
	},
	"two pages swapped": func(rnd *rand.Rand, content []byte, used int) {
		a, b := rnd.IntN(used)/pageSize*pageSize, rnd.IntN(used)/pageSize*pageSize
		page := bytes.Clone(content[a : a+pageSize])
		copy(content[a:a+pageSize], content[b:])
		copy(content[b:], page)
	},
	"two pages swapped with their numbers": func(rnd *rand.Rand, content []byte, used int) {
		a, b := 2*pageSize+rnd.IntN(used-2*pageSize)/pageSize*pageSize, 2*pageSize+rnd.IntN(used-2*pageSize)/pageSize*pageSize
		page := bytes.Clone(content[a+8 : a+pageSize])
		copy(content[a+8:a+pageSize], content[b+8:])
		copy(content[b+8:], page)
	},
	"a page in another's place": func(rnd *rand.Rand, content []byte, used int) {
		a, b := rnd.IntN(used)/pageSize*pageSize, rnd.IntN(used)/pageSize*pageSize
		copy(content[a:a+pageSize], content[b:])
	},
	"a page of zeros": func(rnd *rand.Rand, content []byte, used int) {
		at := rnd.IntN(used) / pageSize * pageSize
		clear(content[at : at+pageSize])
	},
	"the end of zeros": func(rnd *rand.Rand, content []byte, used int) {
		clear(content[rnd.IntN(used):])
	},
}

func TestDamageNeverChangesAValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 32)
	used := usedBytes(content)
	for name, damage := range damages {
		outcomes := map[bool]int{}
		for seed := range uint64(300) {
			damaged := bytes.Clone(content)
			damage(rand.New(rand.NewPCG(seed, 0)), damaged, used)
			outcomes[outlive(t, path, damaged, want, seed < 5)]++
			if t.Failed() {
				t.Fatalf("%s, seed %d", name, seed)
			}
		}
		if outcomes[true] < 5 { // one bit mostly damages one value
			t.Errorf("%s: set aside or not: %v", name, outcomes)
		}
	}
}

// A disk may lose a write and keep what a page held before.
func TestPageOfAnEarlierTransactionIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path, newWitness())
	versions := [][]byte{}
	want := map[string]map[string]scan.Record{"a": {}}
	for round := range 12 {
		batch := fleet("a", 60)
		for i := range batch {
			batch[i].Server.Total = int64(round)
		}
		save(t, s, batch...)
		want["a"] = byUUID(batch)
		versions = append(versions, readFile(t, path))
	}
	shut(t, s)
	last := versions[len(versions)-1]
	aside := 0
	for _, earlier := range versions[:len(versions)-2] { // of the one before even both headers would be right
		for at := 2 * pageSize; at+pageSize <= min(len(earlier), len(last)); at += pageSize {
			damaged := bytes.Clone(last)
			copy(damaged[at:at+pageSize], earlier[at:])
			if outlive(t, path, damaged, want, false) {
				aside++
			}
		}
	}
	if aside < 50 {
		t.Errorf("only %d files were set aside", aside)
	}
}

func TestEveryFlippedBitOfAPageHeaderIsNoticed(t *testing.T) {
	content, _ := sound(t, filepath.Join(t.TempDir(), "state.db"), 200)
	noticed := func(at, bit int) bool {
		content[at+bit/8] ^= 1 << (bit % 8)
		err := examine(bytes.NewReader(content), int64(len(content)), pageSize)
		content[at+bit/8] ^= 1 << (bit % 8)
		return errors.Is(err, errDamaged)
	}
	pages := map[byte]int{} // by kind
	for at := 2 * pageSize; at < len(content); at += pageSize {
		if !noticed(at, 0) {
			continue // a free page
		}
		if pages[content[at+8]]++; pages[content[at+8]] > 2 {
			continue // they are all alike
		}
		for bit := range 8 * (pageHeader + elementSize) { // and its first element
			if !noticed(at, bit) {
				t.Errorf("page %d of kind %d: bit %d", at/pageSize, content[at+8], bit)
			}
		}
	}
	if pages[leafPage] < 10 || pages[branchPage] < 1 || pages[freelistPage] != 1 {
		t.Errorf("pages by kind: %v", pages)
	}
}

func TestFileWithALostHeaderIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 60)
	first, second, rest := content[:pageSize], content[pageSize:2*pageSize], content[2*pageSize:]
	for name, damage := range map[string][]byte{
		"first":    slices.Concat(make([]byte, pageSize), second, rest),
		"second":   slices.Concat(first, make([]byte, pageSize), rest),
		"both":     slices.Concat(make([]byte, 2*pageSize), rest),
		"swapped":  slices.Concat(second, first, rest),
		"replaced": slices.Concat(first, first, rest),
	} {
		if !survive(t, path, damage, want) {
			t.Errorf("%s: it was not set aside", name)
		}
	}
}

func TestLoopOfPagesIsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 200)
	loops := 0
	for page := 2 * pageSize; page < len(content); page += pageSize {
		if content[page+8] != branchPage {
			continue
		}
		for element := range 3 { // makes children of the page and of its like
			damage := bytes.Clone(content)
			copy(damage[page+pageHeader+elementSize*element+8:][:8], content[page:])
			if survive(t, path, damage, want) {
				loops++
			}
		}
	}
	if loops < 3 {
		t.Errorf("only %d loops were found", loops)
	}
}
