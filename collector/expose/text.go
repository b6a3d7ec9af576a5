package expose

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// textEncoder writes the Prometheus text format, or OpenMetrics.
type textEncoder struct {
	openMetrics bool
	header      string
	sample      string   // name of the samples
	created     string   // name of the samples that say when a counter began; "": none do
	labels      []Label  // sorted
	before      []string // before each label's value
	after       string   // after the last one
}

func newTextEncoder(f *Family, openMetrics bool) *textEncoder {
	name, typ := f.Name, "gauge"
	if f.Type == Counter {
		typ = "counter"
	}
	e := &textEncoder{openMetrics: openMetrics, sample: f.Name, labels: f.sorted(), after: " "}
	if openMetrics && f.Type == Counter { // the suffix is the samples', not the family's
		name = strings.TrimSuffix(name, "_total")
		e.created = name + "_created"
	}
	e.header = "# HELP " + name + " " + string(appendEscaped(nil, f.Help, openMetrics)) + "\n# TYPE " + name + " " + typ + "\n"
	start := "{"
	for _, l := range e.labels {
		e.before = append(e.before, start+l.Name+`="`)
		start, e.after = `",`, `"} `
	}
	return e
}

// Header implements Encoder.
func (e *textEncoder) Header(b []byte, _ int) []byte { return append(b, e.header...) }

// Metric implements Encoder.
func (e *textEncoder) Metric(b []byte, values []string, value float64, created time.Time) []byte {
	b = append(b, e.sample...)
	start := len(b)
	for i, l := range e.labels {
		b = append(b, e.before[i]...)
		b = appendEscaped(b, values[l.From], true)
	}
	b = append(b, e.after...)
	end := len(b)
	b = append(appendValue(b, value, e.openMetrics), '\n')
	if e.created != "" && !created.IsZero() {
		labels := b[start:end]
		b = append(append(b, e.created...), labels...)
		b = append(appendValue(b, float64(created.UnixNano())/1e9, true), '\n')
	}
	return b
}

// appendEscaped writes a label's value or, in the text format without quotes, a help text.
func appendEscaped(b []byte, value string, quotes bool) []byte {
	if strings.IndexByte(value, '\\') < 0 && strings.IndexByte(value, '\n') < 0 && (!quotes || strings.IndexByte(value, '"') < 0) {
		return append(b, value...)
	}
	for i := range len(value) {
		switch c := value[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '"' && quotes:
			b = append(b, `\"`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendValue writes a sample's value. OpenMetrics tells floats by a point or an exponent.
func appendValue(b []byte, value float64, openMetrics bool) []byte {
	start := len(b)
	switch {
	case math.IsNaN(value):
		return append(b, "NaN"...)
	case math.IsInf(value, 0):
		return strconv.AppendFloat(b, value, 'g', -1, 64)
	case value == math.Trunc(value) && math.Abs(value) < 1000:
		b = strconv.AppendInt(b, int64(value), 10)
	default:
		b = strconv.AppendFloat(b, value, 'g', -1, 64)
	}
	if openMetrics && !bytes.ContainsAny(b[start:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}
