package expose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Label is a label of a family. From is the place of its value among those that Emit is given.
type Label struct {
	Name string
	From int
}

// Family is a metric family whose metrics come from groups: gauges or counters.
type Family struct {
	Name, Help string
	Counter    bool
	Labels     []Label // in any order
}

// check refuses what a scraper would drop the whole scrape for.
func check(families []Family) error {
	names := make(map[string]bool)
	for _, f := range families {
		if !model.LegacyValidation.IsValidMetricName(f.Name) || names[f.Name] || f.Counter && !strings.HasSuffix(f.Name, "_total") {
			return fmt.Errorf("%q is no metric name, there twice, or a counter's that does not end in _total", f.Name)
		}
		names[f.Name] = true
		labels := make(map[string]bool)
		for _, l := range f.Labels {
			if !model.LegacyValidation.IsValidLabelName(l.Name) || labels[l.Name] {
				return fmt.Errorf("metric %s: label %q is no label name, or there twice", f.Name, l.Name)
			}
			labels[l.Name] = true
		}
	}
	return nil
}

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
	for i, f := range families {
		e.byName = append(e.byName, i)
		f.Labels = slices.SortedFunc(slices.Values(f.Labels), func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
		if encoding.Format == expfmt.TypeProtoDelim {
			e.byFamily = append(e.byFamily, newProtobufEncoder(f))
		} else {
			e.byFamily = append(e.byFamily, newTextEncoder(f, encoding.Format == expfmt.TypeOpenMetrics))
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
