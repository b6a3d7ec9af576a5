package collector

import (
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
}

func newEvents() *Events {
	rows := make(map[string]metric)
	for _, m := range eventMetrics() {
		rows[m.name] = m
	}
	counter := func(name string) *prometheus.CounterVec {
		m := rows[name]
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, m.labels)
	}
	gauge := func(name string) *prometheus.GaugeVec {
		m := rows[name]
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.name, Help: m.help}, m.labels)
	}
	histogram := func(name string) *prometheus.HistogramVec {
		m := rows[name]
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: m.name, Help: m.help, Buckets: m.buckets, NativeHistogramBucketFactor: 1.1,
			NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, m.labels)
	}
	return &Events{
		requests:        counter("aliyun_vulscan_api_requests_total"),
		requestDuration: histogram("aliyun_vulscan_api_request_duration_seconds"),
		scanDuration:    histogram("aliyun_vulscan_scan_duration_seconds"),
		failures:        counter("aliyun_vulscan_scan_failures_total"),
		anomalies:       counter("aliyun_vulscan_response_anomalies_total"),
		shard:           gauge("aliyun_vulscan_exporter_shard_info"),
	}
}

func (e *Events) vectors() []prometheus.Collector {
	return []prometheus.Collector{e.requests, e.requestDuration, e.scanDuration, e.failures, e.anomalies, e.shard}
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
	label := prometheus.Labels{"account": account}
	for _, v := range []*prometheus.CounterVec{e.requests, e.failures, e.anomalies} {
		v.DeletePartialMatch(label)
	}
	for _, v := range []*prometheus.HistogramVec{e.requestDuration, e.scanDuration} {
		v.DeletePartialMatch(label)
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
func (e *Events) ScanEnded(account, typ, taskID string, took time.Duration) {
	exemplar := taskID
	if runes := []rune(exemplar); len(runes) > maxExemplarRunes {
		exemplar = string(runes[:maxExemplarRunes])
	}
	observer := e.scanDuration.WithLabelValues(account, typ).(prometheus.ExemplarObserver)
	observer.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"task_id": exemplar})
}
