package collector_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"aliyun_vulscan_exporter/internal/simulator"
)

// fleetWorld polls a fleet whose scans progress, fail and stall.
func fleetWorld(t *testing.T) *world {
	a := simulated("main")
	a.Fleet = simulator.Fleet{Seed: 1, Size: 25, TaskIDs: []string{"task-a"}, ScanDuration: time.Minute, ScanPeriod: 5 * time.Minute, FailRatio: 0.3, StallRatio: 0.1}
	var servers []string
	for _, s := range a.Fleet.Servers() {
		servers = append(servers, "{uuid: "+s.UUID+", name: "+s.Name+", labels: {team: a}}")
	}
	return startWorld(t, simulator.Options{Accounts: []simulator.Account{a}},
		yamlOf(yamlAccount("main", "types: [cve, sys, cms, sca]\nsettled_interval: 1m\npoll_interval: 5s\nstall_after: 2m", servers...)))
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := fleetWorld(t)
		pass(8 * time.Minute)
		problems, err := testutil.GatherAndLint(w)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		for _, c := range []string{
			"subtask_status", "subtask_error", "subtask_errors_total", "subtasks", "subtasks_failing", "subtasks_stalled",
			"scan_duration_seconds", "servers", "server_up", "server_last_success_timestamp_seconds", "server_tasks", "server_info",
			"subtask_last_change_timestamp_seconds", "api_requests_total", "api_request_duration_seconds", "api_request_limit",
		} {
			if w.value(c) == 0 {
				t.Errorf("%s is not published, or 0", c)
			}
		}
		wantEqual(t, "anomalies", w.counted("response_anomalies_total", "reason"), "map[]")
	})
}
