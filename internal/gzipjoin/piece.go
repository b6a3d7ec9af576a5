package gzipjoin

import (
	"bytes"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
)

// Piece is deflated text that ends on a byte, is not the end of its stream and
// refers to nothing before itself: pieces in any order make a valid stream.
type Piece struct {
	deflated []byte
	size     uint32 // of the text
	crc      uint32 // of the text
	shift    uint32 // what the text's length does to a CRC before it
}

// Size is the length of the deflated piece in bytes.
func (p Piece) Size() int { return len(p.deflated) }

// Deflater makes pieces. It is not safe for concurrent use.
type Deflater struct {
	buffer bytes.Buffer
	flate  *flate.Writer
}

// NewDeflater makes a Deflater. It compresses at the fastest level: text is
// compressed whenever it changes, and sent once or twice before it does again.
func NewDeflater() *Deflater {
	d := &Deflater{}
	d.flate, _ = flate.NewWriter(&d.buffer, flate.BestSpeed) // fails only for levels that do not exist
	return d
}

// Deflate makes a piece of each text, in one allocation. Empty text makes an
// empty piece. No text may be longer than 4 GiB.
func (d *Deflater) Deflate(into []Piece, texts ...[]byte) {
	d.buffer.Reset()
	for i, text := range texts {
		into[i] = Piece{size: uint32(len(text)), crc: crc32.ChecksumIEEE(text), shift: shiftBy(len(text))}
		before := d.buffer.Len()
		if len(text) > 0 {
			d.flate.Reset(&d.buffer)
			_, _ = d.flate.Write(text) // a bytes.Buffer takes everything
			_ = d.flate.Flush()
		}
		into[i].deflated = d.buffer.Bytes()[before:]
	}
	all := bytes.Clone(d.buffer.Bytes())
	for i := range texts {
		n := len(into[i].deflated)
		into[i].deflated, all = all[:n:n], all[n:]
	}
}
