package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
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

// sendBuffer is how much of an answer is gathered before it is sent: pieces
// are often small.
const sendBuffer = 256 << 10

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
	kept := h.Families(form)
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
	buffered := bufio.NewWriterSize(w, sendBuffer)
	var out sink = plain{buffered}
	if form.Deflated {
		w.Header().Set("Content-Encoding", "gzip")
		deflater := h.deflaters.Get().(*gzipjoin.Deflater)
		defer h.deflaters.Put(deflater)
		out = zipped{gzipjoin.NewWriter(buffered), deflater}
	}
	// Errors are the client's: it has gone, or reads too slowly.
	if h.writeFamilies(out, lines, rest, kept) == nil {
		_ = buffered.Flush()
	}
}

// writeFamilies writes families of two kinds, each sorted, in one order.
func (h *handler) writeFamilies(out sink, format expfmt.Format, rest []*dto.MetricFamily, kept []collector.Family) error {
	var buf bytes.Buffer // what stands before the next rendered family
	encoder := expfmt.NewEncoder(&buf, format)
	encode := func(f *dto.MetricFamily) {
		whole := buf.Len()
		if err := encoder.Encode(f); err != nil {
			buf.Truncate(whole)
			errorLog{h.Logger}.Println("error encoding metric family:", err)
		}
	}
	for _, f := range kept {
		for len(rest) > 0 && rest[0].GetName() < f.Name {
			encode(rest[0])
			rest = rest[1:]
		}
		buf.WriteString(f.Header())
		if err := out.family(buf.Bytes(), f); err != nil {
			return err
		}
		buf.Reset()
	}
	for _, f := range rest {
		encode(f)
	}
	if closer, ok := encoder.(expfmt.Closer); ok { // OpenMetrics' last line
		_ = closer.Close() // a bytes.Buffer takes everything
	}
	return out.end(buf.Bytes())
}

// sink takes an exposition, as text or compressed.
type sink interface {
	// family takes text and, after it, the samples of a family.
	family(before []byte, f collector.Family) error
	// end takes the rest of the text.
	end(text []byte) error
}

type plain struct{ w io.Writer }

func (p plain) family(before []byte, f collector.Family) error {
	if err := p.end(before); err != nil {
		return err
	}
	for lines := range f.Text {
		if err := p.end(lines); err != nil {
			return err
		}
	}
	return nil
}

func (p plain) end(text []byte) error {
	_, err := p.w.Write(text)
	return err
}

type zipped struct {
	w        *gzipjoin.Writer
	deflater *gzipjoin.Deflater
}

func (z zipped) family(before []byte, f collector.Family) error {
	if err := z.write(before); err != nil {
		return err
	}
	for piece := range f.Deflated {
		if err := z.w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

func (z zipped) write(text []byte) error {
	return z.w.Write(z.deflater.Deflate(nil, text)[0])
}

func (z zipped) end(text []byte) error {
	if err := z.write(text); err != nil {
		return err
	}
	return z.w.Close()
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
