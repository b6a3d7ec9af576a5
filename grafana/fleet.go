package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// fleet is the dashboard of all accounts. Where a metric is summed by the exporter already it asks
// for that: a fleet may have 100,000 servers.
func fleet() (dashboard.Dashboard, error) {
	d, err := empty(fleetUID, "Vulnerability scans: fleet",
		"What the vulnerability scans of all servers are doing, and whether the exporter keeps up.",
		accounts(), types(ofAccounts))
	if err != nil {
		return d, err
	}
	return d, lay(&d, []row{
		{"", 3, fleetNow()},
		{"", 7, fleetRunning()},
		{"", 12, fleetTrouble()},
		{"Scans", 8, fleetScans()},
		{"Per day", 8, fleetDays()},
		{"Tasks", 8, fleetTasks()},
		{"API quota and lag", 8, fleetAPI()},
		{"Exporter", 7, fleetExporter()},
	})
}

func fleetNow() []panel {
	return []panel{
		{
			title: "Accounts not polled", unit: "short", empty: "no account", width: 3, look: number(1),
			description: "Accounts of which no server can be polled: their calls are refused, or fail in another way. The table of accounts names them, and the error code.",
			queries:     []query{{expr: "count(" + blind() + ")\nor 0 * group(aliyun_vulscan_servers{" + ofAccounts + "})", now: true}},
		},
		{
			title: "Servers not polled", unit: "short", empty: "no server watched", width: 3, look: number(1),
			description: "Servers whose last poll failed: what is shown of them is old. /status of the exporter names them.",
			queries:     []query{{expr: "sum(" + unpolled() + ")", now: true}},
		},
		{
			title: "Servers watched", unit: "short", empty: "no server watched", width: 3, look: number(0),
			description: "All servers that are polled, or should be. Replicas of an exporter count once.",
			queries:     []query{{expr: "sum(" + watched() + ")", now: true}},
		},
		{
			title: "Failing subtasks", unit: "short", empty: "no subtask known", width: 3, look: number(1),
			description: "Subtasks that report an error code now. The table below names them.",
			queries: []query{{expr: once("", "type, code", `aliyun_vulscan_subtasks_failing{`+ofTypes+`}`) +
				"\nor 0 * group(aliyun_vulscan_subtasks{" + ofTypes + "})", now: true}},
		},
		{
			title: "Stalled subtasks", unit: "short", empty: "no subtask known", width: 3, look: number(1),
			description: "Unfinished subtasks that have not moved for stall_after. The table below names the oldest.",
			queries:     []query{{expr: once("", "type", `aliyun_vulscan_subtasks_stalled{`+ofTypes+`}`), now: true}},
		},
		{
			title: "Complete", unit: "percentunit", empty: "no subtask known", width: 3, look: number(0),
			description: "Share of the known subtasks that have ended, well or badly.",
			queries: []query{{expr: `sum(aliyun_vulscan_subtasks{` + ofTypes + `, status="complete"})
  / sum(aliyun_vulscan_subtasks{` + ofTypes + `})`, now: true}},
		},
		{
			title: "Poll lag", unit: "s", empty: "no account", width: 3, look: number(600),
			description: "How late the most overdue poll is. Minutes mean that the quota does not suffice.",
			queries:     []query{{expr: `max(aliyun_vulscan_poll_lag_seconds{` + ofAccounts + `})`, now: true}},
		},
		{
			title: "Configuration loaded", unit: "bool_yes_no", empty: "no exporter", width: 3, look: yesNo("not known"),
			description: "No: the last reload failed, and the configuration before is in effect. --config.check says why.",
			queries:     []query{{expr: `min(aliyun_vulscan_exporter_config_last_reload_successful{` + ofTargets + `})`, now: true}},
		},
	}
}

// running are the discovered tasks that have not ended.
const running = `(max by (` + byTask + `) (aliyun_vulscan_task_info{` + ofAccounts + `})
  unless on (` + byTask + `) aliyun_vulscan_task_end_timestamp_seconds{` + ofAccounts + `})`

