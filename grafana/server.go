package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// server is the dashboard of one server. Accounts may have servers of one name: it is chosen by
// account and name, and found by its UUID.
func server() (dashboard.Dashboard, error) {
	d, err := empty(serverUID, "Vulnerability scans: server",
		"Every scan of one server: what it is doing, since when, and how it failed.",
		accounts(), serverChoice(), types(ofAccounts))
	if err != nil {
		return d, err
	}
	return d, lay(&d, []row{
		{"", 3, serverNow()},
		{"", 4, serverInfo()},
		{"", 9, serverTimeline()},
		{"", 8, serverDetails()},
	})
}

func serverNow() []panel {
	of := func(title, unit, empty string, look cog.Builder[dashboard.Panel], description, expr string) panel {
		return panel{
			title: title, unit: unit, empty: empty, width: 4, look: look, description: description,
			queries: []query{{expr: expr, legend: "{{account}}", now: true}},
		}
	}
	known := func(metric string) string {
		return `min by (` + byAccount + `) (` + metric + `{` + ofServer + `}) or -1 * group by (` + byAccount + `) (aliyun_vulscan_server_info{` + ofServer + `})`
	}
	counted := func(metric string) string {
		return `count by (` + byAccount + `) (max by (` + bySubtask + `) (` + metric + `{` + ofServerTypes + `}))`
	}
	return []panel{
		of("Polled", "bool_yes_no", "no such server", yesNo("not yet"),
			"No: the last poll failed, and everything below is as old as the last success.", known("aliyun_vulscan_server_up")),
		of("Agent online", "bool_yes_no", "no such server", yesNo("not known"),
			"No: the agent is offline, and scans of the server cannot begin. Known of discovered servers.", known("aliyun_vulscan_server_agent_online")),
		of("Last success", "s", "never", number(3600),
			"How long ago a poll last succeeded. From stale_after on nothing of the server's subtasks is published.",
			`time() - max by (`+byAccount+`) (aliyun_vulscan_server_last_success_timestamp_seconds{`+ofServer+`})`),
		of("Failing subtasks", "short", "none", number(1), "Subtasks of the server that report an error code now.", counted("aliyun_vulscan_subtask_error")),
		of("Stalled subtasks", "short", "none", number(1), "Unfinished subtasks of the server that have not moved for stall_after.", counted("aliyun_vulscan_subtask_stalled")),
		of("Subtasks by the service's count", "short", "not polled yet", number(0),
			"TotalCount of the last answer: all subtasks of the server, also of tasks that are not followed.",
			`max by (`+byAccount+`) (aliyun_vulscan_server_tasks{`+ofServer+`})`),
	}
}

func serverInfo() []panel {
	return []panel{{
		title: "What is known of the server", empty: "no such server", width: 24,
		description: "Region, instance ID, address and system are known of discovered servers.",
		look: list(text("account", "account"), text("server", "server"), text("ip", "address"), text("os", "system"),
			text("region", "region"), text("instance_id", "instance ID"), text("uuid", "UUID", pixels(330))),
		queries: []query{{now: true, expr: `group by (cluster, account, uuid, server, region, instance_id, ip, os) (aliyun_vulscan_server_info{` + ofServer + `})`}},
	}}
}

func serverTimeline() []panel {
	return []panel{{
		title: "State of every subtask", unit: "short", empty: "no subtask known", width: 24, look: timeline(states()),
		description: "One row for each task and type: its status, or that it has failed or stalled. What has failed is not complete, whatever status the API reports.",
		queries: []query{{expr: `-1 * max by (` + bySubtask + `) (aliyun_vulscan_subtask_error{` + ofServerTypes + `})
or -2 * max by (` + bySubtask + `) (aliyun_vulscan_subtask_stalled{` + ofServerTypes + `})
or max by (` + bySubtask + `) (aliyun_vulscan_subtask_status{` + ofServerTypes + `})`, legend: "{{account}} {{task_id}} {{type}}"}},
	}}
}

func serverDetails() []panel {
	// withCode adds the error code to the subtasks that report one.
	withCode := func(pick, metric string) string {
		return pick + ` by (` + bySubtaskError + `) (` + ofErrors(metric, ofServerTypes) + `)
or ` + pick + ` by (` + bySubtask + `) (` + metric + `{` + ofServerTypes + `} unless ignoring (code) aliyun_vulscan_subtask_error{` + ofServerTypes + `})`
	}
	return []panel{
		{
			title: "Subtasks, last changed first", empty: "no subtask known", width: 12,
			description: "The status and error code of each subtask, and since when it has had them. docs/runbooks.md says what to do about codes.",
			look: sorted(list(typeColumn(), codeColumn(), state("B", "status", statuses()), since("A", "since"), taskColumn(),
				text("account", "account", pixels(120))), "since", true),
			queries: []query{
				{now: true, expr: `1000 * (` + withCode("max", "aliyun_vulscan_subtask_last_change_timestamp_seconds") + `)`},
				{now: true, expr: withCode("max", "aliyun_vulscan_subtask_status")},
			},
		},
		{
			title: "Scan in the tasks' lists", empty: "no list names the server", width: 6,
			description: "How far the scan of the server is within each discovered task, as the task's list has it.",
			look:        list(taskColumn(), state("", "scan", serverScanStatuses(), filled()), text("account", "account", pixels(120))),
			queries:     []query{{now: true, expr: `max by (cluster, account, uuid, task_id) (aliyun_vulscan_server_scan_status{` + ofServer + `})`}},
		},
		{
			title: "Errors counted", unit: "short", empty: "none yet", width: 6, look: shades(lines(), ".*", bad),
			description: "How often subtasks of each type went into each code since the exporter began to count.",
			queries:     []query{{expr: `max by (account, type, code) (aliyun_vulscan_subtask_errors_total{` + ofServerTypes + `})`, legend: "{{account}} {{type}} {{code}}"}},
		},
	}
}
