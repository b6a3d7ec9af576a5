package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

const namespace = "aliyun_vulscan"

// codeLimit is the anomaly of a code beyond the 200 that become labels.
const codeLimit = sas.Anomaly("code_limit")

// maxExemplarRunes keeps a task ID within what an exemplar may hold (128 with
// the label's name).
const maxExemplarRunes = 100

// metrics are those that are counted when something happens; what is known of
// servers is rendered from records at a scrape instead.
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	scans     *prometheus.HistogramVec
	anomalous *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "api_requests_total",
			Help: "API calls by result: ok, the API's error code, or timeout, connection, canceled, response (an answer that cannot be believed). " +
				"Look up a rising error code in the README's table of results.",
		}, []string{"account", "action", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "api_request_duration_seconds",
			Help:    "Time an API call took, failed ones included. Calls near the configured timeout mean a slow network or service.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, NativeHistogramBucketFactor: 1.1,
			NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"account", "action"}),
		scans: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "scan_duration_seconds",
			Help: "Time from the first sight of an unfinished subtask to its completion; the exemplar names the task. " +
				"Compare its quantiles with stall_after.",
			Buckets: []float64{30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800}, NativeHistogramBucketFactor: 1.1,
			NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"account", "type"}),
		anomalous: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "response_anomalies_total",
			Help: "Parts of answers that did not fit Alibaba's documentation, by kind. A rise means that the API changed: compare versions of the exporter.",
		}, []string{"account", "reason"}),
	}
}

func (m *metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.scans, m.anomalous}
}

// addAccount makes an account's counters visible at 0, so that rates see their
// first increase.
func (m *metrics) addAccount(c config.Account) {
	name, actions := c.Name, []string{sas.ActionVulCheckTaskStatusDetail}
	if c.Discovery.Tasks != nil {
		actions = append(actions, sas.ActionOnceTask)
	}
	if c.Discovery.Servers != nil {
		actions = append(actions, sas.ActionInstances)
	}
	for _, action := range actions {
		m.requests.WithLabelValues(name, action, sas.ResultOK)
		m.duration.WithLabelValues(name, action)
	}
	for _, a := range append(sas.Anomalies(), codeLimit) {
		m.anomalous.WithLabelValues(name, string(a))
	}
}

// removeAccount drops an account that left the configuration.
func (m *metrics) removeAccount(name string) {
	account := prometheus.Labels{"account": name}
	m.requests.DeletePartialMatch(account)
	m.duration.DeletePartialMatch(account)
	m.scans.DeletePartialMatch(account)
	m.anomalous.DeletePartialMatch(account)
}

// observer gives what an account's client reports its requests to.
func (m *metrics) observer(account string, codes *codeLabels) func(action, result string, took time.Duration) {
	return func(action, result string, took time.Duration) {
		m.requests.WithLabelValues(account, action, codes.label(result)).Inc()
		m.duration.WithLabelValues(account, action).Observe(took.Seconds())
	}
}

func (m *metrics) anomaly(account string, reason sas.Anomaly) {
	m.anomalous.WithLabelValues(account, string(reason)).Inc()
}

func (m *metrics) anomalies(account string, counts map[sas.Anomaly]int) {
	for reason, n := range counts {
		m.anomalous.WithLabelValues(account, string(reason)).Add(float64(n))
	}
}

func (m *metrics) scanEnded(account string, f finished) {
	exemplar := f.taskID
	if runes := []rune(exemplar); len(runes) > maxExemplarRunes {
		exemplar = string(runes[:maxExemplarRunes])
	}
	observer := m.scans.WithLabelValues(account, f.typ).(prometheus.ExemplarObserver)
	observer.ObserveWithExemplar(f.took.Seconds(), prometheus.Labels{"task_id": exemplar})
}
