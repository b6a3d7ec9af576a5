package collector

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// infoLabels are the labels of server_info that are not configured.
func infoLabels() []string {
	return []string{"account", "uuid", "server", "region", "instance_id", "ip", "os"}
}

// Info is the collector of aliyun_vulscan_server_info. It stands apart because
// the configuration gives the metric's label names, and a reload may change
// them: it describes nothing in advance.
func (c *Collector) Info() prometheus.Collector { return info{c} }

type info struct{ *Collector }

// Describe sends nothing, which makes this an unchecked collector.
func (info) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (i info) Collect(ch chan<- prometheus.Metric) {
	i.mu.RLock()
	accounts, configured := i.accounts, i.labelNames
	i.mu.RUnlock()
	d := desc("server_info", "Always 1: what is known of a watched server, with its configured labels. Join it to other metrics on account and uuid.",
		slices.Concat(infoLabels(), configured)...)
	now := time.Now()
	for _, a := range accounts {
		for _, r := range a.view(now).records {
			// Region, instance ID, address and system are not in the API's
			// answers on scans: only discovery knows them.
			values := make([]string, 0, len(infoLabels())+len(configured))
			values = append(values, a.config.Name, r.server.UUID, r.server.Name, "", "", "", "")
			for _, name := range configured {
				values = append(values, r.server.Labels[name])
			}
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, 1, values...)
		}
	}
}
