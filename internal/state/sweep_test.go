package state

import (
	"path/filepath"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

const day = 24 * time.Hour

// sweep sweeps a store in which only the UUIDs given are watched.
func sweep(t *testing.T, s *Store, now scan.Instant, watched ...string) int {
	t.Helper()
	dropped, err := s.Sweep(func(k Key) bool {
		for _, uuid := range watched {
			if k == (Key{"a", uuid}) {
				return true
			}
		}
		return false
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	return dropped
}

// transactions tells how many transactions wrote the file.
func transactions(t *testing.T, s *Store) int {
	t.Helper()
	tx, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	return tx.ID()
}

func TestServersGoneForAWeekAreForgotten(t *testing.T) {
	type step struct {
		after   time.Duration // since the first sweep
		watched []string
		dropped int
	}
	for name, steps := range map[string][]step{
		"a week after it was found gone": {{0, nil, 0}, {7*day - time.Millisecond, nil, 0}, {7 * day, nil, 1}, {30 * day, nil, 0}},
		"however rarely it is looked":    {{0, nil, 0}, {300 * day, nil, 1}},
		"not while it is watched":        {{0, []string{"u"}, 0}, {30 * day, []string{"u"}, 0}, {60 * day, []string{"u"}, 0}},
		"a new week once it came back":   {{0, nil, 0}, {6 * day, []string{"u"}, 0}, {12 * day, nil, 0}, {18 * day, nil, 0}, {19 * day, nil, 1}},
		"not early when the clock falls": {{0, nil, 0}, {-300 * day, nil, 0}, {-294 * day, nil, 0}, {-293 * day, nil, 1}},
		"nor when it falls for a while":  {{0, nil, 0}, {-3 * day, nil, 0}, {3 * day, nil, 0}, {4 * day, nil, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
			save(t, s, Entry{Key{"a", "u"}, typical(1)})
			there := true
			for _, step := range steps {
				if dropped := sweep(t, s, at(0).Add(step.after), step.watched...); dropped != step.dropped {
					t.Errorf("%v: %d were dropped, not %d", step.after, dropped, step.dropped)
				}
				there = there && step.dropped == 0
				if got, err := s.Restore("a"); err != nil || (len(got) == 1) != there {
					t.Errorf("%v: %d servers, %v", step.after, len(got), err)
				}
			}
		})
	}
}

func TestSweepDropsOnlyWhatIsGone(t *testing.T) {
	w, path := newWitness(), filepath.Join(t.TempDir(), "state.db")
	s := open(t, path, w)
	batch := fleet("a", 50)
	save(t, s, batch...)
	save(t, s, Entry{Key{"b", batch[0].UUID}, typical(1)}) // the same UUID in another account
	kept := []string{batch[0].UUID, batch[7].UUID}
	sweep(t, s, at(0), kept...)
	shut(t, s) // marks last over restarts
	s = open(t, path, w)
	if dropped := sweep(t, s, at(0).Add(7*day), kept...); dropped != 49 {
		t.Errorf("%d were dropped", dropped)
	}
	holds(t, s, "a", byUUID([]Entry{batch[0], batch[7]}))
	holds(t, s, "b", map[string]scan.Record{})
	w.logged(t)
}

func TestServerThatReturnsAfterItWasForgottenHasAWeekAgain(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	u := Entry{Key{"a", "u"}, typical(1)}
	save(t, s, u)
	sweep(t, s, at(0))
	sweep(t, s, at(0).Add(7*day))
	save(t, s, u)
	if dropped := sweep(t, s, at(0).Add(8*day)); dropped != 0 {
		t.Error("it was dropped at once")
	}
	if dropped := sweep(t, s, at(0).Add(15*day)); dropped != 1 {
		t.Error("it was not dropped")
	}
}

func TestSweepWritesOnlyChanges(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	save(t, s, fleet("a", 5)...)
	uuid := fleet("a", 1)[0].UUID
	sweep(t, s, at(0), uuid)
	before := transactions(t, s)
	sweep(t, s, at(0).Add(day), uuid)
	sweep(t, s, at(0).Add(2*day), uuid)
	if after := transactions(t, s); after != before {
		t.Errorf("%d writes", after-before)
	}
}

func TestWatchedMayUseTheStore(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	batch := fleet("a", 2)
	save(t, s, batch...)
	if _, err := s.Sweep(func(Key) bool { return s.Save(batch, 0) == nil }, at(0)); err != nil {
		t.Error(err)
	}
	holds(t, s, "a", byUUID(batch))
}

func TestDamagedMarkIsMadeAnew(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), newWitness())
	save(t, s, Entry{Key{"a", "u"}, typical(1)})
	sweep(t, s, at(0))
	put(t, s, goneBucket, encodeKey(Key{"a", "u"}), []byte("once"))
	if sweep(t, s, at(0).Add(7*day)) != 0 || sweep(t, s, at(0).Add(14*day)) != 1 {
		t.Error("it was not dropped a week after the mark was made anew")
	}
}
