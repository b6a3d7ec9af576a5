package collector_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/simulator"
)

// machine is a computer whose clock is set forward and back.
type machine struct{ ahead atomic.Int64 }

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *machine) step(d time.Duration) { m.ahead.Add(int64(d)) }

// unix is now in seconds since the test began.
func (m *machine) unix() float64 { return float64(m.now().UnixMilli())/1000 - epoch }

// startOn starts a world on a machine; from may be nil.
func startOn(t *testing.T, m *machine, o simulator.Options, from poll.State, text string) *world {
	t.Helper()
	w := prepareWorldWith(t, o, poll.Options{State: from, Clock: scan.NewClock(m.now)})
	w.apply(text)
	return w
}

// wantNothingAhead wants no time to be published that lies in the future.
func (w *world) wantNothingAhead(m *machine, when string) {
	w.t.Helper()
	found, err := w.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	latest := m.now()
	for _, f := range found {
		for _, s := range f.GetMetric() {
			if at := s.GetGauge().GetValue(); strings.HasSuffix(f.GetName(), "_timestamp_seconds") && at > float64(latest.UnixMilli())/1000 {
				w.t.Errorf("%s, %s is %.3f s ahead", when, f.GetName(), at-float64(latest.UnixMilli())/1000)
			}
			if created := s.GetCounter().GetCreatedTimestamp(); f.GetName() == namespace+"_subtask_errors_total" && created.AsTime().After(latest) {
				w.t.Errorf("%s, %s was created %v ahead", when, f.GetName(), created.AsTime().Sub(latest))
			}
		}
	}
}

// clockSteps are what clocks do.
var clockSteps = map[string]time.Duration{
	"14 minutes forth": 14 * time.Minute, "14 minutes back": -14 * time.Minute,
	"3 hours forth": 3 * time.Hour, "10 minutes back": -10 * time.Minute, "a day back": -24 * time.Hour,
}

func TestStepsOfTheClockChangeNoDuration(t *testing.T) {
	t.Parallel()
	for name, step := range clockSteps {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m, s := &machine{}, newScript()
				s.says(1, "t/cve/1")
				s.says(2, "t/cve/1")
				s.says(3, "t/cve/4/A")
				w := startOn(t, m, simulator.Options{Intercept: s.intercept}, nil,
					yamlOf(yamlAccount("main", "poll_interval: 1s\nsettled_interval: 1s\nstall_after: 10m\nstale_after: 1h\nrequests_per_second: 50", serversYAML(3)...)))
				pass(5*time.Second + 500*time.Millisecond)
				m.step(step)
				w.wantNothingAhead(m, "at once")
				wantEqual(t, "status series", w.value("subtask_status", "server=web-1"), 1)
				wantEqual(t, "stalled at once", w.value("subtasks_stalled"), 0)
				pass(3 * time.Second)
				s.says(1, "t/cve/4")
				pass(time.Second)
				wantEqual(t, "seconds of a scan", w.scans().GetSampleSum(), 9)
				wantEqual(t, "last change", w.value("subtask_last_change_timestamp_seconds", "server=web-1")-epoch, m.unix()-0.5)
				wantEqual(t, "last success", w.value("server_last_success_timestamp_seconds", "server=web-1")-epoch, m.unix()-0.5)
				wantEqual(t, "an older change", w.value("subtask_last_change_timestamp_seconds", "server=web-3")-epoch, step.Seconds())
				w.wantNothingAhead(m, "later")
				pass(10*time.Minute - 10*time.Second)
				wantEqual(t, "stalled, just before", w.value("subtasks_stalled"), 0)
				pass(time.Second)
				wantEqual(t, "stalled", w.value("subtasks_stalled"), 1)
			})
		})
	}
}

