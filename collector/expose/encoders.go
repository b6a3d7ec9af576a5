package expose

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Encoding is how a scrape wants to be answered.
type Encoding struct {
	Format expfmt.FormatType // TypeTextPlain, TypeOpenMetrics or TypeProtoDelim
	Gzip   bool
}

// encoder encodes one family in one format. It is safe for concurrent use.
type encoder interface {
	// header appends what stands before the family's metrics, which take so many bytes.
	header(b []byte, size int) []byte
	// metric appends a metric, as Emit has it.
	metric(b []byte, values []string, value float64, created time.Time) []byte
}

// encoders encode all families in one encoding.
type encoders struct {
	Encoding
	families []Family
	byName   []int // places of the families, sorted by name
	byFamily []encoder
	workers  sync.Pool // of *worker: they are large
}

// worker is the memory that encoding needs.
type worker struct {
	metrics [][]byte // encoded, by family
	packer  *gzipjoin.Packer
}

func newEncoders(encoding Encoding, families []Family) *encoders {
	e := &encoders{Encoding: encoding, families: families}
	for i := range families {
		e.byName = append(e.byName, i)
		if encoding.Format == expfmt.TypeProtoDelim {
			e.byFamily = append(e.byFamily, newProtobufEncoder(&families[i]))
		} else {
			e.byFamily = append(e.byFamily, newTextEncoder(&families[i], encoding.Format == expfmt.TypeOpenMetrics))
		}
	}
	slices.SortFunc(e.byName, func(a, b int) int { return cmp.Compare(families[a].Name, families[b].Name) })
	e.workers.New = func() any { return &worker{make([][]byte, len(families)), gzipjoin.NewPacker(encoding.Gzip)} }
	return e
}

// pack returns what is emitted, by family. before is what the same group had, nil if that is not
// known: what is the same is not deflated again.
func (e *encoders) pack(before []gzipjoin.Piece, collect func(Emit)) []gzipjoin.Piece {
	w := e.workers.Get().(*worker)
	defer e.workers.Put(w)
	for i := range w.metrics {
		w.metrics[i] = w.metrics[i][:0]
	}
	collect(func(family int, values []string, value float64, created time.Time) {
		w.metrics[family] = e.byFamily[family].metric(w.metrics[family], values, value, created)
	})
	return w.packer.Pack(before, w.metrics...)
}

// text makes a piece of what is encoded already.
func (e *encoders) text(b []byte) gzipjoin.Piece {
	w := e.workers.Get().(*worker)
	defer e.workers.Put(w)
	return w.packer.Pack(nil, b)[0]
}
