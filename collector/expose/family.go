package expose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Type is the type of a family's metrics.
type Type int

// The types that groups may have.
const (
	Gauge Type = iota
	Counter
)

// Label is a label of a family. From is the place of its value among those that Emit is given.
type Label struct {
	Name string
	From int
}

// Family is a metric family whose metrics come from groups.
type Family struct {
	Name, Help string
	Type       Type
	Labels     []Label // in any order
}

// check refuses what a scraper would drop the whole scrape for.
func check(families []Family) error {
	names := make(map[string]bool)
	for _, f := range families {
		switch {
		case !model.LegacyValidation.IsValidMetricName(f.Name):
			return fmt.Errorf("%q is no metric name", f.Name)
		case names[f.Name]:
			return fmt.Errorf("metric %s is there twice", f.Name)
		case f.Type == Counter && !strings.HasSuffix(f.Name, "_total"):
			return fmt.Errorf("counter %s does not end in _total", f.Name)
		}
		names[f.Name] = true
		labels := make(map[string]bool)
		for _, l := range f.Labels {
			if !model.LegacyValidation.IsValidLabelName(l.Name) || labels[l.Name] {
				return fmt.Errorf("metric %s: label %q is no label name, or there twice", f.Name, l.Name)
			}
			labels[l.Name] = true
		}
	}
	return nil
}

// sorted returns a family's labels in the order in which they are exposed.
func (f *Family) sorted() []Label {
	return slices.SortedFunc(slices.Values(f.Labels), func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
}

// Format is an exposition format.
type Format int

// The formats, as https://prometheus.io/docs/instrumenting/exposition_formats has them.
const (
	Text Format = iota
	OpenMetrics
	Protobuf // delimited
)

// Encoding is how a scrape wants to be answered.
type Encoding struct {
	Format Format
	Gzip   bool
}

// Encoder encodes one family in one format.
type Encoder interface {
	// Header appends what stands before the family's metrics, which take so many bytes.
	Header(b []byte, size int) []byte
	// Metric appends a metric. created is when a counter began; zero: unknown.
	Metric(b []byte, values []string, value float64, created time.Time) []byte
}

// NewEncoder returns the encoder of a family.
func NewEncoder(format Format, f *Family) Encoder {
	if format == Protobuf {
		return newProtobufEncoder(f)
	}
	return newTextEncoder(f, format == OpenMetrics)
}

// Emitter takes the metrics of one group. It is not safe for concurrent use.
type Emitter struct {
	encoders []Encoder
	metrics  [][]byte // encoded, by family
}

// NewEmitter returns an emitter that encodes each family by one of encoders.
func NewEmitter(encoders []Encoder) *Emitter {
	return &Emitter{encoders: encoders, metrics: make([][]byte, len(encoders))}
}

// Emit adds a metric to the family at a place in the Engine's families. values are read at once,
// and may be changed afterwards.
func (e *Emitter) Emit(family int, values []string, value float64, created time.Time) {
	e.metrics[family] = e.encoders[family].Metric(e.metrics[family], values, value, created)
}

func (e *Emitter) reset() {
	for i := range e.metrics {
		e.metrics[i] = e.metrics[i][:0]
	}
}
