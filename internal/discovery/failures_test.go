package discovery

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// one is a Security Center with one account that has nothing.
func one() simulator.Options {
	return simulator.Options{Accounts: []simulator.Account{accountOf(simulator.Fleet{})}}
}

func TestPermissionForOneOperationOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		denied, code, kind string
		tasks, servers     int
	}{
		"tasks":               {sas.ActionOnceTask, "", KindTasks, 0, 5},
		"servers":             {sas.ActionInstances, "", KindServers, 1, 0},
		"servers, by gateway": {sas.ActionInstances, "Forbidden.RAM", KindServers, 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := accountOf(simulator.Fleet{Size: 5, TaskIDs: []string{"a"}})
				a.DeniedActions, a.DeniedCode = []string{tt.denied}, tt.code
				w := startWorldOf(t, simulator.Options{Accounts: []simulator.Account{a}}, Options{Tasks: everyTask(), Servers: everyServer()}, nil)
				pass(time.Hour)
				found := w.known()
				wantEqual(t, "tasks", len(found.Tasks.Items), tt.tasks)
				wantEqual(t, "servers", len(found.Servers.Items), tt.servers)
				wantEqual(t, "errors", [2]bool{found.Tasks.Err != nil, found.Servers.Err != nil}, [2]bool{tt.kind == KindTasks, tt.kind == KindServers})
				wantEqual(t, "never complete", [2]bool{found.Tasks.At.IsZero(), found.Servers.At.IsZero()}, [2]bool{tt.kind == KindTasks, tt.kind == KindServers})
				var warned []string
				for _, line := range w.log.told() {
					if strings.Contains(line, "level=warn") {
						warned = append(warned, line)
					}
				}
				if len(warned) != 1 {
					t.Fatalf("warned of %q", warned)
				}
				for _, part := range []string{"account=main kind=" + tt.kind, "last_complete=never", "grant the RAM action yundun-sas:" + tt.denied} {
					if !strings.Contains(warned[0], part) {
						t.Errorf("%q lacks %q", warned[0], part)
					}
				}
				wantEqual(t, "how often the account is named", strings.Count(warned[0], "main"), 1)
			})
		})
	}
}

// intervalsOf returns how long after one another the calls of a failing refresh came, in seconds.
func intervalsOf(calls []time.Time) []float64 {
	return times(len(calls)-1, func(i int) float64 { return calls[i+1].Sub(calls[i]).Seconds() })
}

func TestFailedRefreshesAreTriedAgainInGoodTime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		interval time.Duration
		bend     func(int, *pageOf)
		want     []float64 // seconds
	}{
		"an outage":                        {time.Minute, fail(1, 503, "ServiceUnavailable"), []float64{5, 10, 20, 40, 60, 60}},
		"an outage, with a short interval": {8 * time.Second, fail(1, 503, "ServiceUnavailable"), []float64{5, 8, 8}},
		"two outages": {time.Minute, func(n int, p *pageOf) {
			if n < 4 || n > 6 {
				p.status, p.code = http.StatusServiceUnavailable, "ServiceUnavailable"
			}
		}, []float64{5, 10, 20, 0, 0, 60, 5, 10}},
		"throttling":                    {time.Minute, fail(1, 400, "Throttling.User"), []float64{5, 10, 20, 40, 60, 60}},
		"no permission":                 {time.Minute, fail(1, 403, "NoPermission"), []float64{60, 60, 60}},
		"no permission, short interval": {time.Second, fail(1, 403, "NoPermission"), []float64{30, 30}},
		"an unknown key":                {time.Second, fail(1, 404, "InvalidAccessKeyId.NotFound"), []float64{30, 30}},
		"a refused parameter":           {time.Second, fail(1, 400, "IllegalParam"), []float64{30, 30}},
		"a page that fails for a while": {time.Minute, failBehind(500, "ServerError"), []float64{0, 2, 4, 5, 0, 2, 4, 10, 0}},
		"a page that is refused":        {time.Minute, failBehind(403, "NoPermission"), []float64{0, 60, 0, 60}},
		"a page that fails once": {time.Minute, func(n int, p *pageOf) {
			if n == 2 {
				p.status, p.code = http.StatusInternalServerError, "ServerError"
			}
		}, []float64{0, 2, 0, 58}},
		"an answer that cannot be believed": {time.Minute, func(_ int, p *pageOf) { p.whole = "null" }, []float64{5, 10, 20, 40, 60, 60}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{servers: times(250, serverEntry), bend: tt.bend}
				w := startWorldOf(t, one(), Options{Servers: &config.ServerDiscovery{RefreshInterval: tt.interval}}, s.answer)
				pass(10 * time.Minute)
				got := intervalsOf(w.callsOf(sas.ActionInstances))
				wantEqual(t, "seconds between calls", got[:len(tt.want)], tt.want)
			})
		})
	}
}

// failBehind makes every page but the first fail.
func failBehind(status int, code string) func(int, *pageOf) {
	return func(_ int, p *pageOf) {
		if !p.first {
			p.status, p.code = status, code
		}
	}
}

// An outage is logged when it begins, when its cause changes, and when it ends.
func TestAnOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: times(3, taskEntry)}
		w := startService(t, s, Options{Tasks: everyTask()})
		for range 2 {
			s.set(func(s *service) { s.bend = fail(1, 503, "ServiceUnavailable") })
			pass(time.Hour)
			w.wantTold([]string{"level=warn", "kind=tasks", "result=ServiceUnavailable", "last_complete=20", "entries=3"})
			s.set(func(s *service) { s.bend = fail(1, 403, "NoPermission") })
			pass(time.Hour)
			w.wantTold([]string{"level=warn", "kind=tasks", "result=NoPermission", "grant the RAM action yundun-sas:DescribeOnceTask"})
			s.set(func(*service) {})
			pass(time.Hour)
			w.wantTold([]string{"level=info", "kind=tasks", "the list is complete", "entries=3"})
		}
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 3)
	})
}

// heldBack is an API whose calls for tasks fail as told, and those for servers when their time is
// over.
type heldBack struct {
	err   error
	calls []time.Time
}

func (h *heldBack) OnceTasks(context.Context, sas.TaskQuery) (*sas.Page[sas.Task], error) {
	h.calls = append(h.calls, time.Now())
	return nil, h.err
}

func (h *heldBack) Instances(ctx context.Context, _ sas.InstanceQuery) (*sas.Page[sas.Instance], error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// That the account is refused is logged by the caller, not by discovery.
func TestCallsThatAreHeldBackAreNotTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		every time.Duration
		lines int
	}{
		"held back":       {&sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}, 30 * time.Second, 0},
		"any other error": {errors.New("x"), time.Minute, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				api, told := &heldBack{err: tt.err}, &lines{}
				var found Found
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute-time.Second)
				defer cancel()
				Run(ctx, Options{
					Account: "main", Tasks: everyTask(), API: api, Logger: log.NewLogfmtLogger(told),
					Found: func(f Found) { found = f },
				})
				wantEqual(t, "calls", len(api.calls), int(10*time.Minute/tt.every))
				wantEqual(t, "lines of log", len(told.told()), tt.lines)
				wantEqual(t, "error", found.Tasks.Err, tt.err)
			})
		})
	}
}
