package expose

import (
	"bytes"
	"errors"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Scrape is everything that an Engine holds at one moment, in one encoding.
type Scrape struct {
	*encoders
	groups [][]gzipjoin.Piece
}

// size is how many bytes the metrics of a family take before they are deflated.
func (s *Scrape) size(family int) (size int) {
	for _, pieces := range s.groups {
		size += pieces[family].TextSize()
	}
	return size
}

// empty reports whether there is no metric at all.
func (s *Scrape) empty() bool {
	for i := range s.families {
		if s.size(i) > 0 {
			return false
		}
	}
	return true
}

// send sends all families that wanted accepts, those of the engine and others, sorted by name. Of
// others, those that cannot be encoded are left out, and failed is told why.
func (s *Scrape) send(w io.Writer, others []*dto.MetricFamily, wanted func(name string) bool, failed func(error)) error {
	out := gzipjoin.NewWriter(w, s.Gzip)
	var b bytes.Buffer // what stands before the next group's metrics
	encoder := expfmt.NewEncoder(&b, expfmt.NewFormat(s.Format), expfmt.WithCreatedLines())
	encode := func(f *dto.MetricFamily) {
		if whole := b.Len(); wanted(f.GetName()) {
			if err := encoder.Encode(f); err != nil {
				b.Truncate(whole)
				failed(err)
			}
		}
	}
	for _, i := range s.byName {
		size := s.size(i)
		if size == 0 || !wanted(s.families[i].Name) {
			continue
		}
		for len(others) > 0 && others[0].GetName() < s.families[i].Name {
			encode(others[0])
			others = others[1:]
		}
		b.Write(s.byFamily[i].header(b.AvailableBuffer(), size))
		out.Write(s.text(b.Bytes()))
		b.Reset()
		for _, pieces := range s.groups {
			out.Write(pieces[i])
		}
	}
	for _, f := range others {
		encode(f)
	}
	if closer, ok := encoder.(expfmt.Closer); ok { // OpenMetrics' last line
		_ = closer.Close() // a bytes.Buffer takes everything
	}
	out.Write(s.text(b.Bytes()))
	return out.Close()
}

// WriteText writes all metrics, others among them. It fails if
// anything cannot be written.
func (s *Scrape) WriteText(w io.Writer, others []*dto.MetricFamily) error {
	var failed []error
	all := func(string) bool { return true }
	err := s.send(w, others, all, func(err error) { failed = append(failed, err) })
	return errors.Join(append(failed, err)...)
}
