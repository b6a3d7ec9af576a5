package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

const pageSize = 4096 // of the files that are damaged here

// sound makes a state file that went through a life: several writes, servers
// replaced and dropped, marks. It gives what the file holds, by account.
func sound(t testing.TB, path string, servers int) (content []byte, want map[string]map[string]Server) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	s := open(t, path, newWitness())
	want = map[string]map[string]Server{}
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
			now = now.Add(keptFor)
		}
		if want[account], err = s.Restore(account); err != nil || len(want[account]) < servers/2 {
			t.Fatal(len(want[account]), err)
		}
	}
	shut(t, s)
	return read(t, path), want
}

// survive opens a damaged file. It must not harm the process; what it still
// holds must be what was saved, and what it lost must be reported; afterwards
// it must serve as any other. It tells whether the file was set aside.
func survive(t *testing.T, path string, content []byte, want map[string]map[string]Server) (setAside bool) {
	t.Helper()
	write(t, path, content)
	w := newWitness()
	s, err := Open(path, w.options())
	if err != nil {
		if !bytes.Equal(content, read(t, path)) {
			t.Errorf("it was refused (%v), and changed", err)
		}
		return false
	}
	defer s.Close()
	s.db.NoSync = true // only for speed
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
	if missing > 0 && (w.counted() == 0 || w.log.Len() == 0) {
		t.Errorf("%d servers are missing and nothing was said", missing)
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
	sane(t, path)
	files, _ := filepath.Glob(path + ".*")
	for _, file := range files {
		os.Remove(file)
	}
	return len(files) > 0
}

// sane checks that a file is sound to the last page.
func sane(t *testing.T, path string) {
	t.Helper()
	content := read(t, path)
	size := binary.NativeEndian.Uint32(content[pageHeader+8:])
	if stale, err := examine(bytes.NewReader(content), int64(len(content)), int(size)); stale || err != nil {
		t.Errorf("%v, a header is lost: %t", err, stale)
	}
}

func TestTruncatedFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 60)
	lengths := []int{1, 15, 16, 79, 80, 1023, 1025, 4095, 4097, 8191, 8193, len(content) - 1, len(content)}
	for n := 512; n < len(content); n += 512 {
		lengths = append(lengths, n)
	}
	whole := 0 // the end of a file may be room for growth
	for _, n := range lengths {
		if !survive(t, path, content[:n], want) {
			whole++
			if used := bytes.TrimRight(content, "\x00"); n < len(used) {
				t.Errorf("%d bytes of %d were taken for all", n, len(used))
			}
		}
	}
	if whole < 2 || whole > len(lengths)/2 {
		t.Errorf("%d of %d lengths were taken for all", whole, len(lengths))
	}
}

func TestRandomDamageIsSurvivedAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 60)
	used := len(bytes.TrimRight(content, "\x00"))
	outcomes := map[bool]int{}
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		damage := bytes.Clone(content)
		at := rnd.IntN(used)
		switch seed % 4 {
		case 0, 1:
			damage[at] ^= 1 << rnd.IntN(8)
		case 2:
			for i := at; i < min(at+1+rnd.IntN(1000), len(damage)); i++ {
				damage[i] = byte(rnd.Uint32())
			}
		case 3: // a page in another's place
			from, to := rnd.IntN(used)/pageSize*pageSize, at/pageSize*pageSize
			copy(damage[to:to+pageSize], content[from:])
		}
		outcomes[survive(t, path, damage, want)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if outcomes[true] < 50 || outcomes[false] < 50 {
		t.Errorf("set aside or not: %v", outcomes)
	}
}

func TestEveryFlippedBitOfAPageHeaderIsNoticed(t *testing.T) {
	content, _ := sound(t, filepath.Join(t.TempDir(), "state.db"), 200)
	noticed := func(at, bit int) bool {
		content[at+bit/8] ^= 1 << (bit % 8)
		_, err := examine(bytes.NewReader(content), int64(len(content)), pageSize)
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

func TestLostHeaderIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content, want := sound(t, path, 60)
	for name, damage := range map[string][]byte{
		"first":    bytes.Join([][]byte{make([]byte, pageSize), content[pageSize:]}, nil),
		"second":   bytes.Join([][]byte{content[:pageSize], make([]byte, pageSize), content[2*pageSize:]}, nil),
		"replaced": bytes.Join([][]byte{content[:pageSize], content[:pageSize], content[2*pageSize:]}, nil),
	} {
		if survive(t, path, damage, want) {
			t.Errorf("%s: set aside", name)
		}
		write(t, path, damage)
		w := newWitness()
		shut(t, open(t, path, w))
		w.logged(t, "level=warn msg=\"one of the two headers of the state file is damaged: the last write may be lost\"")
		if w.counted() != 1 {
			t.Errorf("%s: %v errors", name, w.counted())
		}
	}
	if !survive(t, path, append(make([]byte, 2*pageSize), content[2*pageSize:]...), want) {
		t.Error("a file without headers was not set aside")
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

func TestFileThatShrinksWhileInUseIsAnError(t *testing.T) {
	w, path := newWitness(), filepath.Join(t.TempDir(), "state.db")
	sound(t, path, 200)
	s := open(t, path, w)
	if err := os.Truncate(path, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	_, restoring := s.Restore("alpha")
	_, sweeping := s.Sweep(func(Key) bool { return true }, at(0))
	for what, err := range map[string]error{"Save": s.Save(fleet("alpha", 200)), "Restore": restoring, "Sweep": sweeping} {
		if !errors.Is(err, errPanicked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	shut(t, s)
	shut(t, s)
	if w.counted() != 3 {
		t.Errorf("%v errors", w.counted())
	}
	w.logged(t, "level=error msg=\"state cannot be saved")
	w = newWitness()
	if _, err := Open(path, w.options()); err == nil { // the lock of the broken store stays
		t.Error("it was opened")
	}
}

func TestPanicWhileWritingIsAnError(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	err := s.write(func(*bbolt.Tx) error { panic(fmt.Errorf("no %s", "reason")) })
	if !errors.Is(err, errPanicked) {
		t.Errorf("%v", err)
	}
	if err := s.Save(fleet("a", 1)); !errors.Is(err, errPanicked) {
		t.Errorf("%v", err)
	}
}
