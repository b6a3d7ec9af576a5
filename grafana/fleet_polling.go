package main

func fleetAPI() []panel {
	return []panel{
		{
			title: "API calls by result", unit: "reqps", empty: "no call yet", width: 8,
			look:        coloured(shades(stacked(), "^(?!ok$).*", bad), []named{{name: "ok", colour: blue}}),
			description: "All but ok is the API's error code, or what became of the connection. Replicas add up: each has made its calls.",
			queries:     []query{{expr: `sum by (result) (rate(aliyun_vulscan_api_requests_total{` + ofAccounts + `}[$__rate_interval])) > 0`, legend: "{{result}}"}},
		},
		{
			title: "Quota", unit: "reqps", empty: "no account", width: 8, look: lines(),
			description: "Calls a second beside what is allowed now, of all exporters together. Where they meet, the quota is used up; where the allowed rate dips, the API has throttled.",
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
			queries:     []query{{expr: quantile(0.95, "aliyun_vulscan_api_request_duration_seconds", ofAccounts, "$__rate_interval", "action"), legend: "{{action}}"}},
		},
		{
			title: "Odd answers", unit: "short", empty: "none: every answer fits the documentation", width: 12, look: bars(),
			description: "Parts of answers that do not fit the API's documentation, by kind. docs/metrics.md says what is published instead.",
			queries:     []query{{expr: `sum by (account, reason) (increase(aliyun_vulscan_response_anomalies_total{` + ofAccounts + `}[$__rate_interval])) > 0`, legend: "{{account}} {{reason}}"}},
		},
	}
}

func fleetExporter() []panel {
	const byTarget = "cluster, job, instance"
	ofProcess := ` and on (` + byTarget + `) aliyun_vulscan_exporter_build_info{` + ofTargets + `}`
	return []panel{
		{
			title: "Exporters", empty: "no exporter", width: 10,
			description: "Every exporter, the share of the servers that it polls, and whether its configuration was loaded.",
			look: list(text("instance", "instance"), text("job", "job"), text("shard", "shard", pixels(70)), text("total_shards", "of", pixels(60)),
				text("version", "version"), state("B", "loaded", loadedOrNot(), filled())),
			queries: []query{
				{now: true, expr: `max by (` + byTarget + `, shard, total_shards) (aliyun_vulscan_exporter_shard_info{` + ofTargets + `})`},
				{now: true, expr: `min by (` + byTarget + `) (aliyun_vulscan_exporter_config_last_reload_successful{` + ofTargets + `})`},
				{now: true, expr: `max by (` + byTarget + `, version) (aliyun_vulscan_exporter_build_info{` + ofTargets + `})`},
			},
		},
		{
			title: "State errors", unit: "short", empty: "no exporter", width: 4, look: number(1),
			description: "Failed reads and writes of --state.file within a day. A restart would lose what could not be written.",
			queries:     []query{{expr: `sum(increase(aliyun_vulscan_exporter_state_errors_total{` + ofTargets + `}[1d]))`, now: true}},
		},
		{
			title: "Memory", unit: "bytes", empty: "no exporter", width: 5, look: lines(),
			description: "Resident memory of each exporter.",
			queries:     []query{{expr: `process_resident_memory_bytes{` + ofTargets + `}` + ofProcess, legend: "{{instance}}"}},
		},
		{
			title: "Processor", unit: "percentunit", empty: "no exporter", width: 5, look: lines(),
			description: "Share of one processor that each exporter uses.",
			queries:     []query{{expr: `rate(process_cpu_seconds_total{` + ofTargets + `}[$__rate_interval])` + ofProcess, legend: "{{instance}}"}},
		},
	}
}
