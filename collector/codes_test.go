package collector_test

import (
	"fmt"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestCodesBeyond200AreOther(t *testing.T) {
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
