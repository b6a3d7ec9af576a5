package collector

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Fleet is the collector of all metrics of servers and subtasks, and of their
// sums. It makes every one of them anew: for formats that Families does not
// give.
//
// The configuration gives server_info's label names, and a reload may change
// them: Fleet describes nothing in advance.
func (c *Collector) Fleet() prometheus.Collector { return fleet{c} }

type fleet struct{ collector *Collector }

// Describe sends nothing, which makes this an unchecked collector.
func (fleet) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. It waits neither for the API nor
// for a poll.
func (f fleet) Collect(ch chan<- prometheus.Metric) {
	accounts, configured := f.collector.watched()
	all := families(configured)
	var descs [familyCount]*prometheus.Desc
	for i, of := range all {
		descs[i] = prometheus.NewDesc(of.name, of.help, of.labels, nil)
	}
	now := time.Now()
	for _, a := range accounts {
		give := func(m *sample) {
			values := make([]string, len(all[m.family].labels))
			for i, name := range all[m.family].labels {
				values[i] = m.label(name, a.config.Name)
			}
			if all[m.family].counter {
				ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(descs[m.family], prometheus.CounterValue, m.value, m.created, values...)
				return
			}
			ch <- prometheus.MustNewConstMetric(descs[m.family], prometheus.GaugeValue, m.value, values...)
		}
		records := a.records()
		var m sample
		for _, r := range records {
			r.samples(&m, a.config.Settings, now, give)
		}
		sums, _ := totalsOf(records, a.config.Settings, now)
		a.sum(slices.Values([]*totals{sums})).samples(give)
	}
}