func TestPagesGoByTheSystemsClock(t *testing.T) {
	t.Parallel()
	for name, step := range clockSteps {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m, s := &machine{}, newScript()
				s.says(1, "t/cve/1")
				s.fails(2, 500, "ServerError")
				w := startOn(t, m, simulator.Options{Intercept: s.intercept}, nil, yamlOf(yamlAccount("main", "poll_interval: 1h", serversYAML(2)...)))
				pass(10 * time.Second)
				m.step(step)
				pass(50 * time.Second)
				o := w.collector.Overview()
				wantEqual(t, "now", o.At.Equal(m.now()), true)
				first, _ := o.Server("main", uuid(1))
				failing, _ := o.Server("main", uuid(2))
				wantEqual(t, "age of a success", o.At.Sub(first.LastSuccess.Time).Round(time.Second), time.Minute)
				wantEqual(t, "age of a change", o.At.Sub(first.Scans[0].Changed.Time).Round(time.Second), time.Minute)
				wantEqual(t, "age of a problem", o.At.Sub(failing.LastError.At.Time).Round(time.Second), time.Minute)
				wantEqual(t, "the same, of the account", o.At.Sub(o.Accounts[0].LastError.At.Time).Round(time.Second), time.Minute)
			})
		})
	}
}

func TestListsAreAsOldAsTheyAreWhateverTheClockSays(t *testing.T) {
	t.Parallel()
	for name, step := range clockSteps {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m, l := &machine{}, &lister{}
				l.set(0, 1)
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: 24 * time.Hour}
				w := startOn(t, m, simulator.Options{Accounts: []simulator.Account{a}, Intercept: l.intercept}, nil, discovering(""))
				pass(10 * time.Second)
				m.step(step)
				pass(50 * time.Second)
				age := m.unix() - w.value("discovery_last_success_timestamp_seconds", "kind=servers") + epoch
				if age < 59 || age > 61 {
					t.Errorf("the list is %.3f s old, want 60", age)
				}
				o := w.collector.Overview()
				if read := o.Accounts[0].Tasks[0].ListReadAt; read.IsZero() || o.At.Sub(read.Time).Round(2*time.Second) != time.Minute {
					t.Errorf("the task's list was read at %v, want a minute before %v", read, o.At)
				}
			})
		})
	}
}

// The clock is set while the exporter is down, or shortly before it ends.
func TestStepsOfTheClockOverARestart(t *testing.T) {
	t.Parallel()
	const stalls = 10 * time.Minute
	config := yamlOf(yamlAccount("main", "poll_interval: 10s\nstall_after: 10m\nsettled_interval: 10s", serversYAML(2)...))
	for _, down := range []bool{true, false} {
		for name, step := range clockSteps {
			t.Run(name+map[bool]string{true: ", while it is down", false: ", before"}[down], func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m, s := &machine{}, newScript()
					s.says(1, "t/cve/1")
					s.says(2, "t/cve/4/A")
					path := filepath.Join(t.TempDir(), "state")
					store := openState(t, path)
					before := startOn(t, m, simulator.Options{Intercept: s.intercept}, store, config)
					pass(5 * time.Minute)
					if !down {
						m.step(step)
						pass(time.Minute)
					}
					shown := before.familiesOf("subtask_last_change_timestamp_seconds")
					before.poller.Close()
					_ = store.Close()
					if down {
						m.step(step)
						pass(time.Minute)
					}
					after := startOn(t, m, simulator.Options{Intercept: s.intercept, Latency: time.Second}, openState(t, path), config)
					wantEqual(t, "stalled before the first poll", after.value("subtasks_stalled"), 0)
					after.wantNothingAhead(m, "before the first poll")
					if !down {
						wantEqual(t, "last changes", after.familiesOf("subtask_last_change_timestamp_seconds"), shown)
					}
					pass(30 * time.Second)
					after.wantNothingAhead(m, "polled")
					wantEqual(t, "errors", after.value("subtask_errors_total"), 1)
					if down && step > 0 {
						return // it may as well have been down for so long
					}
					wantEqual(t, "stalled at once", after.value("subtasks_stalled"), 0)
					pass(stalls - 5*time.Minute)
					wantEqual(t, "stalled, in time", after.value("subtasks_stalled"), 1)
				})
			})
		}
	}
}
