package web

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Print writes all metrics in the text format.
func Print(w io.Writer, metrics ...prometheus.Gatherer) error {
	families, err := prometheus.Gatherers(metrics).Gather()
	if err != nil {
		return fmt.Errorf("gathering the metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("printing the metrics: %w", err)
		}
	}
	return nil
}
