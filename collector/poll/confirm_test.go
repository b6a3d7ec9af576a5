package poll

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// A fleet at rest is not stale, however seldom its tasks are read and its servers are polled.
func TestNothingIsStaleThoughTasksAreReadSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newSimulatedService(20, 10)
		service.begin(1)
		time.Sleep(3 * time.Hour) // the task has ended
		account := simulatedAccount(service, true)
		account.SettledInterval, account.Discovery.Tasks.RefreshInterval = 12*time.Hour, 5*time.Hour
		s := simulate(service, account)
		defer s.poller.Close()
		time.Sleep(time.Minute)
		before, _ := service.made()
		for range 9 * 12 {
			time.Sleep(5 * time.Minute)
			wantEqual(t, "stale servers", s.stale(), 0)
		}
		calls, _ := service.made()
		wantEqual(t, "calls, for the list of tasks", calls-before, 1)
	})
}

// What is never stale need not be confirmed, nor encoded anew for that.
func TestWithoutStaleAfterNoRecordChangesAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := guidedAccount(10)
		a.config.StaleAfter = 0
		before := recordsOf(a)
		time.Sleep(time.Minute)
		replan(a)
		wantEqual(t, "guided", a.guided, true)
		for i, r := range recordsOf(a) {
			if r != before[i] {
				t.Errorf("the record of server %d was replaced", i)
			}
		}
	})
}

func recordsOf(a *account) (records []*scan.Record) {
	for _, s := range a.order {
		records = append(records, s.entry.Record)
	}
	return records
}

// Once the list of a running task is too old, its servers are polled as without it, when the list
// of tasks is read next.
func TestAnOldListGuidesNoMore(t *testing.T) {
	for name, tt := range map[string]struct {
		age    time.Duration
		guided bool
	}{
		"fresh": {listFresh - time.Second, true},
		"old":   {listFresh, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := guidedAccount(10)
				time.Sleep(tt.age)
				a.discovered(a.found)
				replan(a)
				first := a.queue.due()
				wantEqual(t, "servers wait for more than poll_interval", time.Until(first) > 0, tt.guided)
			})
		})
	}
}

// A complete list takes a server's scan away that it lacks; one that is not complete takes nothing
// away.
func TestAScanThatItsTaskLacksIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		left int
	}{
		"complete":   {nil, 7},
		"incomplete": {errors.New("it ended early"), 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, list := guidedAccount(10)
				for range 2 {
					shorter := list
					shorter.Scans, shorter.Err = list.Scans[3:], tt.err
					readList(a, shorter)
				}
				left := 0
				for _, r := range recordsOf(a) {
					left += len(r.ServerScans)
				}
				wantEqual(t, "scans", left, tt.left)
			})
		})
	}
}
