package processtest

import (
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Samples are values by series, such as up{job="x"}.
type Samples map[string]float64

// Scrape returns what /metrics has now.
func (p *Process) Scrape() Samples {
	p.t.Helper()
	return Decode(p.t, p.Get("/metrics").Body, expfmt.NewFormat(expfmt.TypeTextPlain))
}

// Decode returns what an exposition has.
func Decode(t testing.TB, exposition string, format expfmt.Format) Samples {
	t.Helper()
	decoder := expfmt.SampleDecoder{
		Dec:  expfmt.NewDecoder(strings.NewReader(exposition), format),
		Opts: &expfmt.DecodeOptions{Timestamp: model.Now()},
	}
	all := Samples{}
	for {
		var vector model.Vector
		err := decoder.Decode(&vector)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, exposition)
		}
		for _, s := range vector {
			all[s.Metric.String()] = float64(s.Value)
		}
	}
}

// Of returns the series of a metric whose labels, as written, hold all parts.
func (s Samples) Of(metric string, parts ...string) Samples {
	found := maps.Clone(s)
	maps.DeleteFunc(found, func(series string, _ float64) bool {
		name, labels, _ := strings.Cut(series, "{")
		for _, part := range parts {
			if !strings.Contains(labels, part) {
				return true
			}
		}
		return name != metric
	})
	return found
}

// Sum returns the sum of all values.
func (s Samples) Sum() float64 {
	total := 0.0
	for _, value := range s {
		total += value
	}
	return total
}
