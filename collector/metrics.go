package collector

import (
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// metric is a row of the table of all metrics. One with none of the functions is counted when
// something happens (events.go).
type metric struct {
	name, help string
	labels     []string
	info       bool // its labels are serverLabels, assetLabels and those that the configuration gives to servers
	counter    bool
	buckets    []float64

	// read reads the value of an object; per says of what kind that is.
	per  kind
	read func(o *object) (value float64, there bool)
	// The other functions call put for each value, with the labels that follow account.
	account func(a *accountState, put put)
	task    func(t *sas.Task, put put)
}

// kind is what a metric of servers has values of.
type kind int

const (
	perServer kind = iota + 1
	perServerScan
	perSubtask
	perErrorCount
)

// object is a server, and one of what it has: that of the metric's kind.
type object struct {
	scan.View
	scan    *scan.ServerScan
	subtask *scan.Subtask
	errors  *scan.ErrorCount
}

// accountState is what an account's metrics are read of.
type accountState struct {
	*scan.AccountStatus
	totals scan.Totals
	now    time.Time
	step   time.Duration // of the system's clock
}

type put func(value float64, labels ...string)

// ifKnown puts a value if it is known.
func (put put) ifKnown(known bool, value float64, labels ...string) {
	if known {
		put(value, labels...)
	}
}

// byStatus puts a count for every documented status. The last count is that of all other statuses
// and is put only if it is not zero.
func (put put) byStatus(counts []int, names []string, label string) {
	for place, n := range counts {
		put.ifKnown(place < len(counts)-1 || n > 0, float64(n), label, names[place])
	}
}

// assetLabels are the labels of server_info that only discovery knows. A row added here is a label
// more.
var assetLabels = []struct {
	name string
	of   func(discovery.Server) string
}{
	{"region", func(s discovery.Server) string { return s.Region }},
	{"instance_id", func(s discovery.Server) string { return s.InstanceID }},
	{"ip", func(s discovery.Server) string { return s.IP }},
	{"os", func(s discovery.Server) string { return s.OS }},
}

// Labels that many metrics have.
var (
	serverLabels  = []string{"account", "uuid", "server"}
	subtaskLabels = []string{"account", "uuid", "server", "task_id", "type"}
	taskLabels    = []string{"account", "task_id"}
)

// metrics are all but those about the process.
var metrics = []metric{{
	name: "aliyun_vulscan_server_info", per: perServer, info: true,
	help: "Always 1: what is known of a watched server, with its configured labels. Join it to other metrics on account and uuid.",
	read: func(*object) (float64, bool) { return 1, true },
}, {
	name: "aliyun_vulscan_server_up", per: perServer, labels: serverLabels,
	help: "1 if the last poll of the server succeeded, else 0; absent before the first. The reason is in api_requests_total and the log.",
	read: func(o *object) (float64, bool) {
		state := o.State(o.Refused)
		return boolean(state == scan.StateOK), state != scan.StatePending
	},
}, {
	name: "aliyun_vulscan_server_last_success_timestamp_seconds", per: perServer, labels: serverLabels,
	help: "When a poll of the server last succeeded. Subtasks of a server not polled for stale_after are withdrawn.",
	read: func(o *object) (float64, bool) { return o.Unix(o.LastSuccess), o.LastSuccess != 0 },
}, {
	name: "aliyun_vulscan_server_tasks", per: perServer, labels: serverLabels,
	help: "TotalCount of the last answer: the server's scan subtasks as the API counts them.",
	read: func(o *object) (float64, bool) { return float64(o.Total), o.Total >= 0 && !o.Stale() },
}, {
	name: "aliyun_vulscan_server_agent_online", per: perServer, labels: serverLabels,
	help: "Discovered servers: 1 if Security Center's agent on the server is online, else 0. An offline agent cannot be scanned: start it again.",
	read: func(o *object) (float64, bool) { return boolean(o.Target.Asset().Online), o.Target.AssetInfo != nil },
}, {
	name: "aliyun_vulscan_server_scan_status", per: perServerScan, labels: []string{"account", "uuid", "server", "task_id"},
	help: "The scan of one server within a task, as the task's list has it: 0 not started, 1 started, 2 completed, 3 failed, 4 timed out. " +
		"For a failed one look at subtask_error of the same server.",
	read: func(o *object) (float64, bool) { return o.scan.Status, !math.IsNaN(o.scan.Status) },
}, {
	name: "aliyun_vulscan_subtask_status", per: perSubtask, labels: subtaskLabels,
	help: "Status of a scan subtask as the API reports it: 0 unhandled, 1 collecting, 2 collected, 3 matching, 4 complete. " +
		"Complete is not successful: see subtask_error.",
	read: func(o *object) (float64, bool) { return o.subtask.Status, !math.IsNaN(o.subtask.Status) },
}, {
	name: "aliyun_vulscan_subtask_last_change_timestamp_seconds", per: perSubtask, labels: subtaskLabels,
	help: "When the exporter first saw the present status and error code. One that is old while the status is below 4 is a scan that hangs.",
	read: func(o *object) (float64, bool) { return o.Unix(o.subtask.Changed), !math.IsNaN(o.subtask.Status) },
}, {
	name: "aliyun_vulscan_subtask_error", per: perSubtask, labels: append(slices.Clip(subtaskLabels), "code"),
	help: "1 while the API reports this error code for the subtask and no newer scan has answered it. " +
		"push_command_failed mostly means that the server's agent is offline.",
	read: func(o *object) (float64, bool) { return 1, o.subtask.Failing() },
}, {
	name: "aliyun_vulscan_subtask_stalled", per: perSubtask, labels: subtaskLabels,
	help: "1 while an unfinished subtask has kept its status for stall_after. Look at the server's agent, and start the scan anew.",
	read: func(o *object) (float64, bool) { return 1, o.Stalled(o.subtask) },
}, {
	name: "aliyun_vulscan_subtask_errors_total", per: perErrorCount, labels: []string{"account", "uuid", "server", "type", "code"}, counter: true,
	help: "Times a subtask went into an error code. It appears with the first error, which an increase does not see: " +
		"alert on scan_failures_total or subtask_error, and look here for the server.",
	read: func(o *object) (float64, bool) { return o.errors.Count, true },
}, {
	name: "aliyun_vulscan_servers", labels: []string{"account", "state"},
	help: "Servers watched: ok, failing (the last poll failed, or the account is refused), pending (not polled yet).",
	account: func(a *accountState, put put) {
		put(float64(a.totals.OK), scan.StateOK)
		put(float64(a.totals.Failing), scan.StateFailing)
		put(float64(a.totals.Pending), scan.StatePending)
	},
}, {
	name: "aliyun_vulscan_subtasks", labels: []string{"account", "type", "status"},
	help: "Subtasks in each status, by the status' name; unknown is a status that Alibaba does not document.",
	account: func(a *accountState, put put) {
		for _, of := range a.totals.Types {
			put.byStatus(of.ByStatus[:], scan.StatusNames(), of.Type)
		}
	},
}, {
	name: "aliyun_vulscan_subtasks_failing", labels: []string{"account", "type", "code"},
	help: "Subtasks that report an error code now. Find the servers with subtask_error.",
	account: func(a *accountState, put put) {
		for _, c := range a.totals.Codes {
			put(float64(c.Count), c.Type, c.Code)
		}
	},
}, {
	name: "aliyun_vulscan_subtasks_stalled", labels: []string{"account", "type"},
	help: "Unfinished subtasks whose status has not changed for stall_after. Find them with subtask_stalled.",
	account: func(a *accountState, put put) {
		for _, of := range a.totals.Types {
			put(float64(of.Stalled), of.Type)
		}
	},
}, {
	name: "aliyun_vulscan_api_request_limit", labels: []string{"account"},
	help: "API calls a second allowed now. Below the configured requests_per_second the API has throttled: lower that, " +
		"or raise the account's quota.",
	account: func(a *accountState, put put) { put(a.Allowed) },
}, {
	name: "aliyun_vulscan_poll_lag_seconds", labels: []string{"account"},
	help:    "How long the most overdue server has been due. One that grows means that the quota is too small for the servers and intervals.",
	account: func(a *accountState, put put) { put(a.Lag(a.now).Seconds()) },
}, {
	name: "aliyun_vulscan_discovery_last_success_timestamp_seconds", labels: []string{"account", "kind"},
	help: "When the list of servers or tasks was last read completely, 0 if never. While it is old, what is new is not followed; " +
		"the log says why.",
	account: func(a *accountState, put put) {
		if a.Config.Discovery.Servers != nil {
			put(unix(present(a.Found.Servers.At, a.now, a.step)), discovery.KindServers)
		}
		if a.Config.Discovery.Tasks != nil {
			put(unix(present(a.Found.Tasks.At, a.now, a.step)), discovery.KindTasks)
		}
	},
}, {
	name: "aliyun_vulscan_server_scans", labels: []string{"account", "task_id", "status"},
	help: "Servers of a task by the status of their scan, as the task's list has it. Find those with server_scan_status.",
	account: func(a *accountState, put put) {
		for _, l := range a.Lists {
			if !l.At.IsZero() {
				put.byStatus(l.ByStatus[:], scan.ServerScanNames(), l.TaskID)
			}
		}
	},
}, {
	name: "aliyun_vulscan_task_info", labels: append(slices.Clip(taskLabels), "source", "status"),
	help: "Always 1: what started a discovered task, and its status in Security Center's words.",
	task: func(t *sas.Task, put put) { put(1, t.ID, t.Source, t.Status) },
}, {
	name: "aliyun_vulscan_task_progress_ratio", labels: taskLabels,
	help: "How much of a discovered task is done, as Security Center says.",
	task: func(t *sas.Task, put put) { put.ifKnown(!math.IsNaN(t.Progress), t.Progress, t.ID) },
}, {
	name: "aliyun_vulscan_task_servers", labels: append(slices.Clip(taskLabels), "state"),
	help: "Servers of a discovered task: total, and of those success and fail. Leave total out of sums. Find the failed ones with subtask_error.",
	task: func(t *sas.Task, put put) {
		put.ifKnown(t.Total >= 0, float64(t.Total), t.ID, "total")
		put.ifKnown(t.Success >= 0, float64(t.Success), t.ID, "success")
		put.ifKnown(t.Fail >= 0, float64(t.Fail), t.ID, "fail")
	},
}, {
	name: "aliyun_vulscan_task_start_timestamp_seconds", labels: taskLabels,
	help: "When a discovered task began. None within a day means that scheduled scans do not run.",
	task: func(t *sas.Task, put put) { put.ifKnown(!t.Start.IsZero(), unix(t.Start), t.ID) },
}, {
	name: "aliyun_vulscan_task_end_timestamp_seconds", labels: taskLabels,
	help: "When a discovered task ended; absent while it runs.",
	task: func(t *sas.Task, put put) { put.ifKnown(!t.End.IsZero(), unix(t.End), t.ID) },
}, {
	name: "aliyun_vulscan_api_requests_total", labels: []string{"account", "action", "result"}, counter: true,
	help: "API calls by result: ok, the API's error code, or timeout, connection, canceled, response (an answer that cannot be believed). " +
		"Look up a rising error code in docs/results.md.",
}, {
	name: "aliyun_vulscan_api_request_duration_seconds", labels: []string{"account", "action"},
	help:    "Time an API call took, failed ones included. Calls near the configured timeout mean a slow network or service.",
	buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
}, {
	name: "aliyun_vulscan_scan_duration_seconds", labels: []string{"account", "type"},
	help: "Time from the first sight of an unfinished subtask to its completion; the exemplar names the task. " +
		"Compare its quantiles with stall_after.",
	buckets: []float64{30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800},
}, {
	name: "aliyun_vulscan_scan_failures_total", labels: []string{"account", "type"}, counter: true,
	help: "Times any subtask of the account went into an error code. Alert on its increase; find the server with subtask_error.",
}, {
	name: "aliyun_vulscan_exporter_shard_info", labels: []string{"shard", "total_shards"},
	help: "Always 1: which share of the servers this process polls. Every number from 0 to total_shards - 1 has to be there once.",
}, {
	name: "aliyun_vulscan_response_anomalies_total", labels: []string{"account", "reason"}, counter: true,
	help: "Parts of answers that did not fit Alibaba's documentation, by kind. A rise means that the API changed: compare versions of the exporter.",
}}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix returns a time in seconds since 1970, to the millisecond; 0 for the zero time.
func unix(t time.Time) float64 { return float64(scan.InstantOf(t)) / 1000 }
