package collector

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// descs describe the metrics that are rendered from records.
type descs struct {
	status, changed, errorNow, errorsTotal, subtasks, failing, stalled *prometheus.Desc
	servers, up, lastSuccess, tasks, limit, lag                        *prometheus.Desc
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func newDescs() descs {
	serverLabels := []string{"account", "uuid", "server"}
	subtaskLabels := []string{"account", "uuid", "server", "task_id", "type"}
	return descs{
		status:      desc("subtask_status", "Status of a scan subtask as the API reports it: 0 unhandled, 1 collecting, 2 collected, 3 matching, 4 complete. Complete is not successful: see subtask_error.", subtaskLabels...),
		changed:     desc("subtask_last_change_timestamp_seconds", "When the exporter first saw the present status and error code. One that is old while the status is below 4 is a scan that hangs.", subtaskLabels...),
		errorNow:    desc("subtask_error", "1 while the API reports this error code for the subtask. push_command_failed mostly means that the server's agent is offline.", slices.Concat(subtaskLabels, []string{"code"})...),
		errorsTotal: desc("subtask_errors_total", "Times a subtask went into an error code. Alert on its increase; look the server up by uuid in the Security Center console.", "account", "uuid", "server", "type", "code"),
		subtasks:    desc("subtasks", "Subtasks in each status, by the status' name; unknown is a status that Alibaba does not document.", "account", "type", "status"),
		failing:     desc("subtasks_failing", "Subtasks that report an error code now. Find the servers with subtask_error.", "account", "type", "code"),
		stalled:     desc("subtasks_stalled", "Unfinished subtasks whose status has not changed for stall_after. Find them by subtask_last_change_timestamp_seconds.", "account", "type"),
		servers:     desc("servers", "Servers watched: ok, failing (the last poll failed), pending (not polled yet).", "account", "state"),
		up:          desc("server_up", "1 if the last poll of the server succeeded, else 0; absent before the first. The reason is in api_requests_total and the log.", serverLabels...),
		lastSuccess: desc("server_last_success_timestamp_seconds", "When a poll of the server last succeeded. Subtasks of a server not polled for stale_after are withdrawn.", serverLabels...),
		tasks:       desc("server_tasks", "TotalCount of the last answer: the server's scan subtasks as the API counts them.", serverLabels...),
		limit:       desc("api_request_limit", "API calls a second allowed now. Below the configured requests_per_second the API has throttled: lower that, or raise the account's quota.", "account"),
		lag:         desc("poll_lag_seconds", "How long the most overdue server has been due. One that grows means that the quota is too small for the servers and intervals.", "account"),
	}
}

func (d descs) all() []*prometheus.Desc {
	return []*prometheus.Desc{
		d.status, d.changed, d.errorNow, d.errorsTotal, d.subtasks, d.failing, d.stalled,
		d.servers, d.up, d.lastSuccess, d.tasks, d.limit, d.lag,
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.metrics.vectors() {
		v.Describe(ch)
	}
	for _, d := range c.descs.all() {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It waits neither for the API nor
// for a poll.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.metrics.vectors() {
		v.Collect(ch)
	}
	now := time.Now()
	for _, a := range c.running() {
		r := renderer{descs: c.descs, view: a.view(now), now: now, ch: ch}
		r.account()
	}
}

// renderer turns one account's records into metrics.
type renderer struct {
	descs
	view view
	now  time.Time
	ch   chan<- prometheus.Metric
}

func (r *renderer) gauge(d *prometheus.Desc, value float64, labels ...string) {
	r.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (r *renderer) account() {
	name := r.view.config.Name
	totals := newTotals(r.view.config)
	for _, rec := range r.view.records {
		r.server(rec)
		if rec.stale(r.now, r.view.config.StaleAfter) {
			continue
		}
		for i := range rec.subtasks {
			r.subtask(rec.server, &rec.subtasks[i])
			totals.add(&rec.subtasks[i], r.now, r.view.config.StallAfter)
		}
	}
	summary := r.view.summary()
	r.gauge(r.servers, float64(summary.OK), name, "ok")
	r.gauge(r.servers, float64(summary.Failing), name, "failing")
	r.gauge(r.servers, float64(summary.Pending), name, "pending")
	r.gauge(r.limit, r.view.allowed, name)
	r.gauge(r.lag, r.view.lag.Seconds(), name)
	for key, n := range totals.byStatus {
		r.gauge(r.subtasks, n, name, key[0], key[1])
	}
	for key, n := range totals.failing {
		r.gauge(r.failing, n, name, key[0], key[1])
	}
	for typ, n := range totals.stalled {
		r.gauge(r.stalled, n, name, typ)
	}
}

func (r *renderer) server(rec *record) {
	labels := []string{r.view.config.Name, rec.server.UUID, rec.server.Name}
	if rec.tried {
		up := 1.0
		if rec.failure != "" {
			up = 0
		}
		r.gauge(r.up, up, labels...)
	}
	if !rec.lastSuccess.IsZero() {
		r.gauge(r.lastSuccess, seconds(rec.lastSuccess), labels...)
	}
	if rec.total >= 0 && !rec.stale(r.now, r.view.config.StaleAfter) {
		r.gauge(r.tasks, float64(rec.total), labels...)
	}
	for _, e := range rec.errors {
		r.ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(r.errorsTotal, prometheus.CounterValue, e.count, e.created,
			labels[0], labels[1], labels[2], e.typ, e.code)
	}
}

func (r *renderer) subtask(server config.Server, s *subtask) {
	if r.view.config.Series == config.SeriesOpen && !s.unfinished() && s.code == "" {
		return
	}
	labels := []string{r.view.config.Name, server.UUID, server.Name, s.taskID, s.typ}
	if !math.IsNaN(s.status) {
		r.gauge(r.status, s.status, labels...)
		r.gauge(r.changed, seconds(s.changed), labels...)
	}
	if s.code != "" {
		r.gauge(r.errorNow, 1, append(labels, s.codeLabel)...)
	}
}

// seconds gives a time as Prometheus has it. Milliseconds are exact enough and
// keep the text short.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// totals sums an account's subtasks.
type totals struct {
	byStatus map[[2]string]float64 // type and status' name
	failing  map[[2]string]float64 // type and code
	stalled  map[string]float64    // by type
	names    []string
}

// newTotals starts every type that the account polls at 0.
func newTotals(c config.Account) *totals {
	t := &totals{make(map[[2]string]float64), make(map[[2]string]float64), make(map[string]float64), sas.StatusNames()}
	for _, s := range c.Servers {
		for _, typ := range s.Types {
			t.start(typ)
		}
	}
	return t
}

func (t *totals) start(typ string) {
	if _, known := t.stalled[typ]; known {
		return
	}
	t.stalled[typ] = 0
	for _, name := range t.names {
		t.byStatus[[2]string{typ, name}] = 0
	}
}

func (t *totals) add(s *subtask, now time.Time, stallAfter time.Duration) {
	t.start(s.typ)
	t.byStatus[[2]string{s.typ, t.name(s.status)}]++
	if s.code != "" {
		t.failing[[2]string{s.typ, s.codeLabel}]++
	}
	if s.stalled(now, stallAfter) {
		t.stalled[s.typ]++
	}
}

// name gives the name of a status.
func (t *totals) name(status float64) string {
	for i, name := range t.names {
		if status == float64(i) {
			return name
		}
	}
	return "unknown"
}
