package collector_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestCodesBeyond200AreOther(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		var list []string
		for i := range 230 {
			list = append(list, fmt.Sprintf("t%d/cve/4/code_%03d", i, i))
		}
		s.says(1, list...)
		s.says(2, "t/cve/4/code_000", "u/cve/4/code_229")
		s.fails(3, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "concurrency: 1", serverYAML(1))))
		pass(time.Second)
		counts := w.counted("subtask_errors_total", "code")
		wantEqual(t, "distinct codes", len(counts), 201)
		wantEqual(t, "subtasks under other", w.value("subtask_error", "code=other"), 30)
		wantEqual(t, "errors under other", counts["other"], 30)
		wantEqual(t, "a code known early", counts["code_199"], 1)
		wantEqual(t, "a code known late", counts["code_200"], 0)
		wantEqual(t, "failing under other", w.value("subtasks_failing", "code=other"), 30)
		wantEqual(t, "anomalies", w.counted("response_anomalies_total", "reason"), "map[code_limit:30]")

		// A reload keeps the account's codes; results of calls are not hidden.
		w.apply(yamlOf(yamlAccount("main", "concurrency: 1\ntimeout: 2s", serversYAML(3)...)))
		pass(time.Second)
		wantEqual(t, "a code kept", w.value("subtask_error", "server=web-2", "code=code_000"), 1)
		wantEqual(t, "a code beyond", w.value("subtask_error", "server=web-2", "code=other"), 1)
		wantEqual(t, "calls that failed", w.value("api_requests_total", "result=other"), 1)
		wantEqual(t, "calls that succeeded", w.value("api_requests_total", "result=ok"), 2)
	})
}

// Codes that all count as other are still told apart.
func TestCodesUnderOtherAreCountedWhenTheyBegin(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		var list []string
		for i := range 200 {
			list = append(list, fmt.Sprintf("t%d/cve/4/code_%d", i, i))
		}
		s.says(1, list...)
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "settled_interval: 1m", serverYAML(1))))
		pass(time.Second)
		for _, code := range []string{"X", "X", "Y", "X"} {
			s.says(1, "t/cve/4/"+code)
			pass(time.Minute)
		}
		w.wants("subtask_error", errorIs(1, "t", "cve", "other"))
		wantEqual(t, "errors", w.value("subtask_errors_total", "code=other"), 3)
	})
}

// A service that invents a type for every subtask fills nothing, and hides no documented type, be
// it that of a server that is asked later.
func TestTypesBeyond20AreOther(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := newScript()
		invented := func(from int) (list []string) {
			for i := range 600 {
				list = append(list, fmt.Sprintf("t/invented_%d/%d/A", from+i, 3+i%2))
			}
			return list
		}
		for run := range 3 { // each invents others
			store, flooded := openState(t, path), 10+run // a server that is gone by the next run
			w := startKept(t, s, store, yamlOf(yamlAccount("main", "poll_interval: 10s\nsettled_interval: 10s", serverYAML(flooded), serverYAML(2, "types: [sys]"))))
			for i := range 3 {
				s.says(flooded, invented(100_000*run+10_000*i)...)
				pass(10 * time.Second)
			}
			s.says(2, "t/sys/3")
			pass(10 * time.Second)
			s.says(2, "t/sys/4/A")
			pass(10 * time.Second)
			for _, name := range []string{"subtask_status", "subtask_errors_total", "scan_failures_total", "subtasks", "subtasks_failing", "scan_duration_seconds"} {
				types := w.labelValues(name, "type")
				delete(types, "cve")
				if len(types) > 22 || !types["sys"] { // with sys and other
					t.Errorf("run %d: %s has %d types, sys among them: %v", run, name, len(types), types["sys"])
				}
			}
			if n := w.value("response_anomalies_total", "reason=type_limit"); n < 1000 {
				t.Errorf("run %d: %v anomalies", run, n)
			}
			wantEqual(t, "failures of sys", w.value("scan_failures_total", "type=sys"), run+1)
			w.poller.Close()
			_ = store.Close()
		}
	})
}

// labelValues returns the values that a label has in a metric.
func (w *world) labelValues(name, label string) map[string]bool {
	w.t.Helper()
	values := make(map[string]bool)
	for value := range w.counts(name, label) {
		values[value] = true
	}
	return values
}
