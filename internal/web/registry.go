package web

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	dto "github.com/prometheus/client_model/go"
)

// NewRegistry returns a registry with the metrics that every program has: its version, and those of
// the Go runtime and the process.
func NewRegistry(program string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		versioncollector.NewCollector(program),
		withoutAmbiguity(collectors.NewGoCollector()),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// ambiguous is the counter of the Go runtime that client_golang names like a gauge. OpenMetrics
// names the family of a counter without _total, so that both families would be
// go_memstats_alloc_bytes, which strict parsers refuse.
const ambiguous = `fqName: "go_memstats_alloc_bytes_total"`

// withoutAmbiguity collects what the Go runtime's collector does, but the ambiguous counter without
// a type.
func withoutAmbiguity(goRuntime prometheus.Collector) prometheus.CollectorFunc {
	return func(ch chan<- prometheus.Metric) {
		all := make(chan prometheus.Metric)
		go func() {
			defer close(all)
			goRuntime.Collect(all)
		}()
		for m := range all {
			var counter dto.Metric
			if strings.Contains(m.Desc().String(), ambiguous) && m.Write(&counter) == nil {
				m = prometheus.MustNewConstMetric(m.Desc(), prometheus.UntypedValue, counter.GetCounter().GetValue())
			}
			ch <- m
		}
	}
}
