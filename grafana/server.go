package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const (
	ofServer      = `account=~"$account", server="$server"`
	ofServerTypes = `account=~"$account", server="$server", type=~"$type"`
)

// server is the dashboard of one server.
func server() (dashboard.Dashboard, error) {
	d, err := empty(serverUID, "Vulnerability scans: server",
		"Every scan of one server: what it is doing, since when, and how it failed.",
		accounts(),
		choice("server", "Server", `label_values(aliyun_vulscan_server_info{`+ofAccounts+`}, server)`),
		types(ofAccounts))
	if err != nil {
		return d, err
	}
	return d, lay(&d, []row{
		{"Now", 5, serverNow()},
		{"Scans", 10, serverScans()},
		{"Errors", 8, serverErrors()},
	})
}

func serverNow() []panel {
	return []panel{
		{
			title: "Polled", unit: "bool_yes_no", empty: "not polled yet", width: 4, look: number(0),
			description: "No: the last poll failed, and everything below is as old as the last success.",
			queries:     []query{{expr: `min(aliyun_vulscan_server_up{` + ofServer + `})`, now: true}},
		},
		{
			title: "Last success", unit: "s", empty: "never", width: 4, look: number(3600),
			description: "How long ago a poll last succeeded. From stale_after on nothing of the server's subtasks is published.",
			queries:     []query{{expr: `time() - max(aliyun_vulscan_server_last_success_timestamp_seconds{` + ofServer + `})`, now: true}},
		},
		{
			title: "Subtasks by the service's count", unit: "short", empty: "not polled yet", width: 4, look: number(0),
			description: "TotalCount of the last answer: all subtasks of the server, also of tasks that are not followed.",
			queries:     []query{{expr: `max(aliyun_vulscan_server_tasks{` + ofServer + `})`, now: true}},
		},
		{
			title: "What is known of it", unit: "none", empty: "no such server", width: 12, look: list("", "account", "server", "uuid"),
			description: "Labels of the server; region, instance ID, address and system are known of discovered servers.",
			queries:     []query{{expr: `aliyun_vulscan_server_info{` + ofServer + `}`, now: true}},
		},
	}
}

func serverScans() []panel {
	return []panel{
		{
			title: "Status of every scan", unit: "short", empty: "no subtask known", width: 24, look: timeline(),
			description: "One row for each task and type. A row of one colour for long, other than complete, hangs.",
			queries:     []query{{expr: `aliyun_vulscan_subtask_status{` + ofServerTypes + `}`, legend: "{{task_id}} {{type}}"}},
		},
		{
			title: "Time in the present state", unit: "s", empty: "no subtask known", width: 24, look: list("unchanged for", "account", "task_id", "type"),
			description: "How long each subtask has had its present status and code.",
			queries:     []query{{expr: `sort_desc(time() - aliyun_vulscan_subtask_last_change_timestamp_seconds{` + ofServerTypes + `})`, now: true}},
		},
	}
}

func serverErrors() []panel {
	return []panel{
		{
			title: "Errors now", unit: "none", empty: "none", width: 12, look: list("reported", "account", "task_id", "type", "code"),
			description: "Error codes that subtasks report now. docs/runbooks.md says what to do about them.",
			queries:     []query{{expr: `aliyun_vulscan_subtask_error{` + ofServerTypes + `}`, now: true}},
		},
		{
			title: "Errors counted", unit: "short", empty: "none yet", width: 12, look: lines(),
			description: "How often subtasks of each type went into each code since the exporter began to count.",
			queries:     []query{{expr: `sum by (type, code) (aliyun_vulscan_subtask_errors_total{` + ofServerTypes + `})`, legend: "{{type}} {{code}}"}},
		},
	}
}
