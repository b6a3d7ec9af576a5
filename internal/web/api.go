package web

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"time"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// The shapes of /api/v1/status and /api/v1/status/server, as docs/api.md has them.
type (
	apiStatus struct {
		At       time.Time        `json:"at"`
		Accounts []apiAccount     `json:"accounts"`
		Problems apiList[apiScan] `json:"troubled"`
		Servers  apiList[apiLine] `json:"servers"`
	}
	// apiList is a page of a list that has Total lines.
	apiList[T any] struct {
		Total int `json:"total"`
		Page  int `json:"page"`
		Limit int `json:"limit"`
		Items []T `json:"items"`
	}
	apiAccount struct {
		Account           string      `json:"account"`
		ServersOK         int         `json:"servers_ok"`
		ServersFailing    int         `json:"servers_failing"`
		ServersPending    int         `json:"servers_pending"`
		Refused           bool        `json:"refused"`
		CallsUsed         float64     `json:"calls_per_second_used"`
		CallsAllowed      float64     `json:"calls_per_second_allowed"`
		CallsConfigured   float64     `json:"calls_per_second_configured"`
		LagSeconds        float64     `json:"lag_seconds"`
		LastError         *apiProblem `json:"last_error"`
		DiscoveryProblems []string    `json:"discovery_problems"`
		Types             []apiType   `json:"types"`
		IDs               string      `json:"ids"`
		Tasks             []apiTask   `json:"tasks"`
		TasksLeftOut      int         `json:"tasks_left_out"`
	}
	apiTask struct {
		TaskID     string         `json:"task_id"`
		Source     string         `json:"source"`
		Status     string         `json:"status"`
		Ended      bool           `json:"ended"`
		Progress   *float64       `json:"progress"`
		Start      *time.Time     `json:"start"`
		Servers    map[string]int `json:"servers"`
		ListReadAt *time.Time     `json:"list_read_at"`
		ListError  string         `json:"list_error"`
	}
	apiType struct {
		Type       string         `json:"type"`
		ByStatus   map[string]int `json:"by_status"`
		Succeeded  int            `json:"succeeded"`
		Failing    int            `json:"failing"`
		Superseded int            `json:"superseded"`
		Stalled    int            `json:"stalled"`
	}
	apiProblem struct {
		At         time.Time `json:"at"`
		Action     string    `json:"action"`
		HTTPStatus int       `json:"http_status"`
		Result     string    `json:"result"`
		Meaning    string    `json:"meaning"`
		RequestID  string    `json:"request_id"`
	}
	apiScan struct {
		Account    string    `json:"account"`
		UUID       string    `json:"uuid"`
		Server     string    `json:"server"`
		TaskID     string    `json:"task_id"`
		Type       string    `json:"type"`
		Status     *float64  `json:"status"`
		StatusName string    `json:"status_name"`
		Code       string    `json:"code"`
		Stalled    bool      `json:"stalled"`
		Superseded bool      `json:"superseded"`
		LastChange time.Time `json:"last_change"`
		LastMove   time.Time `json:"last_move"`
	}
	apiLine struct {
		Account     string     `json:"account"`
		UUID        string     `json:"uuid"`
		Server      string     `json:"server"`
		State       string     `json:"state"`
		Failure     string     `json:"failure"`
		LastSuccess *time.Time `json:"last_success"`
		Stale       bool       `json:"stale"`
		Subtasks    int        `json:"subtasks"`
		Succeeded   int        `json:"succeeded"`
		Complete    int        `json:"complete"`
		Failing     int        `json:"failing"`
		Stalled     int        `json:"stalled"`
	}
	apiServer struct {
		apiLine
		InstanceID  string            `json:"instance_id"`
		Region      string            `json:"region"`
		IP          string            `json:"ip"`
		OS          string            `json:"os"`
		AgentOnline *bool             `json:"agent_online"`
		Labels      map[string]string `json:"labels"`
		TaskIDs     []string          `json:"task_ids"`
		Types       []string          `json:"types"`
		TotalCount  *int64            `json:"total_count"`
		Scans       []apiScan         `json:"scans"`
		ServerScans []apiServerScan   `json:"server_scans"`
		Changes     []apiChange       `json:"changes"`
		LastError   *apiProblem       `json:"last_error"`
	}
	apiServerScan struct {
		TaskID     string    `json:"task_id"`
		Status     *float64  `json:"status"`
		StatusName string    `json:"status_name"`
		Since      time.Time `json:"since"`
	}
	apiChange struct {
		At         time.Time `json:"at"`
		TaskID     string    `json:"task_id"`
		Type       string    `json:"type"`
		Status     *float64  `json:"status"`
		StatusName string    `json:"status_name"`
		Code       string    `json:"code"`
	}
)

func (h *handler) apiStatus(w http.ResponseWriter, r *http.Request) {
	f, err := readFilter(r.URL.Query())
	if err != nil {
		writeJSON(w, http.StatusBadRequest, apiError(err))
		return
	}
	o := h.Overview()
	shown, err := f.accounts(o)
	if err != nil {
		writeJSON(w, http.StatusNotFound, apiError(err))
		return
	}
	answer := apiStatus{At: o.At.UTC(), Accounts: mapped(shown, accountOf)}
	problems, total := o.Problems(f.of(f.problems))
	answer.Problems = apiList[apiScan]{total, f.problems, f.limit, mapped(problems, scanOf)}
	servers, total := o.Servers(f.of(f.page))
	answer.Servers = apiList[apiLine]{total, f.page, f.limit, mapped(servers, lineOf)}
	writeJSON(w, http.StatusOK, answer)
}

