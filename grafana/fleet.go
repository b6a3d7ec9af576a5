package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const (
	ofAccounts = `account=~"$account"`
	ofTypes    = `account=~"$account", type=~"$type"`
)

// fleet is the dashboard of all accounts. Where a metric is summed by the
// exporter already it asks for that: a fleet may have 100,000 servers.
func fleet() (dashboard.Dashboard, error) {
	d, err := empty(fleetUID, "Vulnerability scans: fleet",
		"What the vulnerability scans of all servers are doing, and whether the exporter keeps up.",
		accounts(), types(ofAccounts))
	if err != nil {
		return d, err
	}
	return d, lay(&d, []row{
		{"Now", 4, fleetNow()},
		{"Scans", 8, fleetScans()},
		{"Failing and stalled", 9, fleetTrouble()},
		{"Discovered tasks", 8, fleetTasks()},
		{"API quota and lag", 8, fleetAPI()},
		{"Exporter", 7, fleetExporter()},
	})
}

func fleetNow() []panel {
	return []panel{
		{
			title: "Servers polled well", unit: "short", empty: "no server polled yet", width: 4, look: number(0),
			description: "Servers whose last poll succeeded.",
			queries:     []query{{expr: `sum(aliyun_vulscan_servers{` + ofAccounts + `, state="ok"})`, now: true}},
		},
		{
			title: "Servers failing", unit: "short", empty: "no server watched", width: 4, look: number(1),
			description: "Servers whose last poll failed. See API calls by result for why; /status of the exporter names them.",
			queries:     []query{{expr: `sum(aliyun_vulscan_servers{` + ofAccounts + `, state="failing"})`, now: true}},
		},
		{
			title: "Complete", unit: "percentunit", empty: "no subtask known", width: 4, look: number(0),
			description: "Share of the known subtasks that have ended, well or badly.",
			queries: []query{{expr: `sum(aliyun_vulscan_subtasks{` + ofTypes + `, status="complete"})
  / sum(aliyun_vulscan_subtasks{` + ofTypes + `})`, now: true}},
		},
		{
			title: "Failing subtasks", unit: "short", empty: "none", width: 4, look: number(1),
			description: "Subtasks that report an error code now. The table below names them.",
			queries:     []query{{expr: `sum(aliyun_vulscan_subtasks_failing{` + ofTypes + `})`, now: true}},
		},
		{
			title: "Stalled subtasks", unit: "short", empty: "no subtask known", width: 4, look: number(1),
			description: "Unfinished subtasks that have not moved for stall_after. The table below names the oldest.",
			queries:     []query{{expr: `sum(aliyun_vulscan_subtasks_stalled{` + ofTypes + `})`, now: true}},
		},
		{
			title: "Poll lag", unit: "s", empty: "no account", width: 4, look: number(600),
			description: "How late the most overdue poll is. Minutes mean that the quota does not suffice.",
			queries:     []query{{expr: `max(aliyun_vulscan_poll_lag_seconds{` + ofAccounts + `})`, now: true}},
		},
	}
}

func fleetScans() []panel {
	return []panel{
		{
			title: "Subtasks by status", unit: "short", empty: "no subtask known", width: 12, look: statusColours(stacked()),
			description: "Where the scans are. A band that stays wide below complete is where they hang.",
			queries:     []query{{expr: `sum by (status) (aliyun_vulscan_subtasks{` + ofTypes + `})`, legend: "{{status}}"}},
		},
		{
			title: "Complete by type", unit: "percentunit", empty: "no subtask known", width: 12, look: lines().Max(1),
			description: "Share of each type's subtasks that have ended.",
			queries: []query{{expr: `sum by (type) (aliyun_vulscan_subtasks{` + ofTypes + `, status="complete"})
  / sum by (type) (aliyun_vulscan_subtasks{` + ofTypes + `})`, legend: "{{type}}"}},
		},
		{
			title: "Scans finished", unit: "short", empty: "none was seen to finish", width: 12, look: stacked(),
			description: "Scans that ended within each interval of the graph, of those whose start was seen.",
			queries:     []query{{expr: `sum by (type) (increase(aliyun_vulscan_scan_duration_seconds_count{` + ofTypes + `}[$__rate_interval]))`, legend: "{{type}}"}},
		},
		{
			title: "Duration of scans", unit: "s", empty: "none was seen to finish", width: 12, look: lines(),
			description: "Half of the scans took no longer than p50, all but a twentieth no longer than p95, over an hour before each point.",
			queries: []query{
				{expr: `histogram_quantile(0.5, sum by (le) (increase(aliyun_vulscan_scan_duration_seconds_bucket{` + ofTypes + `}[1h])))`, legend: "p50"},
				{expr: `histogram_quantile(0.95, sum by (le) (increase(aliyun_vulscan_scan_duration_seconds_bucket{` + ofTypes + `}[1h])))`, legend: "p95"},
			},
		},
	}
}

