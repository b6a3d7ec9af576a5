package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// text100 is the text format whose names may be any UTF-8. Ours never need
// that, so that it differs from version 0.0.4 in nothing but its name.
const text100 expfmt.Format = "text/plain; version=1.0.0; charset=utf-8"

// sendBuffer is how much of an answer is gathered before it is sent on: pieces
// are small, and each send wakes the reader.
const sendBuffer = 512 << 10

// exposition serves the metrics as the client asks for them: text of all kinds
// from what is kept rendered, and everything else by promhttp, which makes each
// metric anew. One broken series must not take the others with it, so what can
// be served is.
func (h *handler) exposition() http.Handler {
	other := promhttp.HandlerFor(prometheus.Gatherers{h.Rest, h.Fleet}, promhttp.HandlerOpts{
		ErrorLog:          errorLog{h.Logger},
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	})
	formats := append(expfmt.DefaultOpenMetricsAcceptedFormats(), text100)
	scrape := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := expfmt.NegotiateAccept(r.Header, formats...)
		switch {
		case format.FormatType() == expfmt.TypeOpenMetrics:
			h.text(w, r, format, format)
		case strings.HasPrefix(string(format), "text/plain"):
			h.text(w, r, format, expfmt.FmtText)
		default:
			other.ServeHTTP(w, r)
		}
	})
	return limited(scrape, h.MaxRequests)
}

// limited answers 503 while so many requests are being served; 0 is no limit.
func limited(next http.Handler, limit int) http.Handler {
	if limit == 0 {
		return next
	}
	places := make(chan struct{}, limit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		default:
			http.Error(w, fmt.Sprintf("%d scrapes are being served, which is the limit: try again later, or raise --web.max-requests", limit),
				http.StatusServiceUnavailable)
		}
	})
}

// text answers in a text format: the families that are kept rendered, and all
// others among them, in the order of their names. lines is the format that has
// the lines of the named one.
func (h *handler) text(w http.ResponseWriter, r *http.Request, named, lines expfmt.Format) {
	rest, err := h.Rest.Gather()
	if err != nil {
		errorLog{h.Logger}.Println("error gathering metrics:", err)
	}
	form := collector.Form{OpenMetrics: lines.FormatType() == expfmt.TypeOpenMetrics, Deflated: acceptsGzip(r.Header)}
	kept, release := h.Families(form)
	defer release()
	if err != nil && len(rest) == 0 && len(kept) == 0 {
		http.Error(w, "no metrics could be gathered: the log says why", http.StatusInternalServerError)
		return
	}
	if names := r.URL.Query()["name[]"]; len(names) > 0 { // as promhttp has it
		rest = slices.DeleteFunc(rest, func(f *dto.MetricFamily) bool { return !slices.Contains(names, f.GetName()) })
		kept = slices.DeleteFunc(kept, func(f collector.Family) bool { return !slices.Contains(names, f.Name) })
	}
	w.Header().Set("Content-Type", string(named))
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	parts := h.arrange(lines, rest, kept)
	// An error of writing is the client's: it has gone, or reads too slowly.
	if !form.Deflated {
		_ = sendPlain(w, r.TLS != nil, parts)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	deflater := h.deflaters.Get().(*gzipjoin.Deflater)
	defer h.deflaters.Put(deflater)
	_ = sendZipped(w, parts, deflater)
}

// part is a piece of an exposition: text, and then the samples of a family
// that was rendered before.
type part struct {
	text   []byte
	family collector.Family
}

// arrange puts families of two kinds, each sorted, in one order.
func (h *handler) arrange(format expfmt.Format, rest []*dto.MetricFamily, kept []collector.Family) []part {
	var buf bytes.Buffer // what stands before the next rendered family
	encoder := expfmt.NewEncoder(&buf, format)
	encode := func(f *dto.MetricFamily) {
		whole := buf.Len()
		if err := encoder.Encode(f); err != nil {
			buf.Truncate(whole)
			errorLog{h.Logger}.Println("error encoding metric family:", err)
		}
	}
	var parts []part
	for _, f := range kept {
		for len(rest) > 0 && rest[0].GetName() < f.Name {
			encode(rest[0])
			rest = rest[1:]
		}
		buf.WriteString(f.Header())
		parts = append(parts, part{bytes.Clone(buf.Bytes()), f})
		buf.Reset()
	}
	for _, f := range rest {
		encode(f)
	}
	if closer, ok := encoder.(expfmt.Closer); ok { // OpenMetrics' last line
		_ = closer.Close() // a bytes.Buffer takes everything
	}
	return append(parts, part{text: buf.Bytes()})
}

// sendPlain sends pieces as they are. They are small and many: the system takes
// a thousand at once (writev) where net/http hands them to the connection, which
// it does if their size was stated and nothing encrypts them. Elsewhere they
// are gathered.
func sendPlain(w http.ResponseWriter, encrypted bool, parts []part) error {
	size, count := 0, 0
	for lines := range texts(parts) {
		size, count = size+len(lines), count+1
	}
	pieces := make(net.Buffers, 0, count)
	for lines := range texts(parts) {
		pieces = append(pieces, lines)
	}
	w.Header().Set("Content-Length", strconv.Itoa(size))
	if direct, ok := w.(io.ReaderFrom); ok && !encrypted {
		_, err := direct.ReadFrom(&pieces)
		return err
	}
	buffered := bufio.NewWriterSize(w, min(size, sendBuffer))
	if _, err := pieces.WriteTo(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

// texts gives the pieces of parts in their order.
func texts(parts []part) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, p := range parts {
			if !yield(p.text) {
				return
			}
			for lines := range p.family.Text {
				if !yield(lines) {
					return
				}
			}
		}
	}
}

func sendZipped(w io.Writer, parts []part, deflater *gzipjoin.Deflater) error {
	buffered := bufio.NewWriterSize(w, sendBuffer/4)
	zipped := gzipjoin.NewWriter(buffered)
	for _, p := range parts {
		if err := zipped.Write(deflater.Deflate(nil, p.text)[0]); err != nil {
			return err
		}
		for piece := range p.family.Deflated {
			if err := zipped.Write(piece); err != nil {
				return err
			}
		}
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// acceptsGzip says whether a client takes gzip (RFC 9110, 12.5.3): it, or any
// coding, is named with a weight above 0. What is sent is gzip or as it is.
func acceptsGzip(header http.Header) bool {
	gzip, anything := -1.0, -1.0
	for _, list := range header.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(list, ",") {
			coding, parameters, _ := strings.Cut(offer, ";")
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				gzip = weight(parameters)
			case "*":
				anything = weight(parameters)
			}
		}
	}
	return gzip > 0 || gzip < 0 && anything > 0
}

// weight reads what stands after a coding's semicolon; unreadable is 0.
func weight(parameters string) float64 {
	_, q, found := strings.Cut(strings.ToLower(strings.ReplaceAll(parameters, " ", "")), "q=")
	if !found {
		return 1
	}
	w, err := strconv.ParseFloat(q, 64)
	if err != nil {
		return 0
	}
	return w
}

// errorLog writes promhttp's errors to the log.
type errorLog struct{ logger log.Logger }

func (l errorLog) Println(v ...any) {
	level.Error(l.logger).Log("msg", "scrape failed in part", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}
