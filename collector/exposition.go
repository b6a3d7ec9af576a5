package collector

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// accountDescs describe what is published of accounts: how polling keeps up,
// and the tasks that were discovered.
type accountDescs struct {
	limit, lag, lastSuccess                             *prometheus.Desc
	progress, taskServers, taskStart, taskEnd, taskInfo *prometheus.Desc
}

func newAccountDescs() accountDescs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"account"}, labels...), nil)
	}
	return accountDescs{
		limit:       desc("api_request_limit", "API calls a second allowed now. Below the configured requests_per_second the API has throttled: lower that, or raise the account's quota."),
		lag:         desc("poll_lag_seconds", "How long the most overdue server has been due. One that grows means that the quota is too small for the servers and intervals."),
		lastSuccess: desc("discovery_last_success_timestamp_seconds", "When the list of servers or tasks was last read completely, 0 if never. While it is old, what is new is not followed; the log says why.", "kind"),
		progress:    desc("task_progress_ratio", "How much of a discovered task is done, as Security Center says.", "task_id"),
		taskServers: desc("task_servers", "Servers of a discovered task: total, success and fail. Find the failed ones with subtask_error.", "task_id", "state"),
		taskStart:   desc("task_start_timestamp_seconds", "When a discovered task began. None within a day means that scheduled scans do not run.", "task_id"),
		taskEnd:     desc("task_end_timestamp_seconds", "When a discovered task ended; absent while it runs.", "task_id"),
		taskInfo:    desc("task_info", "Always 1: what started a discovered task, and its status in Security Center's words.", "task_id", "source", "status"),
	}
}

func (d accountDescs) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.limit, d.lag, d.lastSuccess, d.progress, d.taskServers, d.taskStart, d.taskEnd, d.taskInfo}
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
		p, gauge := a.pace(now), gauges{ch, a.config.Name}
		gauge.of(c.descs.limit, p.allowed)
		gauge.of(c.descs.lag, p.lag.Seconds())
		if a.config.Discovery.Servers != nil {
			gauge.of(c.descs.lastSuccess, instantOf(p.found.Servers.At).seconds(), discovery.KindServers)
		}
		if a.config.Discovery.Tasks != nil {
			gauge.of(c.descs.lastSuccess, instantOf(p.found.Tasks.At).seconds(), discovery.KindTasks)
		}
		for _, t := range p.found.Tasks.Items {
			c.descs.task(gauge, t)
		}
	}
}

// gauges sends samples of one account.
type gauges struct {
	ch      chan<- prometheus.Metric
	account string
}

func (g gauges) of(d *prometheus.Desc, value float64, labels ...string) {
	g.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{g.account}, labels...)...)
}

// task gives what is known of a task; what is not is left out.
func (d accountDescs) task(gauge gauges, t sas.Task) {
	gauge.of(d.taskInfo, 1, t.ID, t.Source, t.Status)
	if !math.IsNaN(t.Progress) {
		gauge.of(d.progress, t.Progress, t.ID)
	}
	for _, servers := range []struct {
		state string
		count int64
	}{{"total", t.Total}, {"success", t.Success}, {"fail", t.Fail}} {
		if servers.count >= 0 {
			gauge.of(d.taskServers, float64(servers.count), t.ID, servers.state)
		}
	}
	if !t.Start.IsZero() {
		gauge.of(d.taskStart, instantOf(t.Start).seconds(), t.ID)
	}
	if !t.End.IsZero() {
		gauge.of(d.taskEnd, instantOf(t.End).seconds(), t.ID)
	}
}