func fleetTrouble() []panel {
	return []panel{
		{
			title: "Failing by code", unit: "short", empty: "none", width: 12, look: stacked(),
			description: "Subtasks that report each error code. One code that rises everywhere has one cause.",
			queries:     []query{{expr: `sum by (code) (aliyun_vulscan_subtasks_failing{` + ofTypes + `})`, legend: "{{code}}"}},
		},
		{
			title: "Stalled by type", unit: "short", empty: "no subtask known", width: 12, look: stacked(),
			description: "Unfinished subtasks that have not moved for stall_after.",
			queries:     []query{{expr: `sum by (account, type) (aliyun_vulscan_subtasks_stalled{` + ofTypes + `})`, legend: "{{account}} {{type}}"}},
		},
		{
			title: "Failing subtasks, longest first", unit: "s", empty: "none", width: 12, look: list("for", "account", "server", "task_id", "type", "code"),
			description: "At most 100 subtasks that report an error code, and for how long. A server leads to its dashboard.",
			queries: []query{{now: true, expr: `topk(100, aliyun_vulscan_subtask_error{` + ofTypes + `}
  * on (account, uuid, server, task_id, type) group_left () (time() - aliyun_vulscan_subtask_last_change_timestamp_seconds{` + ofTypes + `}))`}},
		},
		{
			title: "Unfinished subtasks, longest unmoved first", unit: "s", empty: "none", width: 12, look: list("unmoved for", "account", "server", "task_id", "type"),
			description: "At most 100 subtasks that are not complete, and how long they have not moved. A server leads to its dashboard.",
			queries: []query{{now: true, expr: `topk(100, (time() - aliyun_vulscan_subtask_last_change_timestamp_seconds{` + ofTypes + `})
  and (aliyun_vulscan_subtask_status{` + ofTypes + `} != 4))`}},
		},
	}
}

func fleetTasks() []panel {
	return []panel{
		{
			title: "Progress of tasks", unit: "percentunit", empty: "no task is discovered", width: 8, look: lines().Max(1),
			description: "How much of each discovered task is done, as Security Center says.",
			queries:     []query{{expr: `max by (account, task_id) (aliyun_vulscan_task_progress_ratio{` + ofAccounts + `})`, legend: "{{account}} {{task_id}}"}},
		},
		{
			title: "Servers of tasks", unit: "short", empty: "no task is discovered", width: 8, look: lines(),
			description: "Servers that the discovered tasks have, that succeeded and that failed, as Security Center counts them.",
			queries:     []query{{expr: `sum by (account, state) (max by (account, task_id, state) (aliyun_vulscan_task_servers{` + ofAccounts + `}))`, legend: "{{account}} {{state}}"}},
		},
		{
			title: "Age of the newest task", unit: "s", empty: "no task is discovered", width: 4, look: lines(),
			description: "More than a day means that scheduled scans do not run.",
			queries:     []query{{expr: `time() - max by (account) (aliyun_vulscan_task_start_timestamp_seconds{` + ofAccounts + `})`, legend: "{{account}}"}},
		},
		{
			title: "Age of the lists", unit: "s", empty: "nothing is discovered", width: 4, look: lines(),
			description: "How long ago tasks and servers were last listed completely. It saws between 0 and refresh_interval while all is well.",
			queries:     []query{{expr: `time() - max by (account, kind) (aliyun_vulscan_discovery_last_success_timestamp_seconds{` + ofAccounts + `})`, legend: "{{account}} {{kind}}"}},
		},
	}
}

