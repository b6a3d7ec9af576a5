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

// joined packs texts, each on its own, and returns what is sent of them.
func joined(t testing.TB, deflate bool, texts ...[]byte) []byte {
	t.Helper()
	return sent(t, deflate, gzipjoin.NewPacker(deflate).Pack(nil, texts...)...)
}

func sent(t testing.TB, deflated bool, pieces ...gzipjoin.Piece) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzipjoin.NewWriter(&b, deflated)
	for _, p := range pieces {
		w.Write(p)
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
			if got := inflated(t, joined(t, true, texts...)); !bytes.Equal(got, bytes.Join(texts, nil)) {
				t.Errorf("%d bytes came back, and not those that went in", len(got))
			}
			if got := joined(t, false, texts...); !bytes.Equal(got, bytes.Join(texts, nil)) {
				t.Errorf("as they are, %d bytes came back, and not those that went in", len(got))
			}
		})
	}
}

func TestPiecesStandInAnyOrderAndOften(t *testing.T) {
	texts := [][]byte{[]byte("one "), []byte("two two two two two two "), []byte("three ")}
	p := gzipjoin.NewPacker(true)
	pieces := p.Pack(nil, texts...)
	p.Pack(pieces, []byte("made"), []byte("later"), nil) // must not change earlier pieces
	var order []gzipjoin.Piece
	var want []byte
	for _, i := range []int{2, 0, 1, 1, 0, 2, 1} {
		order, want = append(order, pieces[i]), append(want, texts[i]...)
	}
	if got := inflated(t, sent(t, true, order...)); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTextsThatChangedInPart(t *testing.T) {
	p := gzipjoin.NewPacker(true)
	var pieces []gzipjoin.Piece
	for _, texts := range [][3]string{
		{"one", "two", ""}, {"one", "two", ""}, {"one", "other", "three"}, {"", "other", "three"}, {"one", "two", "three"}, {"two", "one", "thred"},
	} {
		pieces = p.Pack(pieces, []byte(texts[0]), []byte(texts[1]), []byte(texts[2]))
		if got := string(inflated(t, sent(t, true, pieces...))); got != texts[0]+texts[1]+texts[2] {
			t.Errorf("got %q of %q", got, texts)
		}
	}
}

func TestRepetitionIsCompressed(t *testing.T) {
	text := []byte(strings.Repeat("aliyun_vulscan_server_up 1\n", 1000))
	if got := len(joined(t, true, text)); got > len(text)/50 {
		t.Errorf("%d bytes of %d are left", got, len(text))
	}
}

// full takes so many bytes and no more.
type full struct{ left, refused int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		f.refused++
		return 0, errFull
	}
	return len(p), nil
}

func TestTheWritersErrorIsReported(t *testing.T) {
	noise := make([]byte, 700_000) // more than is gathered before it is sent
	source := rand.NewChaCha8([32]byte{2})
	_, _ = source.Read(noise)
	for _, deflate := range []bool{true, false} {
		pieces := gzipjoin.NewPacker(deflate).Pack(nil, noise, []byte("text"), noise)
		all := len(sent(t, deflate, pieces...))
		for _, space := range []int{0, 10, len(noise), all - 1, all} {
			to := &full{left: space}
			w := gzipjoin.NewWriter(to, deflate)
			for _, p := range pieces {
				w.Write(p)
			}
			if err := w.Close(); errors.Is(err, errFull) != (space < all) {
				t.Errorf("space for %d of %d bytes: Close returns %v", space, all, err)
			}
			if to.refused > 1 {
				t.Errorf("space for %d of %d bytes: %d writes after the first error", space, all, to.refused-1)
			}
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), uint16(3))
	f.Add([]byte(""), []byte("some more text, some more text"), uint16(0))
	f.Add([]byte{0, 0, 0}, []byte{0xff}, uint16(999))
	f.Fuzz(func(t *testing.T, a, b []byte, often uint16) {
		texts := [][]byte{a, b, bytes.Repeat(a, int(often)%64), b}
		if got := inflated(t, joined(t, true, texts...)); !bytes.Equal(got, bytes.Join(texts, nil)) {
			t.Errorf("%d bytes came back, and not those that went in", len(got))
		}
	})
}
