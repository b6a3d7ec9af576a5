package state

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"aliyun_vulscan_exporter/collector/scan"
)

// coder writes the fields of a message, which it does not change, or reads one of them. A function
// lists the fields, each once with its number. They have the wire format of protobuf. One that is
// zero is left out, and a reader skips those that it does not know, so new fields may join. A number
// must never be used for another field again.
type coder struct {
	out  []byte        // what was written
	step time.Duration // is added to the times that are written

	reading bool
	number  protowire.Number // of the field that was read
	value   uint64           // its content, if it is a number
	bytes   []byte           // its content otherwise
	bad     bool             // something that was read is damaged
}

func encode(fields func(*coder), step time.Duration) []byte {
	c := coder{out: make([]byte, 0, 512), step: step}
	fields(&c)
	return c.out
}

// decode reports whether b consists of fields.
func decode(b []byte, fields func(*coder)) (ok bool) {
	c := coder{reading: true}
	c.readAll(b, fields)
	return !c.bad
}

func (c *coder) readAll(b []byte, fields func(*coder)) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			c.bad = true
			return
		}
		b = b[n:]
		c.number, c.value, c.bytes = number, 0, nil
		switch kind {
		case protowire.VarintType:
			c.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			c.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			c.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			c.bad = true
			return
		}
		fields(c)
		b = b[n:]
	}
}

func (c *coder) uint(number protowire.Number, v *uint64) {
	switch {
	case !c.reading && *v != 0:
		c.out = protowire.AppendVarint(protowire.AppendTag(c.out, number, protowire.VarintType), *v)
	case c.reading && c.number == number:
		*v = c.value
	}
}

func (c *coder) int(number protowire.Number, v *int64) {
	u := protowire.EncodeZigZag(*v)
	if c.uint(number, &u); c.reading {
		*v = protowire.DecodeZigZag(u)
	}
}

// time keeps milliseconds since the zero time.
func (c *coder) time(number protowire.Number, t *scan.Instant) {
	switch {
	case !c.reading && *t != 0:
		since := int64(t.Add(c.step)) - time.Time{}.UnixMilli()
		c.int(number, &since)
	case c.reading && c.number == number:
		*t = afterZero(protowire.DecodeZigZag(c.value))
	}
}

// afterZero returns the moment so many milliseconds after the zero time.
func afterZero(ms int64) scan.Instant {
	if ms == 0 {
		return 0
	}
	return scan.Instant(ms + time.Time{}.UnixMilli())
}

// float leaves out 0, but not -0.
func (c *coder) float(number protowire.Number, v *float64) {
	bits := math.Float64bits(*v)
	switch {
	case !c.reading && bits != 0:
		c.out = protowire.AppendFixed64(protowire.AppendTag(c.out, number, protowire.Fixed64Type), bits)
	case c.reading && c.number == number:
		*v = math.Float64frombits(c.value)
	}
}

func (c *coder) text(number protowire.Number, v *string) {
	switch {
	case !c.reading && *v != "":
		c.out = protowire.AppendString(protowire.AppendTag(c.out, number, protowire.BytesType), *v)
	case c.reading && c.number == number:
		*v = string(c.bytes)
	}
}

// list writes or reads a field for every element.
func list[T any](c *coder, number protowire.Number, elements *[]T, fields func(*T) func(*coder)) {
	switch {
	case !c.reading:
		inner := coder{step: c.step}
		for i := range *elements {
			inner.out = inner.out[:0]
			fields(&(*elements)[i])(&inner)
			c.out = protowire.AppendBytes(protowire.AppendTag(c.out, number, protowire.BytesType), inner.out)
		}
	case c.number == number:
		*elements = append(*elements, *new(T))
		c.readAll(c.bytes, fields(&(*elements)[len(*elements)-1]))
		c.number = number
	}
}