func fleetAPI() []panel {
	return []panel{
		{
			title: "API calls by result", unit: "reqps", empty: "no call yet", width: 8, look: stacked(),
			description: "All but ok is the API's error code, or what became of the connection.",
			queries:     []query{{expr: `sum by (result) (rate(aliyun_vulscan_api_requests_total{` + ofAccounts + `}[$__rate_interval]))`, legend: "{{result}}"}},
		},
		{
			title: "Quota", unit: "reqps", empty: "no account", width: 8, look: lines(),
			description: "Calls a second beside what is allowed now. Where they meet, the quota is used up; where the allowed rate dips, the API has throttled.",
			queries: []query{
				{expr: `sum by (account) (aliyun_vulscan_api_request_limit{` + ofAccounts + `})`, legend: "{{account}} allowed"},
				{expr: `sum by (account) (rate(aliyun_vulscan_api_requests_total{` + ofAccounts + `}[$__rate_interval]))`, legend: "{{account}} used"},
			},
		},
		{
			title: "Poll lag by account", unit: "s", empty: "no account", width: 8, look: lines(),
			description: "How late the most overdue poll is. It grows when the quota does not suffice, or when calls are refused.",
			queries:     []query{{expr: `max by (account) (aliyun_vulscan_poll_lag_seconds{` + ofAccounts + `})`, legend: "{{account}}"}},
		},
		{
			title: "Duration of API calls", unit: "s", empty: "no call yet", width: 12, look: lines(),
			description: "95% of the calls of each operation took no longer.",
			queries:     []query{{expr: `histogram_quantile(0.95, sum by (action, le) (rate(aliyun_vulscan_api_request_duration_seconds_bucket{` + ofAccounts + `}[$__rate_interval])))`, legend: "{{action}}"}},
		},
		{
			title: "Odd answers", unit: "short", empty: "none: every answer fits the documentation", width: 12, look: lines(),
			description: "Parts of answers that do not fit the API's documentation, by kind. docs/metrics.md says what is published instead.",
			queries:     []query{{expr: `sum by (account, reason) (increase(aliyun_vulscan_response_anomalies_total{` + ofAccounts + `}[$__rate_interval]))`, legend: "{{account}} {{reason}}"}},
		},
	}
}

func fleetExporter() []panel {
	return []panel{
		{
			title: "Configuration loaded", unit: "bool_yes_no", empty: "no exporter", width: 4, look: number(0),
			description: "No: the last reload failed, and the configuration before is in effect. --config.check says why.",
			queries:     []query{{expr: `min(aliyun_vulscan_exporter_config_last_reload_successful)`, now: true}},
		},
		{
			title: "State errors", unit: "short", empty: "no exporter", width: 4, look: number(1),
			description: "Failed reads and writes of --state.file within a day. A restart would lose what could not be written.",
			queries:     []query{{expr: `sum(increase(aliyun_vulscan_exporter_state_errors_total[1d]))`, now: true}},
		},
		{
			title: "Memory", unit: "bytes", empty: "no exporter", width: 8, look: lines(),
			description: "Resident memory of each exporter.",
			queries:     []query{{expr: `process_resident_memory_bytes and on (instance, job) aliyun_vulscan_exporter_build_info`, legend: "{{instance}}"}},
		},
		{
			title: "Processor", unit: "percentunit", empty: "no exporter", width: 8, look: lines(),
			description: "Share of one processor that each exporter uses.",
			queries:     []query{{expr: `rate(process_cpu_seconds_total[$__rate_interval]) and on (instance, job) aliyun_vulscan_exporter_build_info`, legend: "{{instance}}"}},
		},
	}
}
