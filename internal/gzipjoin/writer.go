package gzipjoin

import (
	"encoding/binary"
	"io"
)

// Writer writes pieces as one gzip member.
type Writer struct {
	w    io.Writer
	crc  uint32
	size uint32 // modulo 2^32, as in the trailer
	err  error
}

// NewWriter starts a gzip member: no name, no time, unknown system.
func NewWriter(w io.Writer) *Writer {
	g := &Writer{w: w}
	g.write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff}) // 4: compressed fastest
	return g
}

func (g *Writer) write(b []byte) {
	if g.err == nil {
		_, g.err = g.w.Write(b)
	}
}

// Write adds a piece. Its error is that of the underlying writer; after one, nothing more is
// written.
func (g *Writer) Write(p Piece) error {
	g.write(p.deflated)
	g.crc = multiply(p.shift, g.crc) ^ p.crc
	g.size += uint32(p.size)
	return g.err
}

// Close ends the member. It does not close the underlying writer.
func (g *Writer) Close() error {
	end := []byte{1, 0, 0, 0xff, 0xff} // an empty block, marked as the last
	end = binary.LittleEndian.AppendUint32(end, g.crc)
	end = binary.LittleEndian.AppendUint32(end, g.size)
	g.write(end)
	return g.err
}
