package collector

import (
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/config"
)

// Families of servers, of subtasks and of the sums of both, in the order of
// their names.
const (
	serverInfo = iota
	serverLastSuccess
	serverTasks
	serverUp
	accountServers
	subtaskError
	subtaskErrors
	subtaskLastChange
	subtaskStatus
	accountSubtasks
	accountFailing
	accountStalled
	familyCount
)

// family is what all samples of a metric family share. Labels are in
// alphabetical order.
type family struct {
	name, help string
	counter    bool
	labels     []string
}

// families gives all of them; configured are the label names that the
// configuration gives to servers.
func families(configured []string) [familyCount]family {
	server := []string{"account", "server", "uuid"}
	subtask := []string{"account", "server", "task_id", "type", "uuid"}
	f := [familyCount]family{
		serverInfo: {
			name: "server_info", labels: infoLabels(configured),
			help: "Always 1: what is known of a watched server, with its configured labels. Join it to other metrics on account and uuid.",
		},
		serverLastSuccess: {
			name: "server_last_success_timestamp_seconds", labels: server,
			help: "When a poll of the server last succeeded. Subtasks of a server not polled for stale_after are withdrawn.",
		},
		serverTasks: {
			name: "server_tasks", labels: server,
			help: "TotalCount of the last answer: the server's scan subtasks as the API counts them.",
		},
		serverUp: {
			name: "server_up", labels: server,
			help: "1 if the last poll of the server succeeded, else 0; absent before the first. The reason is in api_requests_total and the log.",
		},
		accountServers: {
			name: "servers", labels: []string{"account", "state"},
			help: "Servers watched: ok, failing (the last poll failed), pending (not polled yet).",
		},
		subtaskError: {
			name: "subtask_error", labels: []string{"account", "code", "server", "task_id", "type", "uuid"},
			help: "1 while the API reports this error code for the subtask. push_command_failed mostly means that the server's agent is offline.",
		},
		subtaskErrors: {
			name: "subtask_errors_total", counter: true, labels: []string{"account", "code", "server", "type", "uuid"},
			help: "Times a subtask went into an error code. Alert on its increase; look the server up by uuid in the Security Center console.",
		},
		subtaskLastChange: {
			name: "subtask_last_change_timestamp_seconds", labels: subtask,
			help: "When the exporter first saw the present status and error code. One that is old while the status is below 4 is a scan that hangs.",
		},
		subtaskStatus: {
			name: "subtask_status", labels: subtask,
			help: "Status of a scan subtask as the API reports it: 0 unhandled, 1 collecting, 2 collected, 3 matching, 4 complete. Complete is not successful: see subtask_error.",
		},
		accountSubtasks: {
			name: "subtasks", labels: []string{"account", "status", "type"},
			help: "Subtasks in each status, by the status' name; unknown is a status that Alibaba does not document.",
		},
		accountFailing: {
			name: "subtasks_failing", labels: []string{"account", "code", "type"},
			help: "Subtasks that report an error code now. Find the servers with subtask_error.",
		},
		accountStalled: {
			name: "subtasks_stalled", labels: []string{"account", "type"},
			help: "Unfinished subtasks whose status has not changed for stall_after. Find them by subtask_last_change_timestamp_seconds.",
		},
	}
	for i := range f {
		f[i].name = namespace + "_" + f[i].name
	}
	return f
}

// infoLabels are the label names of server_info.
func infoLabels(configured []string) []string {
	names := slices.Concat([]string{"account", "instance_id", "ip", "os", "region", "server", "uuid"}, configured)
	slices.Sort(names)
	return names
}

// sample is one sample of a family. Only what the family has labels for is set.
type sample struct {
	family  int
	value   float64
	server  *target
	taskID  string
	typ     string
	code    string    // as a label
	state   string    // the value of state or status
	created time.Time // of subtaskErrors
	again   bool      // the labels are those of the sample before, values too
}

// samples gives all samples of a server, in any order of families. Each is
// given in m, which saves an allocation a server.
func (r *record) samples(m *sample, s config.Settings, now time.Time, yield func(*sample)) {
	*m = sample{server: r.server}
	give := func(family int, value float64, again bool) {
		m.family, m.value, m.again = family, value, again
		yield(m)
	}
	give(serverInfo, 1, false)
	if r.tried {
		up := 1.0
		if r.failure != "" {
			up = 0
		}
		give(serverUp, up, false)
	}
	if !r.lastSuccess.IsZero() {
		give(serverLastSuccess, instantOf(r.lastSuccess).seconds(), r.tried)
	}
	stale := r.stale(now, s.StaleAfter)
	if r.total >= 0 && !stale {
		give(serverTasks, float64(r.total), r.tried || !r.lastSuccess.IsZero())
	}
	for i := range r.errors {
		e := &r.errors[i]
		m.typ, m.code, m.created = e.typ, e.code, e.created.time()
		give(subtaskErrors, e.count, false)
	}
	if stale {
		return
	}
	for i := range r.subtasks {
		st := &r.subtasks[i]
		if s.Series == config.SeriesOpen && !st.unfinished() && st.code == "" {
			continue
		}
		m.taskID, m.typ, m.code = st.taskID, st.typ, st.codeLabel
		if !math.IsNaN(st.status) {
			give(subtaskStatus, st.status, false)
			give(subtaskLastChange, st.changed.seconds(), true)
		}
		if st.code != "" {
			give(subtaskError, 1, false)
		}
	}
}

// samples gives the sums of an account.
func (t *totals) samples(yield func(*sample)) {
	m := sample{}
	give := func(family, value int) {
		m.family, m.value = family, float64(value)
		yield(&m)
	}
	for _, of := range []struct {
		state string
		count int
	}{{StateOK, t.ok}, {StateFailing, t.failing}, {StatePending, t.pending}} {
		m.state = of.state
		give(accountServers, of.count)
	}
	for _, of := range t.types {
		m.typ = of.typ
		for place, n := range of.byStatus {
			if place < statusNames-1 || n > 0 { // unknown only where there is one
				m.state = statusName(place)
				give(accountSubtasks, n)
			}
		}
		give(accountStalled, of.stalled)
	}
	for _, c := range t.codes {
		m.typ, m.code = c.typ, c.code
		give(accountFailing, c.count)
	}
}

// label gives the value of a label.
func (m *sample) label(name, account string) string {
	switch name {
	case "account":
		return account
	case "server":
		return m.server.Name
	case "uuid":
		return m.server.UUID
	}
	if m.family == serverInfo {
		return m.server.fact(name)
	}
	switch name {
	case "task_id":
		return m.taskID
	case "type":
		return m.typ
	case "code":
		return m.code
	}
	return m.state
}
