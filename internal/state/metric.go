package state

import "github.com/prometheus/client_golang/prometheus"

// NewErrorCounter returns the counter for Options.Errors. It stays at 0 where no state is kept.
func NewErrorCounter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aliyun_vulscan_exporter_state_errors_total",
		Help: "Failed reads and writes of the state that is carried over restarts. Above 0: a restart may count errors twice; the log says why.",
	})
}
