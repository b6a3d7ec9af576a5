package collector_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestCloseCancelsCallsInFlight(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"hanging calls":         "timeout: 1h",
		"waiting for the quota": "timeout: 1h\nrequests_per_second: 0.001",
		"idle":                  "",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				answer := hang("main")
				if name == "idle" {
					answer = nil
				}
				w := startWorld(t, simulator.Options{Intercept: answer}, yamlOf(yamlAccount("main", settings, serversYAML(20)...)))
				pass(10 * time.Second)
				start := time.Now()
				w.poller.Close()
				if took := time.Since(start); took > time.Second {
					t.Errorf("closing took %v", took)
				}
				pass(0)
				calls := len(w.observed())
				w.poller.Close()
				w.apply(yamlOf(yamlAccount("late", "", serversYAML(2)...))) // as by a SIGHUP during shutdown
				pass(time.Hour)
				wantEqual(t, "calls after the end", len(w.observed())-calls, 0)
				wantEqual(t, "servers that count as failing", w.value("servers", "state=failing"), 0)
			})
		})
	}
}

func TestOnceTriesEveryServerOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		refused, throttled := simulated("refused"), simulated("throttled")
		refused.DeniedActions = []string{"DescribeVulCheckTaskStatusDetail"}
		throttled.RequestsPerSecond = 2
		s := newScript()
		s.fails(3, 500, "ServerError")
		s.fails(4, 400, "IllegalParam")
		s.says(5, "t/cve/1")
		w := prepareWorld(t, simulator.Options{
			Intercept: s.intercept, Latency: 100 * time.Millisecond,
			Accounts: []simulator.Account{simulated("main"), refused, throttled, simulated("slow")},
		}, true)
		var many []string
		for i := range 10 {
			many = append(many, serverYAML(100+i))
		}
		w.apply(yamlOf(yamlAccount("main", "", serversYAML(30)...), yamlAccount("refused", "", serversYAML(30)...),
			yamlAccount("throttled", "", many...), yamlAccount("slow", "timeout: 50ms\npoll_interval: 1s", serverYAML(200))))
		start := time.Now()
		w.poller.Wait()
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
		for i := range 30 {
			wantEqual(t, fmt.Sprint("questions about server ", i+1), len(w.questionsOf(uuid(i+1))), 1)
		}
		want := "[{main 28 2 0 0 0 0 false} {refused 0 30 0 0 0 0 true} {throttled 10 0 0 0 0 0 false} {slow 0 1 0 0 0 0 false}]"
		got := w.summaries()
		wantEqual(t, "servers of the throttled account that were tried", got[2].OK+got[2].Failing, 10)
		got[2].OK, got[2].Failing = 10, 0 // a call that is throttled three times has failed
		wantEqual(t, "summaries", got, want)
		calls := len(w.observed())
		pass(time.Hour)
		wantEqual(t, "calls after the end", len(w.observed()), calls)
	})
}

// A server's answers alternate between two states; no scrape sees a mixture.
func TestScrapesSeeAServersFamiliesChangeTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var calls, scrapes atomic.Int64
		s := newScript()
		intercept := func(w http.ResponseWriter, r *simulator.Request) bool {
			if calls.Add(1)%2 == 0 {
				s.says(1, "t/cve/4/A", "u/cve/4/A", "v/sca/4/A")
			} else {
				s.says(1, "t/cve/1", "u/cve/1", "v/sca/1", "w/sca/1")
			}
			return s.intercept(w, r)
		}
		w := startWorld(t, simulator.Options{Intercept: intercept, Latency: time.Millisecond},
			yamlOf(yamlAccount("main", "types: [cve, sca]\npoll_interval: 1s\nsettled_interval: 1s\nrequests_per_second: 10000\nconcurrency: 2", serverYAML(1))))
		var scraping sync.WaitGroup
		for range 4 {
			scraping.Go(func() {
				for range 150 {
					found, err := w.Gather()
					if err != nil {
						t.Error(err)
						return
					}
					checkWhole(t, found)
					scrapes.Add(1)
					time.Sleep(333 * time.Millisecond)
				}
			})
		}
		scraping.Wait()
		if calls.Load() < 20 || scrapes.Load() < 500 {
			t.Errorf("%d calls during %d scrapes", calls.Load(), scrapes.Load())
		}
	})
}

// checkWhole checks that a scrape shows one of the two states of the server, or none.
func checkWhole(t *testing.T, found []*dto.MetricFamily) {
	var state []string
	for _, f := range found {
		name := strings.TrimPrefix(f.GetName(), namespace+"_")
		switch name {
		case "subtask_status", "subtask_error", "server_tasks", "subtasks_failing":
			sum := 0.0
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue()
			}
			state = append(state, fmt.Sprint(name, "=", sum))
		}
	}
	switch got := strings.Join(state, " "); got {
	case "", "server_tasks=4 subtask_status=4", "server_tasks=3 subtask_error=3 subtask_status=12 subtasks_failing=3":
	default:
		t.Errorf("a scrape saw %s", got)
	}
}
