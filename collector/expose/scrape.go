package expose

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Scrape is everything that an Engine holds at one moment, in one encoding.
type Scrape struct {
	families []Family
	encoders []Encoder
	groups   []*encoded
}

// sink takes the pieces of an exposition in their order.
type sink interface {
	// text takes bytes that have yet to be encoded.
	text(b []byte) error
	// metrics takes one family of an encoded group.
	metrics(m *encoded, family int) error
}

// plainSink sends pieces as they are.
type plainSink struct{ w io.Writer }

func (s plainSink) text(b []byte) error {
	_, err := s.w.Write(b)
	return err
}

func (s plainSink) metrics(m *encoded, family int) error { return s.text(m.plain[family]) }

// gzipSink sends pieces as one gzip member.
type gzipSink struct {
	w        *gzipjoin.Writer
	deflater *gzipjoin.Deflater
}

func (s gzipSink) text(b []byte) error { return s.w.Write(s.deflater.Deflate(nil, b)[0]) }

func (s gzipSink) metrics(m *encoded, family int) error { return s.w.Write(m.deflated[family]) }

// send sends all families that wanted accepts, those of the engine and others, sorted by name. Of
// others, those that cannot be encoded are left out, and failed is told why.
func (s *Scrape) send(to sink, format expfmt.Format, others []*dto.MetricFamily, wanted func(name string) bool, failed func(error)) error {
	var b bytes.Buffer // what stands before the next group's metrics
	encoder := expfmt.NewEncoder(&b, format, expfmt.WithCreatedLines())
	encode := func(f *dto.MetricFamily) {
		if whole := b.Len(); wanted(f.GetName()) {
			if err := encoder.Encode(f); err != nil {
				b.Truncate(whole)
				failed(err)
			}
		}
	}
	for _, i := range s.order() {
		size := s.size(i)
		if size == 0 || !wanted(s.families[i].Name) {
			continue
		}
		for len(others) > 0 && others[0].GetName() < s.families[i].Name {
			encode(others[0])
			others = others[1:]
		}
		b.Write(s.encoders[i].Header(b.AvailableBuffer(), size))
		if err := s.sendFamily(to, b.Bytes(), i); err != nil {
			return err
		}
		b.Reset()
	}
	for _, f := range others {
		encode(f)
	}
	if closer, ok := encoder.(expfmt.Closer); ok { // OpenMetrics' last line
		_ = closer.Close() // a bytes.Buffer takes everything
	}
	return to.text(b.Bytes())
}

func (s *Scrape) sendFamily(to sink, before []byte, family int) error {
	if err := to.text(before); err != nil {
		return err
	}
	for _, m := range s.groups {
		if m.size(family) == 0 {
			continue
		}
		if err := to.metrics(m, family); err != nil {
			return err
		}
	}
	return nil
}

// size is how many bytes the metrics of a family take before they are deflated.
func (s *Scrape) size(family int) (size int) {
	for _, m := range s.groups {
		size += m.size(family)
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

// order returns the places of the families, sorted by name.
func (s *Scrape) order() []int {
	places := make([]int, len(s.families))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return strings.Compare(s.families[a].Name, s.families[b].Name) })
	return places
}

// WriteText writes all metrics in the text format, others among them. It fails if anything cannot
// be written.
func (s *Scrape) WriteText(w io.Writer, others []*dto.MetricFamily) error {
	var failed []error
	all := func(string) bool { return true }
	err := s.send(plainSink{w}, expfmt.FmtText, others, all, func(err error) { failed = append(failed, err) })
	return errors.Join(append(failed, err)...)
}
