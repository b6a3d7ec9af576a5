package state

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is what has fields. Its method lists each once with its number. Fields have the wire
// format of protobuf. One that is zero is left out, and a reader skips those that it does not know,
// so new fields may join. A number must never be used for another field again.
type message interface{ fields(c *coder) }

// coder writes the fields of a message, or reads one of them.
type coder struct {
	out []byte // what was written

	reading bool
	number  protowire.Number // of the field that was read
	value   uint64           // its content, if it is a number
	bytes   []byte           // its content otherwise
	bad     bool             // something that was read is damaged
}

func encode(m message) []byte {
	c := coder{out: make([]byte, 0, 512)}
	m.fields(&c)
	return c.out
}

// decode reports whether b consists of fields.
func decode(b []byte, m message) (ok bool) {
	c := coder{reading: true}
	c.readAll(b, m)
	return !c.bad
}

func (c *coder) readAll(b []byte, m message) {
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
		m.fields(c)
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
func list[T any, M interface {
	*T
	message
}](c *coder, number protowire.Number, elements *[]T,
) {
	switch {
	case !c.reading:
		var inner coder
		for i := range *elements {
			inner.out = inner.out[:0]
			M(&(*elements)[i]).fields(&inner)
			c.out = protowire.AppendBytes(protowire.AppendTag(c.out, number, protowire.BytesType), inner.out)
		}
	case c.number == number:
		*elements = append(*elements, *new(T))
		c.readAll(c.bytes, M(&(*elements)[len(*elements)-1]))
		c.number = number
	}
}
