package expose

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of the messages in io.prometheus.client (metrics.proto of
// github.com/prometheus/client_model). All their tags are one byte.
const (
	familyMetric protowire.Number = 4

	metricLabel, metricGauge, metricCounter protowire.Number = 1, 2, 3

	pairName, pairValue             protowire.Number = 1, 2
	valueOfEither, createdOfCounter protowire.Number = 1, 3
	timestampSeconds, timestampNano protowire.Number = 1, 2
)

// protobufEncoder writes delimited protobuf. A message MetricFamily begins with its own fields and
// ends with its metrics, so that metrics which were encoded before can be appended to a header that
// states their length.
type protobufEncoder struct {
	family []byte // its own fields
	labels []Label
	kind   protowire.Number // of its values
}

func newProtobufEncoder(f Family) *protobufEncoder {
	e, typ := &protobufEncoder{labels: f.Labels, kind: metricGauge}, dto.MetricType_GAUGE
	if f.Counter {
		e.kind, typ = metricCounter, dto.MetricType_COUNTER
	}
	e.family, _ = proto.Marshal(&dto.MetricFamily{Name: &f.Name, Help: &f.Help, Type: &typ}) // never fails
	return e
}

func (e *protobufEncoder) header(b []byte, size int) []byte {
	return append(protowire.AppendVarint(b, uint64(len(e.family)+size)), e.family...)
}

func (e *protobufEncoder) metric(b []byte, values []string, value float64, created time.Time) []byte {
	var memory [512]byte // a message's length stands before it, so that it is made apart
	m := memory[:0]
	for _, l := range e.labels {
		v := values[l.From]
		m = appendLength(m, metricLabel, 2+protowire.SizeBytes(len(l.Name))+protowire.SizeBytes(len(v)))
		m = append(appendLength(m, pairName, len(l.Name)), l.Name...)
		m = append(appendLength(m, pairValue, len(v)), v...)
	}
	m = append(protowire.AppendTag(m, e.kind, protowire.BytesType), 0)
	start := len(m)
	m = protowire.AppendTag(m, valueOfEither, protowire.Fixed64Type)
	m = protowire.AppendFixed64(m, math.Float64bits(value))
	if e.kind == metricCounter && !created.IsZero() {
		m = append(protowire.AppendTag(m, createdOfCounter, protowire.BytesType), 0)
		began := len(m)
		m = protowire.AppendVarint(protowire.AppendTag(m, timestampSeconds, protowire.VarintType), uint64(created.Unix()))
		m = protowire.AppendVarint(protowire.AppendTag(m, timestampNano, protowire.VarintType), uint64(created.Nanosecond()))
		m[began-1] = byte(len(m) - began)
	}
	m[start-1] = byte(len(m) - start) // below 128, and so always one byte
	return append(appendLength(b, familyMetric, len(m)), m...)
}

// appendLength begins a field of so many bytes.
func appendLength(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}