func fleetRunning() []panel {
	ofTask := func(metric, state string) string {
		return `max by (` + byTask + `) (` + metric + `{` + ofAccounts + state + `}) and on (` + byTask + `) ` + running
	}
	return []panel{
		{
			title: "Running tasks", empty: "no task is running", width: 15,
			description: "Tasks that have not ended. Of discovered ones Security Center says how far they are; of others, it is the share of their subtasks that are complete, which needs `series: all`.",
			look: sorted(list(text("account", "account", pixels(130)), taskColumn(), since("D", "started"),
				value("B", "servers", "none", pixels(80)), value("C", "failed", "none", pixels(80)), share("A", "progress")), "started", true),
			queries: []query{
				{now: true, expr: ofTask("aliyun_vulscan_task_progress_ratio", "") + `
or (avg by (` + byTask + `) (aliyun_vulscan_subtask_status{` + ofAccounts + `} == bool 4) < 1)
  unless on (` + byTask + `) aliyun_vulscan_task_info{` + ofAccounts + `}`},
				{now: true, expr: ofTask("aliyun_vulscan_task_servers", `, state="total"`)},
				{now: true, expr: ofTask("aliyun_vulscan_task_servers", `, state="fail"`)},
				{now: true, expr: ofTask("1000 * aliyun_vulscan_task_start_timestamp_seconds", "")},
			},
		},
		{
			title: "Accounts", empty: "no account", width: 9,
			description: "Whether each account is polled. Refused: no call succeeds until credentials or permissions are mended; --doctor says how.",
			look: sorted(list(text("account", "account"), state("A", "polls", accountStates(), filled()), value("B", "servers", "none", pixels(80)),
				value("C", "not polled", "none", pixels(95)), value("D", "lag", "s", pixels(90)), text("result", "latest error")), "polls", true),
			queries: []query{
				{now: true, expr: `2 * ` + refused() + `
or 3 * ` + blind() + `
or ` + unpolled() + ` > bool 0`},
				{now: true, expr: watched()},
				{now: true, expr: unpolled()},
				{now: true, expr: `max by (` + byAccount + `) (aliyun_vulscan_poll_lag_seconds{` + ofAccounts + `})`},
				{now: true, expr: `topk by (` + byAccount + `) (1, sum by (` + byAccount + `, result) (increase(aliyun_vulscan_api_requests_total{` + ofAccounts + `, result!="ok"}[5m])) > 0)`},
			},
		},
	}
}

func fleetTrouble() []panel {
	columns := func(more ...column) []column {
		return append([]column{serverColumn(), typeColumn()}, more...)
	}
	tail := []column{taskColumn(), text("account", "account", pixels(120)), hidden("uuid")}
	failing := `topk(100, max by (` + bySubtaskError + `) (` + ofErrors("aliyun_vulscan_subtask_last_change_timestamp_seconds", ofTypes) + `))`
	stalled := `bottomk(100, min by (` + bySubtask + `) (
  aliyun_vulscan_subtask_stalled{` + ofTypes + `} * aliyun_vulscan_subtask_last_change_timestamp_seconds{` + ofTypes + `}))`
	return []panel{
		{
			title: "Failing subtasks, newest first", empty: "none", width: 13,
			description: "At most 100 subtasks that report an error code, with the status in which they do, and since when. A server leads to its dashboard.",
			look:        sorted(list(append(columns(codeColumn(), state("B", "status", statuses()), since("A", "since")), tail...)...), "since", true),
			queries: []query{
				{now: true, expr: `1000 * ` + failing},
				{now: true, expr: `max by (` + bySubtaskError + `) (` + ofErrors("aliyun_vulscan_subtask_status", ofTypes) + `)
  and on (` + subtaskKeys + `, code) ` + failing},
			},
		},
		{
			title: "Stalled subtasks, oldest first", empty: "none", width: 11,
			description: "At most 100 unfinished subtasks that have not moved for stall_after, with the status in which they hang, and since when. A server leads to its dashboard.",
			look:        sorted(list(append(columns(state("B", "status", statuses()), since("A", "since")), tail...)...), "since", false),
			queries: []query{
				{now: true, expr: `1000 * ` + stalled},
				{now: true, expr: `max by (` + bySubtask + `) (aliyun_vulscan_subtask_stalled{` + ofTypes + `} * aliyun_vulscan_subtask_status{` + ofTypes + `})
  and on (` + subtaskKeys + `) ` + stalled},
			},
		},
	}
}
