package expose

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// formats are what clients may ask for, the preferred ones first.
var formats = []expfmt.Format{
	expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim, expfmt.FmtText,
	// Its names may be any UTF-8. Names of groups never need that, so that this format differs from
	// FmtText in nothing but its own name.
	"text/plain; version=1.0.0; charset=utf-8",
}

// Options configure a Handler.
type Options struct {
	// Scrape returns the metrics of groups.
	Scrape func(Encoding) *Scrape
	// Others are all other metrics. They must not have a name of Scrape's.
	Others prometheus.Gatherer
	// Failed is told of what could not be gathered or encoded. The rest is served all the same: one
	// broken series must not take the others with it.
	Failed func(error)
}

// Handler serves the metrics in the format that the client asks for.
func Handler(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		others, err := o.Others.Gather()
		if err != nil {
			o.Failed(err)
		}
		format := expfmt.NegotiateAccept(r.Header, formats...)
		encoding := Encoding{Format: format.FormatType(), Gzip: AcceptsGzip(r.Header)}
		if encoding.Format == expfmt.TypeUnknown {
			encoding.Format = expfmt.TypeTextPlain
		}
		scrape := o.Scrape(encoding)
		if err != nil && len(others) == 0 && !slices.ContainsFunc(scrape.byName, func(i int) bool { return scrape.size(i) > 0 }) {
			http.Error(w, "no metrics could be gathered: the log says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(format))
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Accept-Encoding")
		if encoding.Gzip {
			w.Header().Set("Content-Encoding", "gzip")
		}
		names := r.URL.Query()["name[]"]             // as promhttp has it
		_ = scrape.Write(w, others, names, o.Failed) // its error is the client's: it has gone, or reads too slowly
	})
}

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

// Write writes all families, those of the engine and others, sorted by name; if names has any, only
// those. Of others, those that cannot be encoded are left out, and failed is told why.
func (s *Scrape) Write(w io.Writer, others []*dto.MetricFamily, names []string, failed func(error)) error {
	wanted := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
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

// AcceptsGzip reports whether a client takes gzip (RFC 9110, 12.5.3): it, or any coding, is named
// with a weight above 0. What is sent is gzip or as it is.
func AcceptsGzip(header http.Header) bool {
	accepted := make(map[string]bool)
	for offer := range strings.SplitSeq(strings.ToLower(strings.Join(header.Values("Accept-Encoding"), ",")), ",") {
		coding, parameters, _ := strings.Cut(strings.Join(strings.Fields(offer), ""), ";")
		_, q, weighted := strings.Cut(parameters, "q=")
		weight, _ := strconv.ParseFloat(q, 64) // unreadable is 0
		accepted[strings.TrimPrefix(coding, "x-")] = !weighted || weight > 0
	}
	gzip, named := accepted["gzip"]
	return gzip || !named && accepted["*"]
}
