package web_test

import (
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	rootTask = "e900f528f5a6229bb640ca27cb44c98e"
	oldTask  = "16190385"
	uuid1    = "5d55af3c-35f3-4d4d-8ccc-8c5443b00001"
)

// knowing is a handler over an exporter that knows two accounts. "main" has a task that runs, one
// that has ended, one whose list was never read, and two servers; "idle" has nothing.
func knowing(t *testing.T) http.Handler {
	t.Helper()
	store, clock := scan.NewStore(), scan.NewClock(time.Now)
	c := collector.New(store, clock)
	now := clock.Now()
	ago := func(d time.Duration) scan.Instant { return scan.InstantOf(now.Add(-d)) }
	cfg := &config.Account{Name: "main", RequestsPerSecond: 10, Settings: config.Settings{StallAfter: 30 * time.Minute, StaleAfter: 2 * time.Hour}}
	cfg.Discovery.Tasks = &config.TaskDiscovery{ServerScans: true}
	main := scan.NewAccount(cfg)
	main.Update(func(s *scan.AccountStatus) {
		s.Types, s.IDs = []string{"cve", "sca"}, "root"
		s.Found.Tasks.At, s.Found.Tasks.LeftOut = now, 2
		s.Found.Tasks.Items = []sas.Task{
			{ID: "ended", Source: "schedule", Status: "SUCCESS", Progress: 1, Start: now.Add(-3 * time.Hour), End: now.Add(-2 * time.Hour)},
			{ID: rootTask, Source: "console", Status: "PROCESSING", Progress: 0.4, Start: now.Add(-time.Hour)},
			{ID: "unread", Source: hostile, Status: hostile, Progress: math.NaN()},
		}
		s.Lists = []scan.ListStatus{
			{TaskID: "unread", Err: errors.New("NoPermission " + hostile)},
			{TaskID: rootTask, At: now.Add(-90 * time.Second), ByStatus: [6]int{0: 11, 1: 22, 2: 33, 3: 4, 4: 5}},
			{TaskID: "ended", At: now.Add(-2 * time.Hour), Err: errors.New("it changed while it was read"), ByStatus: [6]int{2: 50, 5: 6}},
		}
	})
	subtask := func(task, typ string, status float64, code string, superseded bool) scan.Subtask {
		return scan.Subtask{TaskID: task, Type: typ, Status: status, Code: code, CodeLabel: code, Changed: ago(time.Hour), StatusSince: ago(time.Minute), Superseded: superseded}
	}
	problem := &scan.Problem{At: now, Err: &sas.Error{Action: "DescribeVulCheckTaskStatusDetail", Result: "timeout"}}
	server := func(uuid, name string, online bool, subtasks ...scan.Subtask) *scan.Entry {
		return &scan.Entry{Record: &scan.Record{
			Target: &scan.Target{
				Server:    config.Server{UUID: uuid, Name: name, TaskIDs: []string{rootTask}, Types: []string{"cve", "sca"}},
				AssetInfo: &discovery.Server{Instance: sas.Instance{UUID: uuid, Name: name, InstanceID: "i-1", Online: online}},
			},
			Polled: true, LastSuccess: ago(time.Second), Total: int64(len(subtasks)), Subtasks: subtasks,
			Problem:     problem,
			ServerScans: []scan.ServerScan{{TaskID: rootTask, Status: sas.ScanTimedOut, Since: ago(5 * time.Minute)}},
		}}
	}
	main.Arrange([]*scan.Entry{
		server(uuid1, "web-1", false,
			subtask(rootTask, "cve", 4, "push_command_failed", false), subtask(rootTask, "sca", 4, "", false),
			subtask(oldTask, "sca", 4, "agent_offline", true), subtask("12345678", "sca", 1, "", true)),
		server("5d55af3c-35f3-4d4d-8ccc-8c5443b00002", "web-2", true,
			subtask(rootTask, "cve", 1, "", false), subtask(rootTask, "sca", 4, "", false)),
	}, nil)
	idle := scan.NewAccount(&config.Account{Name: "idle"})
	store.Replace(&scan.Content{Accounts: []*scan.Account{main, idle}})
	o := options()
	o.Overview = c.Overview
	return handler(t, o)
}
