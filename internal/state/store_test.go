package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"aliyun_vulscan_exporter/collector/scan"
)

// witness hears what a store logs and counts.
type witness struct {
	log    bytes.Buffer
	errors prometheus.Counter
}

func newWitness() *witness {
	return &witness{errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "errors_total"})}
}

func (w *witness) options() Options {
	return Options{Logger: log.NewLogfmtLogger(log.NewSyncWriter(&w.log)), Errors: w.errors, lockWait: 60 * time.Millisecond, noSync: true}
}

func (w *witness) counted() float64 { return testutil.ToFloat64(w.errors) }

// logged checks that the log has as many lines as there are texts, each with its text.
func (w *witness) logged(t testing.TB, texts ...string) {
	t.Helper()
	lines := slices.Collect(strings.Lines(w.log.String()))
	if len(lines) != len(texts) {
		t.Fatalf("%d lines were logged, not %d:\n%s", len(lines), len(texts), w.log.String())
	}
	for i, text := range texts {
		if !strings.Contains(lines[i], text) {
			t.Errorf("line %d lacks %q: %s", i, text, lines[i])
		}
	}
}

func open(t testing.TB, path string, w *witness) *Store {
	t.Helper()
	s, err := Open(path, w.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func save(t testing.TB, s *Store, batch ...Entry) {
	t.Helper()
	if err := s.Save(batch, 0); err != nil {
		t.Fatal(err)
	}
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// holds checks that an account's servers are exactly these.
func holds(t testing.TB, s *Store, account string, want map[string]scan.Record) {
	t.Helper()
	got, err := s.Restore(account)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(got, want, same) {
		t.Errorf("account %q holds %+v, not %+v", account, got, want)
	}
}

// fleet returns n servers of an account, every one different.
func fleet(account string, n int) []Entry {
	batch := make([]Entry, n)
	for i := range batch {
		batch[i] = Entry{Key{account, fmt.Sprintf("%08x-35f3-4d4d-8ccc-%012x", uint32(i)*2654435761, i)}, typical(i)}
	}
	return batch
}

func byUUID(batch []Entry) map[string]scan.Record {
	m := make(map[string]scan.Record)
	for _, e := range batch {
		m[e.UUID] = e.Server
	}
	return m
}

func TestSavedIsThereAfterReopening(t *testing.T) {
	w, path := newWitness(), filepath.Join(t.TempDir(), "state.db")
	want := strange()
	var batch []Entry
	for name, server := range want {
		batch = append(batch, Entry{Key{"production", name}, server})
	}
	s := open(t, path, w)
	save(t, s, batch...)
	holds(t, s, "production", want)
	shut(t, s)
	holds(t, open(t, path, w), "production", want)
	w.logged(t)
	if w.counted() != 0 {
		t.Errorf("%v errors", w.counted())
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAccountsAndServersAreKeptApart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	names := []string{"", "a", "ab", "b", "\x00", "a\x00b", "\xff", "\xff\xff"}
	want := make(map[string]map[string]scan.Record)
	for i, account := range names {
		want[account] = make(map[string]scan.Record)
		for j, uuid := range names {
			want[account][uuid] = typical(100*i + j)
			save(t, s, Entry{Key{account, uuid}, want[account][uuid]})
		}
	}
	for _, account := range names {
		holds(t, s, account, want[account])
	}
	holds(t, s, "c", map[string]scan.Record{})
}

func TestUUIDIsTheSameInAnyCase(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	for i, uuid := range []string{"ABCD-ef01", "abcd-EF01", "abcd-ef01", "ABCD-EF01"} {
		save(t, s, Entry{Key{"Account", uuid}, typical(i)})
		holds(t, s, "Account", map[string]scan.Record{"abcd-ef01": typical(i)})
	}
	holds(t, s, "account", map[string]scan.Record{}) // a name is a name
	if _, err := s.Sweep(func(k Key) bool {
		if k != (Key{"Account", "abcd-ef01"}) {
			t.Errorf("it was asked for %+v", k)
		}
		return true
	}, at(0)); err != nil {
		t.Error(err)
	}
}

func TestSaveReplaces(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	save(t, s, fleet("a", 3)...)
	want := byUUID(fleet("a", 3))
	changed := fleet("a", 1)[0]
	changed.Server = scan.Record{Total: -1}
	want[changed.UUID] = changed.Server
	save(t, s, changed)
	save(t, s)
	holds(t, s, "a", want)
}

func TestSaveIsAllOrNothing(t *testing.T) {
	w := newWitness()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), w)
	batch := append(fleet("a", 3), Entry{Key: Key{"a", strings.Repeat("x", bbolt.MaxKeySize)}})
	err := s.Save(batch, 0)
	if !errors.Is(err, berrors.ErrKeyTooLarge) || !strings.Contains(err.Error(), `server "xxx`) || len(err.Error()) > 500 {
		t.Errorf("%v", err)
	}
	holds(t, s, "a", map[string]scan.Record{})
	if w.counted() != 1 {
		t.Errorf("%v errors", w.counted())
	}
	save(t, s, batch[:3]...)
	holds(t, s, "a", byUUID(batch[:3]))
}

func TestClosedStoreRefusesAndClosesAgain(t *testing.T) {
	w := newWitness()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), w)
	shut(t, s)
	shut(t, s)
	_, restoring := s.Restore("a")
	_, sweeping := s.Sweep(func(Key) bool { return true }, at(0))
	for what, err := range map[string]error{"Save": s.Save(fleet("a", 1), 0), "Restore": restoring, "Sweep": sweeping} {
		if !errors.Is(err, berrors.ErrDatabaseNotOpen) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w.counted() != 3 {
		t.Errorf("%v errors", w.counted())
	}
}

func TestAllMethodsRunAtOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	var all sync.WaitGroup
	for i := range 4 {
		account := strconv.Itoa(i)
		all.Go(func() {
			for _, e := range fleet(account, 5) {
				if err := s.Save([]Entry{e}, 0); err != nil {
					t.Error(err)
				}
				if _, err := s.Restore(account); err != nil {
					t.Error(err)
				}
				if _, err := s.Sweep(func(k Key) bool { return k.Account != account }, at(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range 4 {
		holds(t, s, strconv.Itoa(i), byUUID(fleet(strconv.Itoa(i), 5)))
	}
}
