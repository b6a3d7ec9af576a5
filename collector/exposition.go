package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// paceDescs describe how polling keeps up.
type paceDescs struct{ limit, lag *prometheus.Desc }

func newPaceDescs() paceDescs {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{"account"}, nil)
	}
	return paceDescs{
		limit: desc("api_request_limit", "API calls a second allowed now. Below the configured requests_per_second the API has throttled: lower that, or raise the account's quota."),
		lag:   desc("poll_lag_seconds", "How long the most overdue server has been due. One that grows means that the quota is too small for the servers and intervals."),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.metrics.vectors() {
		v.Describe(ch)
	}
	ch <- c.descs.limit
	ch <- c.descs.lag
}

// Collect implements prometheus.Collector. It waits neither for the API nor
// for a poll.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.metrics.vectors() {
		v.Collect(ch)
	}
	now := time.Now()
	for _, a := range c.running() {
		p := a.pace(now)
		ch <- prometheus.MustNewConstMetric(c.descs.limit, prometheus.GaugeValue, p.allowed, a.config.Name)
		ch <- prometheus.MustNewConstMetric(c.descs.lag, prometheus.GaugeValue, p.lag.Seconds(), a.config.Name)
	}
}
