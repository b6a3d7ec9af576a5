package collector

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// maxExemplarRunes keeps a task ID within what an exemplar may hold (128 with the label's name).
const maxExemplarRunes = 100

// Events counts what happens while accounts are polled. It is safe for concurrent use.
type Events struct {
	requests, failures, anomalies *prometheus.CounterVec
	requestDuration, scanDuration *prometheus.HistogramVec
	shard                         *prometheus.GaugeVec

	vectors []*prometheus.MetricVec // all of them
}

func newEvents() *Events {
	row := func(name string) metric {
		return metrics[slices.IndexFunc(metrics, func(m metric) bool { return m.name == "aliyun_vulscan_"+name })]
	}
	counter := func(name string) *prometheus.CounterVec {
		m := row(name)
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, m.labels)
	}
	histogram := func(name string) *prometheus.HistogramVec {
		m := row(name)
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: m.name, Help: m.help, Buckets: m.buckets, NativeHistogramBucketFactor: 1.1,
			NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, m.labels)
	}
	shard := row("exporter_shard_info")
	e := &Events{
		requests: counter("api_requests_total"), requestDuration: histogram("api_request_duration_seconds"),
		failures: counter("scan_failures_total"), scanDuration: histogram("scan_duration_seconds"),
		anomalies: counter("response_anomalies_total"),
		shard:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: shard.name, Help: shard.help}, shard.labels),
	}
	e.vectors = []*prometheus.MetricVec{
		e.requests.MetricVec, e.requestDuration.MetricVec, e.scanDuration.MetricVec,
		e.failures.MetricVec, e.anomalies.MetricVec, e.shard.MetricVec,
	}
	return e
}

// Shard says which share of the servers this process polls, of how many.
func (e *Events) Shard(shard, total int) {
	e.shard.WithLabelValues(strconv.Itoa(shard), strconv.Itoa(total)).Set(1)
}

// Watch makes an account's counters visible at 0, so that rates see their first increase.
func (e *Events) Watch(c *config.Account) {
	actions := []string{sas.ActionVulCheckTaskStatusDetail}
	if c.Discovery.Tasks != nil {
		actions = append(actions, sas.ActionOnceTask)
	}
	if c.Discovery.Servers != nil {
		actions = append(actions, sas.ActionInstances)
	}
	for _, action := range actions {
		e.requests.WithLabelValues(c.Name, action, sas.ResultOK)
		e.requestDuration.WithLabelValues(c.Name, action)
	}
	for _, a := range append(sas.Anomalies(), scan.CodeLimit, scan.TypeLimit) {
		e.anomalies.WithLabelValues(c.Name, string(a))
	}
}

// WatchTypes is Watch for the types that the account's servers are asked for.
func (e *Events) WatchTypes(account string, types []string) {
	for _, typ := range types {
		e.failures.WithLabelValues(account, typ)
		e.scanDuration.WithLabelValues(account, typ)
	}
}

// Forget drops an account that left the configuration.
func (e *Events) Forget(account string) {
	for _, v := range e.vectors {
		v.DeletePartialMatch(prometheus.Labels{"account": account})
	}
}

// Call counts an API call that ended.
func (e *Events) Call(account, action, result string, took time.Duration) {
	e.requests.WithLabelValues(account, action, result).Inc()
	e.requestDuration.WithLabelValues(account, action).Observe(took.Seconds())
}

// Anomalies counts what did not fit the documentation.
func (e *Events) Anomalies(account string, counts map[sas.Anomaly]int) {
	for reason, n := range counts {
		e.anomalies.WithLabelValues(account, string(reason)).Add(float64(n))
	}
}

// ScanFailures counts subtasks that went into an error code.
func (e *Events) ScanFailures(account, typ string, count float64) {
	e.failures.WithLabelValues(account, typ).Add(count)
}

// ScanEnded counts a subtask that completed.
func (e *Events) ScanEnded(account string, f scan.Finished) {
	exemplar := f.TaskID
	if runes := []rune(exemplar); len(runes) > maxExemplarRunes {
		exemplar = string(runes[:maxExemplarRunes])
	}
	observer := e.scanDuration.WithLabelValues(account, f.Type).(prometheus.ExemplarObserver)
	observer.ObserveWithExemplar(f.Took.Seconds(), prometheus.Labels{"task_id": exemplar})
}
