// Package gzipjoin makes one gzip member (RFC 1952) of pieces of text that were deflated at
// different times. Its one job is that a long text of which little changes need not be compressed
// anew as a whole. For clients that take no gzip the same pieces are the text as it is. What the
// text says the package does not know.
package gzipjoin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/flate"
)

// Piece is text to send: as it is, or deflated. Deflated, it ends on a byte, is not the end of its
// stream and refers to nothing before itself: pieces in any order make a valid stream.
type Piece struct {
	sent  []byte
	hash  uint64 // this and what follows is of the text
	size  int
	crc   uint32
	shift uint32 // factor of the CRC of what comes before it
}

// TextSize is the length of the piece's text in bytes.
func (p Piece) TextSize() int { return p.size }

// Packer makes pieces. It is not safe for concurrent use.
type Packer struct {
	buffer bytes.Buffer
	flate  *flate.Writer // nil: nothing is deflated
}

// NewPacker makes a Packer whose pieces are deflated, or not. It compresses at the fastest level:
// text is compressed whenever it changes, and sent once or twice before it does again.
func NewPacker(deflate bool) *Packer {
	p := &Packer{}
	if deflate {
		p.flate, _ = flate.NewWriter(&p.buffer, flate.BestSpeed) // fails only for levels that do not exist
	}
	return p
}

// Pack makes a piece of each text. Empty text makes an empty piece. before are the pieces of earlier
// versions of the texts, or nil: where a text is what it was, it is not compressed again.
func (p *Packer) Pack(before []Piece, texts ...[]byte) []Piece {
	pieces := make([]Piece, len(texts))
	for i, text := range texts {
		made := Piece{hash: xxhash.Sum64(text), size: len(text), crc: crc32.ChecksumIEEE(text)}
		if before != nil && before[i].same(made) {
			pieces[i] = before[i]
			continue
		}
		p.buffer.Reset()
		p.add(text)
		made.sent, made.shift = bytes.Clone(p.buffer.Bytes()), shiftBy(len(text))
		pieces[i] = made
	}
	return pieces
}

func (p *Packer) add(text []byte) {
	switch {
	case p.flate == nil:
		p.buffer.Write(text)
	case len(text) > 0:
		p.flate.Reset(&p.buffer)
		_, _ = p.flate.Write(text) // a bytes.Buffer takes everything
		_ = p.flate.Flush()
	}
}

// same reports whether two pieces are of the same text: their lengths and two independent
// checksums, of 96 bits together, are equal.
func (p Piece) same(as Piece) bool { return p.hash == as.hash && p.crc == as.crc && p.size == as.size }

// sendBuffer is how much is gathered before it is sent on: pieces are small, and each send wakes
// the reader.
const sendBuffer = 256 << 10

// Writer writes pieces in a row: deflated ones as one gzip member.
type Writer struct {
	w    *bufio.Writer
	gzip bool
	crc  uint32
	size uint32 // modulo 2^32, as in the trailer
}

// NewWriter returns a Writer of pieces that are all deflated, or of pieces that are not.
func NewWriter(w io.Writer, deflated bool) *Writer {
	j := &Writer{w: bufio.NewWriterSize(w, sendBuffer), gzip: deflated}
	if deflated { // no name, no time, compressed fastest, unknown system
		_, _ = j.w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff})
	}
	return j
}

// Write adds a piece. An error is what Close returns; after one, nothing more is written.
func (j *Writer) Write(p Piece) {
	_, _ = j.w.Write(p.sent)
	if j.gzip {
		j.crc = multiply(p.shift, j.crc) ^ p.crc
		j.size += uint32(p.size)
	}
}

// Close ends the member and sends what is left. It does not close the underlying writer, whose first
// error it returns.
func (j *Writer) Close() error {
	if j.gzip {
		end := []byte{1, 0, 0, 0xff, 0xff} // an empty block, marked as the last
		end = binary.LittleEndian.AppendUint32(end, j.crc)
		_, _ = j.w.Write(binary.LittleEndian.AppendUint32(end, j.size))
	}
	return j.w.Flush()
}

// The CRC of gzip is the remainder of the text, read as a polynomial over GF(2), by the polynomial
// crc32.IEEE. So the CRC of two texts in a row is that of the first times x^(8*length of the
// second), plus that of the second (Ross Williams, "A Painless Guide to CRC Error Detection
// Algorithms"). Polynomials are written with x^31 in the lowest bit, as crc32.IEEE is.

const one = 1 << 31 // the polynomial x^0

// multiply returns a times b, modulo crc32.IEEE.
func multiply(a, b uint32) uint32 {
	var product uint32
	for range 32 { // without branches, which the processor would guess wrong
		product ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crc32.IEEE&-(b&1) // b times x
	}
	return product
}

// shiftBy returns x^(8*n), by which the CRC of a text is multiplied when n bytes follow.
func shiftBy(n int) uint32 {
	power, result := uint32(one>>8), uint32(one) // power is x^8, then its squares
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = multiply(power, result)
		}
		power = multiply(power, power)
	}
	return result
}
