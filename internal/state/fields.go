package state

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// coder writes or reads the fields of a struct, whose method fields lists each
// once with its number. Fields have the wire format of protobuf. One that is zero
// is left out, and a reader skips those that it does not know, so new fields may
// join. A number must never be used for another field again.
type coder struct {
	out []byte // what was written

	reading bool
	number  protowire.Number // of the field that was read
	value   uint64           // its content, if it is a number
	bytes   []byte           // its content otherwise
	bad     bool             // something that was read is damaged
}

func encodeFields(fields func(*coder)) []byte {
	c := coder{out: make([]byte, 0, 512)}
	fields(&c)
	return c.out
}

// decodeFields reports whether b consists of fields.
func decodeFields(b []byte, fields func(*coder)) (ok bool) {
	c := coder{reading: true}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
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
			return false
		}
		fields(&c)
		b = b[n:]
	}
	return !c.bad
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
	c.uint(number, &u)
	*v = protowire.DecodeZigZag(u)
}

// time keeps milliseconds since the zero time.
func (c *coder) time(number protowire.Number, t *time.Time) {
	since := t.UnixMilli() - time.Time{}.UnixMilli()
	before := since
	if c.int(number, &since); since != before {
		*t = afterZero(since)
	}
}

// afterZero returns the time so many milliseconds after the zero time.
func afterZero(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms + time.Time{}.UnixMilli())
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
func list[T any](c *coder, number protowire.Number, elements *[]T, fields func(*T, *coder)) {
	switch {
	case !c.reading:
		for i := range *elements {
			b := encodeFields(func(inner *coder) { fields(&(*elements)[i], inner) })
			c.out = protowire.AppendBytes(protowire.AppendTag(c.out, number, protowire.BytesType), b)
		}
	case c.number == number:
		var element T
		c.bad = !decodeFields(c.bytes, func(inner *coder) { fields(&element, inner) }) || c.bad
		*elements = append(*elements, element)
	}
}
