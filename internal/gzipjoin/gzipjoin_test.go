package gzipjoin_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// joined deflates texts, each on its own, and returns them as one gzip member.
func joined(t testing.TB, texts ...[]byte) []byte {
	t.Helper()
	pieces := gzipjoin.NewDeflater().Deflate(nil, texts...)
	var b bytes.Buffer
	w := gzipjoin.NewWriter(&b)
	for _, p := range pieces {
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inflated reads one gzip member, all of it and nothing after it.
func inflated(t testing.TB, member []byte) []byte {
	t.Helper()
	source := bytes.NewReader(member)
	r, err := gzip.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	text, err := io.ReadAll(r) // checks CRC and length
	if err != nil {
		t.Fatal(err)
	}
	if source.Len() > 0 {
		t.Fatalf("%d bytes after the member", source.Len())
	}
	return text
}

func TestPiecesMakeOneMember(t *testing.T) {
	random := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(random)
	lines := []byte(strings.Repeat(`aliyun_vulscan_subtask_status{account="a"} 4`+"\n", 2000))
	for name, texts := range map[string][][]byte{
		"none":                        {},
		"only empty ones":             {nil, {}, nil},
		"one":                         {[]byte("a")},
		"empty between":               {[]byte("a"), nil, []byte("b"), {}},
		"the same twice":              {lines, lines},
		"lines, noise, one byte":      {lines, random, []byte("\n")},
		"longer than deflate's block": {bytes.Repeat(random, 3)},
		"zeros, whose CRC is odd":     {make([]byte, 1), make([]byte, 70_000), []byte{0}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := inflated(t, joined(t, texts...)); !bytes.Equal(got, bytes.Join(texts, nil)) {
				t.Errorf("%d bytes came back, and not those that went in", len(got))
			}
		})
	}
}

func TestPiecesStandInAnyOrderAndOften(t *testing.T) {
	texts := [][]byte{[]byte("one "), []byte("two two two two two two "), []byte("three ")}
	d := gzipjoin.NewDeflater()
	pieces := d.Deflate(nil, texts...)
	d.Deflate(pieces, []byte("made"), []byte("later"), nil) // must not change earlier pieces
	var b, want bytes.Buffer
	w := gzipjoin.NewWriter(&b)
	for _, i := range []int{2, 0, 1, 1, 0, 2, 1} {
		_ = w.Write(pieces[i])
		want.Write(texts[i])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := inflated(t, b.Bytes()); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %q, want %q", got, want.Bytes())
	}
}

func TestTextsThatChangedInPart(t *testing.T) {
	d := gzipjoin.NewDeflater()
	var pieces []gzipjoin.Piece
	for _, texts := range [][3]string{
		{"one", "two", ""}, {"one", "two", ""}, {"one", "other", "three"}, {"", "other", "three"}, {"one", "two", "three"}, {"two", "one", "thred"},
	} {
		pieces = d.Deflate(pieces, []byte(texts[0]), []byte(texts[1]), []byte(texts[2]))
		var b bytes.Buffer
		w := gzipjoin.NewWriter(&b)
		for _, p := range pieces {
			_ = w.Write(p)
		}
		_ = w.Close()
		if got := string(inflated(t, b.Bytes())); got != texts[0]+texts[1]+texts[2] {
			t.Errorf("got %q of %q", got, texts)
		}
	}
}

func TestRepetitionIsCompressed(t *testing.T) {
	text := []byte(strings.Repeat("aliyun_vulscan_server_up 1\n", 1000))
	if got := len(joined(t, text)); got > len(text)/50 {
		t.Errorf("%d bytes of %d are left", got, len(text))
	}
}

// full takes so many bytes and no more.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestTheWritersErrorIsReported(t *testing.T) {
	pieces := gzipjoin.NewDeflater().Deflate(nil, []byte("text"))
	for space, at := range map[int]string{0: "piece", 10: "piece", 12 + pieces[0].Size(): "close"} {
		w := gzipjoin.NewWriter(&full{space})
		onPiece := w.Write(pieces[0])
		onClose := w.Close()
		if got := errors.Is(onPiece, errFull); got != (at == "piece") {
			t.Errorf("space for %d bytes: the piece's error is %v", space, onPiece)
		}
		if !errors.Is(onClose, errFull) {
			t.Errorf("space for %d bytes: Close gives %v", space, onClose)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), uint16(3))
	f.Add([]byte(""), []byte("some more text, some more text"), uint16(0))
	f.Add([]byte{0, 0, 0}, []byte{0xff}, uint16(999))
	f.Fuzz(func(t *testing.T, a, b []byte, often uint16) {
		texts := [][]byte{a, b, bytes.Repeat(a, int(often)%64), b}
		if got := inflated(t, joined(t, texts...)); !bytes.Equal(got, bytes.Join(texts, nil)) {
			t.Errorf("%d bytes came back, and not those that went in", len(got))
		}
	})
}
