package main

// byStatus asks for each status by itself, so that bands lie over one another in the order of the
// statuses. expr returns the question about one of them.
func byStatus(values []named, expr func(status string) string) []query {
	queries := make([]query, 0, len(values)+1)
	for _, v := range values {
		queries = append(queries, query{expr: expr(v.name), legend: v.name})
	}
	return queries
}

func fleetScans() []panel {
	subtasks := func(status string) string {
		return mean("", "type, status", `aliyun_vulscan_subtasks{`+ofTypes+`, status="`+status+`"}`)
	}
	return []panel{
		{
			title: "Subtasks by status", unit: "short", empty: "no subtask known", width: 12, look: coloured(stacked(), statuses()),
			description: "Where the scans are. A band that stays wide below complete is where they hang.",
			queries:     append(byStatus(statuses(), subtasks), query{expr: subtasks("unknown") + " > 0", legend: "unknown"}),
		},
		{
			title: "Complete by type", unit: "percentunit", empty: "no subtask known", width: 12, look: coloured(lines().Max(1), typeColours()),
			description: "Share of each type's subtasks that have ended, well or badly.",
			queries: []query{{expr: `sum by (type) (aliyun_vulscan_subtasks{` + ofTypes + `, status="complete"})
  / sum by (type) (aliyun_vulscan_subtasks{` + ofTypes + `})`, legend: "{{type}}"}},
		},
		{
			title: "Scans finished", unit: "short", empty: "none was seen to finish", width: 8, look: coloured(bars(), typeColours()),
			description: "Scans that ended within each interval of the graph, of those whose start was seen.",
			queries: []query{{
				expr:   once("type", "type", observed("aliyun_vulscan_scan_duration_seconds", ofTypes, "$__rate_interval")) + " > 0",
				legend: "{{type}}",
			}},
		},
		{
			title: "Duration of scans", unit: "s", empty: "none was seen to finish", width: 8,
			look:        coloured(lines(), []named{{name: "p50", colour: skyBlue}, {name: "p95", colour: blue}}),
			description: "Half of the scans took no longer than p50, all but a twentieth no longer than p95, over an hour before each point.",
			queries: []query{
				{expr: quantile(0.5, "aliyun_vulscan_scan_duration_seconds", ofTypes, "1h", ""), legend: "p50"},
				{expr: quantile(0.95, "aliyun_vulscan_scan_duration_seconds", ofTypes, "1h", ""), legend: "p95"},
			},
		},
		{
			title: "Failing by code", unit: "short", empty: "none", width: 8, look: shades(stacked(), ".*", bad),
			description: "Subtasks that report each error code. One code that rises everywhere has one cause.",
			queries:     []query{{expr: once("code", "type, code", `aliyun_vulscan_subtasks_failing{`+ofTypes+`}`), legend: "{{code}}"}},
		},
	}
}

func fleetDays() []panel {
	finished := once(byAccount+", type", "type", observed("aliyun_vulscan_scan_duration_seconds", ofTypes, "24h"))
	failed := once(byAccount+", type", "type", `increase(aliyun_vulscan_scan_failures_total{`+ofTypes+`}[24h])`)
	p95 := quantile(0.95, "aliyun_vulscan_scan_duration_seconds", ofTypes, "24h", byAccount+", type")
	return []panel{
		{
			title: "Scans finished per day", unit: "short", empty: "none was seen to finish", width: 8, look: coloured(lines(), typeColours()),
			description: "Scans that ended within 24 hours before each point, of those whose start was seen. Choose 30 days above to compare days.",
			queries: []query{{
				expr:   "sum by (type) (" + recorded("account_type:aliyun_vulscan_scans_finished:increase24h", finished) + ")",
				legend: "{{type}}",
			}},
		},
		{
			title: "Scans failed per day", unit: "short", empty: "no subtask known", width: 8, look: coloured(lines(), typeColours()),
			description: "Times a subtask went into an error code within 24 hours before each point.",
			queries: []query{{
				expr:   "sum by (type) (" + recorded("account_type:aliyun_vulscan_scan_failures:increase24h", failed) + ")",
				legend: "{{type}}",
			}},
		},
		{
			title: "Duration of scans over a day (p95)", unit: "s", empty: "none was seen to finish", width: 8, look: lines(),
			description: "All but a twentieth of the scans that ended within 24 hours before each point took no longer.",
			queries: []query{{
				expr:   "max by (account, type) (" + recorded("account_type:aliyun_vulscan_scan_duration_seconds:p95_24h", p95) + ") >= 0",
				legend: "{{account}} {{type}}",
			}},
		},
	}
}

func fleetTasks() []panel {
	servers := func(status string) string {
		return `sum(avg by (` + byTask + `, status) (aliyun_vulscan_server_scans{` + ofAccounts + `, status="` + status + `"}))`
	}
	return []panel{
		{
			title: "Servers by status of their scan", unit: "short", empty: "no task's list was read", width: 8, look: coloured(stacked(), serverScanStatuses()),
			description: "Servers of the discovered tasks by how far their scans are, as the tasks' lists have it.",
			queries:     byStatus(serverScanStatuses(), servers),
		},
		{
			title: "Progress of tasks", unit: "percentunit", empty: "no task is discovered", width: 8, look: lines().Max(1),
			description: "How much of each discovered task is done, as Security Center says.",
			queries:     []query{{expr: `max by (account, task_id) (aliyun_vulscan_task_progress_ratio{` + ofAccounts + `})`, legend: "{{account}} {{task_id}}"}},
		},
		{
			title: "Age of the newest task", unit: "s", empty: "no task is discovered", width: 4, look: lines(),
			description: "More than a day means that scheduled scans do not run.",
			queries:     []query{{expr: `time() - max by (account) (aliyun_vulscan_task_start_timestamp_seconds{` + ofAccounts + `})`, legend: "{{account}}"}},
		},
		{
			title: "Age of the lists", unit: "s", empty: "nothing is discovered", width: 4, look: lines(),
			description: "How long ago tasks and servers were last listed completely. It saws between 0 and refresh_interval while all is well.",
			queries:     []query{{expr: `time() - min by (account, kind) (aliyun_vulscan_discovery_last_success_timestamp_seconds{` + ofAccounts + `} > 0)`, legend: "{{account}} {{kind}}"}},
		},
	}
}
