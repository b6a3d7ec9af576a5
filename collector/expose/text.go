package expose

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// What the formats escape; the text format's help leaves quotes as they are.
var (
	unquoted = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	quoted   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// textEncoder writes the Prometheus text format, or OpenMetrics.
type textEncoder struct {
	openMetrics bool
	head        string
	sample      string   // name of the samples
	created     string   // name of the samples that say when a counter began; "": none do
	labels      []Label  // sorted
	before      []string // before each label's value
	after       string   // after the last one
}

func newTextEncoder(f Family, openMetrics bool) *textEncoder {
	name, help, typ := f.Name, unquoted.Replace(f.Help), "gauge"
	e := &textEncoder{openMetrics: openMetrics, sample: f.Name, labels: f.Labels, after: " "}
	if openMetrics {
		help = quoted.Replace(f.Help)
	}
	if f.Counter {
		typ = "counter"
	}
	if openMetrics && f.Counter { // the suffix is the samples', not the family's
		name = strings.TrimSuffix(name, "_total")
		e.created = name + "_created"
	}
	e.head = "# HELP " + name + " " + help + "\n# TYPE " + name + " " + typ + "\n"
	start := "{"
	for _, l := range e.labels {
		e.before = append(e.before, start+l.Name+`="`)
		start, e.after = `",`, `"} `
	}
	return e
}

func (e *textEncoder) header(b []byte, _ int) []byte { return append(b, e.head...) }

func (e *textEncoder) metric(b []byte, values []string, value float64, created time.Time) []byte {
	b = append(b, e.sample...)
	start := len(b)
	for i, l := range e.labels {
		b = append(b, e.before[i]...)
		b = append(b, escaped(values[l.From])...)
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

// escaped escapes a label's value. Few need it, and to see that is quicker than to replace.
func escaped(value string) string {
	if strings.IndexByte(value, '\\') < 0 && strings.IndexByte(value, '"') < 0 && strings.IndexByte(value, '\n') < 0 {
		return value
	}
	return quoted.Replace(value)
}

// appendValue writes a sample's value. OpenMetrics tells floats by a point or an exponent.
func appendValue(b []byte, value float64, openMetrics bool) []byte {
	start := len(b)
	if value == math.Trunc(value) && math.Abs(value) < 1000 { // most are, and this is quicker
		b = strconv.AppendInt(b, int64(value), 10)
	} else {
		b = strconv.AppendFloat(b, value, 'g', -1, 64)
	}
	if openMetrics && !bytes.ContainsAny(b[start:], "e.Nn") { // nor NaN or Inf
		b = append(b, ".0"...)
	}
	return b
}
