package expose

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the messages in io.prometheus.client (metrics.proto of
// github.com/prometheus/client_model).
const (
	familyName, familyHelp, familyType, familyMetric protowire.Number = 1, 2, 3, 4

	metricLabel, metricGauge, metricCounter protowire.Number = 1, 2, 3

	pairName, pairValue             protowire.Number = 1, 2
	valueOfEither, createdOfCounter protowire.Number = 1, 3
	timestampSeconds, timestampNano protowire.Number = 1, 2
)

// protobufEncoder writes delimited protobuf. A message MetricFamily begins with its own fields and
// ends with its metrics, so that metrics which were encoded before can be appended to a header that
// states their length.
type protobufEncoder struct {
	header  []byte
	labels  []Label
	names   [][]byte // the field with each label's name
	counter bool
	value   []byte // the field with the value, for its memory
}

func newProtobufEncoder(f *Family) *protobufEncoder {
	e := &protobufEncoder{labels: f.sorted(), counter: f.Type == Counter}
	typ := dto.MetricType_GAUGE
	if e.counter {
		typ = dto.MetricType_COUNTER
	}
	e.header = appendString(e.header, familyName, f.Name)
	e.header = appendString(e.header, familyHelp, f.Help)
	e.header = protowire.AppendTag(e.header, familyType, protowire.VarintType)
	e.header = protowire.AppendVarint(e.header, uint64(typ))
	for _, l := range e.labels {
		e.names = append(e.names, appendString(nil, pairName, l.Name))
	}
	return e
}

// Header implements Encoder.
func (e *protobufEncoder) Header(b []byte, size int) []byte {
	return append(protowire.AppendVarint(b, uint64(len(e.header)+size)), e.header...)
}

// Metric implements Encoder.
func (e *protobufEncoder) Metric(b []byte, values []string, value float64, created time.Time) []byte {
	e.value = e.appendValue(e.value[:0], value, created)
	size := len(e.value)
	for i, l := range e.labels {
		pair := e.pairSize(i, values[l.From])
		size += protowire.SizeTag(metricLabel) + protowire.SizeBytes(pair)
	}
	b = appendLength(b, familyMetric, size)
	for i, l := range e.labels {
		b = appendLength(b, metricLabel, e.pairSize(i, values[l.From]))
		b = append(b, e.names[i]...)
		b = appendString(b, pairValue, values[l.From])
	}
	return append(b, e.value...)
}

func (e *protobufEncoder) pairSize(label int, value string) int {
	return len(e.names[label]) + protowire.SizeTag(pairValue) + protowire.SizeBytes(len(value))
}

// appendValue appends the field gauge or counter of a metric.
func (e *protobufEncoder) appendValue(b []byte, value float64, created time.Time) []byte {
	field, size := metricGauge, protowire.SizeTag(valueOfEither)+protowire.SizeFixed64()
	began := 0 // size of created
	if e.counter {
		field = metricCounter
		if !created.IsZero() {
			began = protowire.SizeTag(timestampSeconds) + protowire.SizeVarint(uint64(created.Unix()))
			if created.Nanosecond() != 0 {
				began += protowire.SizeTag(timestampNano) + protowire.SizeVarint(uint64(created.Nanosecond()))
			}
			size += protowire.SizeTag(createdOfCounter) + protowire.SizeBytes(began)
		}
	}
	b = appendLength(b, field, size)
	b = protowire.AppendTag(b, valueOfEither, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(value))
	if began > 0 {
		b = appendLength(b, createdOfCounter, began)
		b = protowire.AppendTag(b, timestampSeconds, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(created.Unix()))
		if created.Nanosecond() != 0 {
			b = protowire.AppendTag(b, timestampNano, protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(created.Nanosecond()))
		}
	}
	return b
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return append(appendLength(b, field, len(s)), s...)
}

// appendLength begins a field of so many bytes.
func appendLength(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}
