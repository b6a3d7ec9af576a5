package collector_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/state"
)

// watchedState is a real state file, whose writing can be watched, held up and made to fail.
type watchedState struct {
	*state.Store
	hold chan struct{} // if not nil, Save waits for it

	mu      sync.Mutex
	fails   bool
	batches [][]state.Entry
	swept   map[state.Key]bool // what the last sweep was told is watched, of those in the file
}

func openState(t *testing.T, path string) *watchedState {
	t.Helper()
	store, err := state.Open(path, state.Options{Logger: log.NewNopLogger(), Errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "errors"})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &watchedState{Store: store}
}

func (s *watchedState) Save(batch []state.Entry, step time.Duration) error {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return errors.New("no space left on device")
	}
	s.batches = append(s.batches, batch)
	return s.Store.Save(batch, step)
}

func (s *watchedState) Sweep(watched func(state.Key) bool, now scan.Instant) (int, error) {
	s.mu.Lock()
	s.swept = make(map[state.Key]bool)
	s.mu.Unlock()
	return s.Store.Sweep(func(k state.Key) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.swept[k] = watched(k)
		return s.swept[k]
	}, now)
}

func (s *watchedState) fail(fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

// written counts the entries written so far.
func (s *watchedState) written() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		n += len(b)
	}
	return n
}

// startKept starts a world with a state.
func startKept(t *testing.T, s *script, from poll.State, text string) *world {
	t.Helper()
	w := prepareWorldWith(t, simulator.Options{Intercept: s.intercept}, poll.Options{State: from})
	w.apply(text)
	return w
}

// stateFamilies are what a restart must not change.
const stateFamilies = "subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds " +
	"server_last_success_timestamp_seconds server_tasks subtasks subtasks_failing subtasks_stalled"

// familiesOf returns some families of what a world publishes.
func (w *world) familiesOf(names string) string {
	var b strings.Builder
	for line := range strings.Lines(w.exposition()) {
		name, _, _ := strings.Cut(line, "{")
		for wanted := range strings.FieldsSeq(names) {
			if name == namespace+"_"+wanted {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

func TestARestartLosesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := newScript()
		s.says(1, "t/cve/4/A", "u/cve/2", "v/sca/3/B")
		s.says(2, "t/cve/1")
		s.says(3) // nothing
		config := yamlOf(yamlAccount("main", "types: [cve, sca]\nstall_after: 10m", serversYAML(3)...))
		store := openState(t, path)
		before := startKept(t, s, store, config)
		pass(5 * time.Minute)
		s.says(1, "t/cve/4", "u/cve/3", "v/sca/3/B")
		pass(time.Minute)
		s.says(1, "t/cve/4/A", "u/cve/3", "v/sca/3/B")
		pass(10 * time.Minute)
		shownBefore := before.familiesOf(stateFamilies)
		before.poller.Close()
		_ = store.Close()

		pass(7 * time.Minute) // while it is down, this happens:
		s.says(1, "t/cve/4/A", "u/cve/4/C", "v/sca/3/B")
		// The first answers come a second later. Until then all is as it was.
		after := prepareWorldWith(t, simulator.Options{Intercept: s.intercept, Latency: time.Second}, poll.Options{State: openState(t, path)})
		after.apply(config)
		wantEqual(t, "polls", len(after.observed()), 0)
		if got := after.familiesOf(stateFamilies); got != shownBefore {
			t.Errorf("published before the first poll:\n%s\nbefore the restart:\n%s", got, shownBefore)
		}
		wantEqual(t, "servers pending", after.value("servers", "state=pending"), 3)
		pass(5 * time.Minute)
		after.wants("subtask_errors_total", errorsAre("cve", "A", 2)+errorsAre("cve", "C", 1)+errorsAre("sca", "B", 1))
		const lastChange = "subtask_last_change_timestamp_seconds"
		now := after.familiesOf(lastChange)
		for line := range strings.Lines(before.familiesOf(lastChange)) {
			if moved := !strings.Contains(now, line); moved != strings.Contains(line, `task_id="u"`) {
				t.Errorf("moved: %v, of %s", moved, line)
			}
		}
	})
}

func TestWhatWasPublishedIsInTheFile(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		w := startKept(t, s, store, yamlOf(yamlAccount("main", "poll_interval: 30s", serverYAML(1))))
		pass(10 * time.Second)
		w.wants("subtask_status", statusIs(1, "t", "cve", 1))
		store.hold = make(chan struct{})
		s.says(1, "t/cve/4/A")
		pass(5 * time.Minute) // the disk takes its time
		w.wants("subtask_status subtask_errors_total", statusIs(1, "t", "cve", 1))
		wantEqual(t, "polls meanwhile", len(w.questionsOf(uuid(1))), 2)
		close(store.hold)
		synctest.Wait()
		w.wants("subtask_status subtask_errors_total", statusIs(1, "t", "cve", 4)+errorsAre("cve", "A", 1))
	})
}

