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
	s := newSource(c.store, c.clock, c.store.Load().Labels)
	var families []constFamily
	for _, f := range s.families() {
		families = append(families, newConstFamily(f))
	}
	emit := func(family int, values []string, value float64, created time.Time) {
		ch <- families[family].metric(values, value, created)
	}
	var sums []sum
	for _, g := range s.Groups() {
		of, _ := s.Collect(s.Load(g), c.clock.Now(), emit)
		sums = append(sums, of)
	}
	s.Total(sums, c.clock.Now(), emit)
}

// constFamily makes const metrics.
type constFamily struct {
	desc *prometheus.Desc
	typ  prometheus.ValueType
	from []int
}

func newConstFamily(f expose.Family) constFamily {
	c := constFamily{typ: prometheus.GaugeValue}
	if f.Counter {
		c.typ = prometheus.CounterValue
	}
	var names []string
	for _, l := range f.Labels {
		names, c.from = append(names, l.Name), append(c.from, l.From)
	}
	c.desc = prometheus.NewDesc(f.Name, f.Help, names, nil)
	return c
}

func (c constFamily) metric(values []string, value float64, created time.Time) prometheus.Metric {
	own := make([]string, len(c.from))
	for i, from := range c.from {
		own[i] = values[from]
	}
	if created.IsZero() {
		return prometheus.MustNewConstMetric(c.desc, c.typ, value, own...)
	}
	return prometheus.MustNewConstMetricWithCreatedTimestamp(c.desc, c.typ, value, created, own...)
}
