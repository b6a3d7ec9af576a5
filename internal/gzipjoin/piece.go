package gzipjoin

import (
	"bytes"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/flate"
)

// Piece is deflated text that ends on a byte, is not the end of its stream and refers to nothing
// before itself: pieces in any order make a valid stream.
type Piece struct {
	deflated []byte
	hash     uint64 // of the text
	size     int    // of the text
	crc      uint32 // of the text
	shift    uint32 // factor of the CRC of what comes before it
}

// Size is the length of the deflated piece in bytes.
func (p Piece) Size() int { return len(p.deflated) }

// Deflater makes pieces. It is not safe for concurrent use.
type Deflater struct {
	buffer bytes.Buffer
	flate  *flate.Writer
}

// NewDeflater makes a Deflater. It compresses at the fastest level: text is compressed whenever it
// changes, and sent once or twice before it does again.
func NewDeflater() *Deflater {
	d := &Deflater{}
	d.flate, _ = flate.NewWriter(&d.buffer, flate.BestSpeed) // fails only for levels that do not exist
	return d
}

// Deflate makes a piece of each text. Empty text makes an empty piece. before are the pieces of
// earlier versions of the texts, or nil: where a text is what it was, it is not compressed again.
func (d *Deflater) Deflate(before []Piece, texts ...[]byte) []Piece {
	d.buffer.Reset()
	pieces := make([]Piece, len(texts))
	for i, text := range texts {
		p := Piece{hash: xxhash.Sum64(text), size: len(text), crc: crc32.ChecksumIEEE(text)}
		start := d.buffer.Len()
		switch {
		case before != nil && before[i].same(p):
			p.shift = before[i].shift
			d.buffer.Write(before[i].deflated)
		case len(text) > 0:
			p.shift = shiftBy(len(text))
			d.flate.Reset(&d.buffer)
			_, _ = d.flate.Write(text) // a bytes.Buffer takes everything
			_ = d.flate.Flush()
		default:
			p.shift = one
		}
		p.deflated = d.buffer.Bytes()[start:]
		pieces[i] = p
	}
	all := bytes.Clone(d.buffer.Bytes())
	for i := range pieces {
		n := len(pieces[i].deflated)
		pieces[i].deflated, all = all[:n:n], all[n:]
	}
	return pieces
}

// same reports whether two pieces are of the same text: their lengths and two independent
// checksums, of 96 bits together, are equal.
func (p Piece) same(as Piece) bool { return p.hash == as.hash && p.crc == as.crc && p.size == as.size }

// TextSize is the length of the piece's text in bytes.
func (p Piece) TextSize() int { return p.size }
