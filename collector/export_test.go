package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector/expose"
)

// ConstMetrics returns a collector of what Scrape returns, which makes every metric anew with
// client_golang: the oracle of tests, and what benchmarks are compared with.
func (c *Collector) ConstMetrics() prometheus.Collector { return constMetrics{c} }

type constMetrics struct{ collector *Collector }

// Describe sends nothing: the configuration says which labels there are.
func (constMetrics) Describe(chan<- *prometheus.Desc) {}

func (m constMetrics) Collect(ch chan<- prometheus.Metric) {
	c := m.collector
	labels := c.store.Load().Labels
	s := &source{store: c.store, clock: c.clock, configured: labels}
	for _, row := range table(labels) {
		if !row.isEvent() {
			s.rows = append(s.rows, row)
		}
	}
	var encoders []expose.Encoder
	for _, f := range families(s.rows, placeNames(labels)) {
		encoders = append(encoders, newConstEncoder(f, ch))
	}
	emitter := expose.NewEmitter(encoders)
	var sums []sum
	for _, g := range s.Groups() {
		of, _ := s.Collect(s.Load(g), c.clock.Now(), emitter)
		sums = append(sums, of)
	}
	s.Total(sums, c.clock.Now(), emitter)
}

// constEncoder makes const metrics instead of bytes.
type constEncoder struct {
	desc *prometheus.Desc
	typ  prometheus.ValueType
	from []int
	ch   chan<- prometheus.Metric
}

func newConstEncoder(f expose.Family, ch chan<- prometheus.Metric) constEncoder {
	e := constEncoder{typ: prometheus.GaugeValue, ch: ch}
	if f.Type == expose.Counter {
		e.typ = prometheus.CounterValue
	}
	var names []string
	for _, l := range f.Labels {
		names, e.from = append(names, l.Name), append(e.from, l.From)
	}
	e.desc = prometheus.NewDesc(f.Name, f.Help, names, nil)
	return e
}

func (constEncoder) Header(b []byte, _ int) []byte { return b }

func (e constEncoder) Metric(b []byte, values []string, value float64, created time.Time) []byte {
	own := make([]string, len(e.from))
	for i, from := range e.from {
		own[i] = values[from]
	}
	if created.IsZero() {
		e.ch <- prometheus.MustNewConstMetric(e.desc, e.typ, value, own...)
	} else {
		e.ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(e.desc, e.typ, value, created, own...)
	}
	return b
}