// Polls go on while a write is under way. The last one may find what is shown: it comes after the
// one in the middle all the same.
func TestAnOlderUpdateNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	for name, said := range map[string][2][]string{ // by turns
		"another status":  {{"t/cve/1"}, {"t/cve/2"}},
		"another total":   {{"t/cve/1"}, {"t/cve/1", "t/cve/1"}},
		"another subtask": {{"t/cve/1"}, {"t/cve/1", "u/cve/4/A"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, said[0]...)
				store := openState(t, filepath.Join(t.TempDir(), "state"))
				w := startKept(t, s, store, yamlOf(yamlAccount("main", "poll_interval: 30s\nsettled_interval: 30s", serverYAML(1))))
				pass(10 * time.Second)
				store.hold = make(chan struct{})
				s.says(1, said[1]...)
				pass(30 * time.Second) // the write of that is under way
				s.says(1, said[0]...)
				pass(30 * time.Second)
				wantEqual(t, "polls", len(w.questionsOf(uuid(1))), 3)
				close(store.hold)
				pass(time.Second)
				w.wants("subtask_status", statusIs(1, "t", "cve", 1))
				wantEqual(t, "last success", w.value("server_last_success_timestamp_seconds")-epoch, 60)
				wantEqual(t, "total", w.value("server_tasks"), 1)
				stored, err := store.Restore("main")
				if err != nil || stored[uuid(1)].Total != 1 || stored[uuid(1)].Subtasks[0].Status != 1 || stored[uuid(1)].LastSuccess != 1000*(epoch+60) {
					t.Errorf("stored: %+v %v", stored, err)
				}
			})
		})
	}
}

// A task that is followed no more leaves at once, and what a poll has found of it before comes back
// with no write that ends later.
func TestATaskThatLeftDoesNotComeBackWithAWrite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(1), newScript()
		s.says(1, "t/cve/1")
		c.list(running("t", leafOf("t", 1, 1)))
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		w := prepareWorldWith(t, simulator.Options{Intercept: both(c.intercept, s.intercept)}, poll.Options{State: store})
		w.apply(strings.Replace(without(discovering("poll_interval: 30s\nstale_after: 5h\nstall_after: 2h")), "max_age: 1d", "max_age: 1h", 1))
		pass(58 * time.Minute)
		wantEqual(t, "subtasks", w.value("subtask_status"), 1)
		store.hold = make(chan struct{})
		s.says(1, "t/cve/2")
		pass(5 * time.Minute) // the disk takes its time
		wantEqual(t, "subtasks once the task is too old", len(w.counts("subtask_status", "task_id")), 0)
		close(store.hold)
		pass(time.Minute)
		wantEqual(t, "subtasks once all is written", len(w.counts("subtask_status", "task_id")), 0)
	})
}

func TestWritesThatFailAreShownAndRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := newScript()
		s.says(1, "t/cve/1")
		s.says(2, "t/cve/4/B")
		store := openState(t, path)
		store.fail(true)
		text := yamlOf(yamlAccount("main", "poll_interval: 30s\nsettled_interval: 30s", serversYAML(2)...))
		w := startKept(t, s, store, text)
		pass(time.Minute)
		s.says(1, "t/cve/4/A")
		pass(time.Minute)
		w.wants("subtask_status", statusIs(1, "t", "cve", 4)+statusIs(2, "t", "cve", 4))
		wantEqual(t, "written", store.written(), 0)
		store.fail(false)
		pass(10 * time.Second)
		wantEqual(t, "written once that works", store.written(), 3) // with the account's sum of failures
		stored, err := store.Restore("main")
		if err != nil || len(stored) != 3 || stored[""].Errors[0].Count != 2 || stored[uuid(1)].Errors[0].Count != 1 || stored[uuid(1)].Subtasks[0].Code != "A" {
			t.Errorf("stored: %+v %v", stored, err)
		}
	})
}

// Nor is what was found of a server lost that leaves before writing works again.
func TestWritesThatFailAreRepeatedForServersThatLeft(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/4/A")
		s.says(2, "t/cve/1")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		store.fail(true)
		both := yamlOf(yamlAccount("main", "", serversYAML(2)...))
		w := startKept(t, s, store, both)
		pass(time.Minute)
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(2))))
		pass(time.Minute)
		store.fail(false)
		pass(time.Minute)
		w.apply(both)
		pass(time.Minute)
		wantEqual(t, "last change", w.value("subtask_last_change_timestamp_seconds", "server=web-1")-epoch, 0)
		wantEqual(t, "failures", w.value("scan_failures_total", "type=cve"), 1)
	})
}