func (h *handler) apiServer(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d, found := h.Overview().Server(q.Get("account"), q.Get("uuid"))
	if !found {
		writeJSON(w, http.StatusNotFound, apiError(errors.New("no such server is watched: give account and uuid")))
		return
	}
	answer := apiServer{
		apiLine: lineOf(d.Server), InstanceID: d.Asset().InstanceID, Region: d.Asset().Region, IP: d.Asset().IP, OS: d.Asset().OS, Labels: d.Labels,
		TaskIDs: d.TaskIDs, Types: d.Types, Scans: mapped(d.Scans, scanOf), LastError: problemOf(d.Problem),
		Changes: mapped(d.Changes, func(c collector.Change) apiChange {
			return apiChange{c.At.UTC(), c.TaskID, c.Type, reported(c.Status), scan.StatusName(c.Status), c.Code}
		}),
	}
	answer.ServerScans = mapped(d.ServerScans, func(s collector.ServerScan) apiServerScan {
		return apiServerScan{s.TaskID, reported(s.Status), scan.ServerScanNames()[scan.StatusPlace(s.Status)], s.Since.UTC()}
	})
	if d.AssetInfo != nil {
		answer.AgentOnline = &d.AssetInfo.Online
	}
	if d.Total >= 0 {
		answer.TotalCount = &d.Total
	}
	writeJSON(w, http.StatusOK, answer)
}

// mapped gives a list that is never null.
func mapped[A, B any](list []A, to func(A) B) []B {
	all := make([]B, len(list))
	for i, a := range list {
		all[i] = to(a)
	}
	return all
}

func accountOf(a collector.AccountOverview) apiAccount {
	return apiAccount{
		Account: a.Name, ServersOK: a.OK, ServersFailing: a.Failing, ServersPending: a.Pending, Refused: a.Status.Refused,
		CallsUsed: a.Used, CallsAllowed: a.Status.Allowed, CallsConfigured: a.Status.Config.RequestsPerSecond, LagSeconds: a.Lag.Seconds(),
		LastError:         problemOf(a.Status.Problem),
		DiscoveryProblems: mapped(a.Incomplete(), error.Error),
		Types: mapped(a.Types, func(t scan.TypeTotals) apiType {
			by := make(map[string]int)
			for place, name := range scan.StatusNames() {
				by[name] = t.ByStatus[place]
			}
			progress := a.Progress(t.Type)
			return apiType{t.Type, by, progress.ByStatus[sas.StatusComplete], t.Failing, progress.Answered, t.Stalled}
		}),
		IDs: a.Status.IDs, Tasks: mapped(tasksOf(a), taskOf), TasksLeftOut: a.Status.Found.Tasks.LeftOut,
	}
}

func taskOf(t taskLine) apiTask {
	out := apiTask{
		TaskID: t.ID, Source: t.Source, Status: t.Status, Ended: t.Ended(), Progress: reported(t.Progress), Start: known(t.Start), ListReadAt: known(t.List.At),
	}
	if t.List.Err != nil {
		out.ListError = t.List.Err.Error()
	}
	if !t.List.At.IsZero() {
		out.Servers = make(map[string]int)
		for place, name := range scan.ServerScanNames() {
			out.Servers[name] = t.List.ByStatus[place]
		}
	}
	return out
}

func problemOf(t *scan.Problem) *apiProblem {
	if t == nil {
		return nil
	}
	return &apiProblem{t.At.UTC(), t.Err.Action, t.Err.Status, t.Err.Result, t.Err.Meaning(), t.Err.RequestID}
}

func scanOf(s collector.Scan) apiScan {
	return apiScan{
		Account: s.Account, UUID: s.UUID, Server: s.Server, TaskID: s.TaskID, Type: s.Type, Status: reported(s.Status),
		StatusName: scan.StatusName(s.Status), Code: s.Code, Stalled: s.Stalled, Superseded: s.Superseded, LastChange: s.Changed.UTC(), LastMove: s.Moved.UTC(),
	}
}

func lineOf(s collector.Server) apiLine {
	return apiLine{
		Account: s.Account, UUID: s.UUID, Server: s.Name, State: s.State, Failure: s.Failure, Stale: s.Stale,
		Subtasks: s.Subtasks, Succeeded: s.Succeeded, Complete: s.Complete, Failing: s.Failing, Stalled: s.Stalled, LastSuccess: known(s.LastSuccess),
	}
}

// known gives a time in UTC, nil for one that is not known.
func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// reported gives a number; nil where there is none, or none that JSON has.
func reported(status float64) *float64 {
	if math.IsNaN(status) || math.IsInf(status, 0) {
		return nil
	}
	return &status
}

func apiError(err error) any {
	return struct {
		Error string `json:"error"`
	}{err.Error()}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
