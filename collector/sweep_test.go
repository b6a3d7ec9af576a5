package collector_test

import (
	"path/filepath"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/state"
)

// A list that cannot be read says nothing of which servers are gone: neither runs that poll once
// nor one that goes on may forget them, however long that lasts.
func TestServersAreForgottenOnlyWhenEveryListWasRead(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{true, false} {
		t.Run(map[bool]string{true: "polling once", false: "going on"}[once], func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				l, s := &lister{}, newScript()
				l.set(0, 1, 2)
				s.says(1, "t/cve/4/A")
				s.says(2, "t/cve/4/A")
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: 24 * time.Hour}
				path := filepath.Join(t.TempDir(), "state")
				run := func(lasts time.Duration) (w *world, store *watchedState) {
					store = openState(t, path)
					w = prepareWorldWith(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(l.intercept, s.intercept)}, poll.Options{State: store, Once: once})
					w.apply(discovering(""))
					if once {
						w.poller.Wait()
						pass(0)
					}
					pass(lasts)
					w.poller.Close()
					_ = store.Close()
					pass(24*time.Hour - lasts)
					return w, store
				}
				_, store := run(time.Minute)
				wantEqual(t, "watched, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(2)}], true)
				l.set(500)
				for range 9 {
					_, store = run(50 * time.Minute)
					wantEqual(t, "sweeps", store.swept == nil, true)
				}
				l.set(0, 1)
				w, store := run(time.Minute)
				wantEqual(t, "errors of one that is listed again", w.value("subtask_errors_total", "uuid="+uuid(1)), 1)
				wantEqual(t, "watched, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(1)}], true)
				wantEqual(t, "the other, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(2)}], false)
			})
		})
	}
}