// Of servers that come back before writing works again, what was found last is written.
func TestWritesThatFailAreRepeatedInTheirOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		say := func(subtask string) {
			for n := range 8 {
				s.says(n+1, subtask)
			}
		}
		say("t/cve/4/A")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		store.fail(true)
		all := yamlOf(yamlAccount("main", "", serversYAML(8)...))
		w := startKept(t, s, store, all)
		pass(time.Minute)
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(9))))
		say("t/cve/4/B")
		pass(time.Minute)
		w.apply(all)
		pass(time.Minute)
		store.fail(false)
		pass(time.Minute)
		stored, err := store.Restore("main")
		for n := range 8 {
			if of := stored[uuid(n+1)]; err != nil || len(of.Subtasks) != 1 || of.Subtasks[0].Code != "B" {
				t.Errorf("stored: %+v %v", of, err)
			}
		}
	})
}

func TestAFileThatIsLostIsWrittenAnewWithEverything(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := newScript()
		s.says(1, "t/cve/1")
		s.says(2, "t/cve/4/B")
		s.fails(3, 500, "ServerError")
		store := openState(t, path)
		startKept(t, s, store, yamlOf(yamlAccount("main", "poll_interval: 30s", serversYAML(3)...)))
		pass(10 * time.Second)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		s.says(1, "t/cve/2")
		pass(30 * time.Second) // only this one is polled anew
		stored, err := store.Restore("main")
		if err != nil || len(stored) != 4 || stored[uuid(1)].Subtasks[0].Status != 2 || stored[uuid(2)].Errors[0].Count != 1 || stored[""].Errors[0].Count != 1 {
			t.Errorf("stored: %+v %v", stored, err)
		}
	})
}

func TestPollsThatFindNothingNewAreHardlyWritten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		w := startKept(t, s, store, yamlOf(yamlAccount("main", "poll_interval: 10s\nstall_after: 10h", serverYAML(1))))
		pass(time.Hour - time.Second)
		wantEqual(t, "polls", len(w.questionsOf(uuid(1))), 360)
		wantEqual(t, "written", store.written(), 24) // the first, and every five minutes, each with the sum of failures
		wantEqual(t, "last success", w.value("server_last_success_timestamp_seconds")-epoch, 3590)
	})
}

func TestServersThatComeBackAreKnown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/4/A")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		both := yamlOf(yamlAccount("main", "settled_interval: 50m", serversYAML(2)...))
		w := startKept(t, s, store, both)
		pass(time.Minute)
		w.apply(yamlOf(yamlAccount("main", "settled_interval: 50m", serverYAML(2))))
		wantEqual(t, "errors, without the server", w.value("subtask_errors_total"), 0)
		pass(6*24*time.Hour + 2*time.Hour)
		wantEqual(t, "watched, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(1)}], false)
		wantEqual(t, "watched, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(2)}], true)
		w.apply(both)
		wantEqual(t, "errors, with it again", w.value("subtask_errors_total"), 1)
		pass(time.Hour)
		wantEqual(t, "errors, polled", w.value("subtask_errors_total"), 1)
		w.apply(yamlOf(yamlAccount("main", "settled_interval: 50m", serverYAML(2))))
		pass(8 * 24 * time.Hour)
		w.apply(both)
		wantEqual(t, "errors, a week later", w.value("subtask_errors_total"), 0)
	})
}

func TestAnAccountThatLeftIsNotCountedOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		store := openState(t, filepath.Join(t.TempDir(), "state"))
		w := prepareWorldWith(t, simulator.Options{
			Accounts:  []simulator.Account{simulated("main"), simulated("other")},
			Intercept: func(rw http.ResponseWriter, r *simulator.Request) bool { return s.intercept(rw, r) },
		}, poll.Options{State: store})
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(2)), yamlAccount("other", "poll_interval: 10s", serverYAML(1))))
		pass(5 * time.Second)
		s.says(1, "t/cve/4")
		pass(5*time.Second + 50*time.Millisecond) // polled, not yet written
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(2))))
		pass(time.Minute)
		if text := w.exposition(); strings.Contains(text, `account="other"`) {
			t.Errorf("published:\n%s", text)
		}
		stored, err := store.Restore("other")
		if err != nil || stored[uuid(1)].Subtasks[0].Status != 4 {
			t.Errorf("stored: %+v %v", stored, err)
		}
	})
}

func TestPollingOnceKeepsState(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := newScript()
		s.says(1, "t/cve/4/A")
		for range 3 {
			store := openState(t, path)
			w := prepareWorldWith(t, simulator.Options{Intercept: s.intercept}, poll.Options{State: store, Once: true})
			w.apply(yamlOf(yamlAccount("main", "", serverYAML(1))))
			w.poller.Wait()
			w.wants("subtask_errors_total subtask_last_change_timestamp_seconds", errorsAre("cve", "A", 1)+changedAt("t", epoch))
			w.poller.Close()
			_ = store.Close()
			pass(time.Hour)
		}
	})
}
