package expose

import (
	"bufio"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// text100 is the text format whose names may be any UTF-8. Names of groups never need that, so that
// it differs from version 0.0.4 in nothing but its name.
const text100 expfmt.Format = "text/plain; version=1.0.0; charset=utf-8"

// sendBuffer is how much of an answer is gathered before it is sent on: pieces are small, and each
// send wakes the reader.
const sendBuffer = 256 << 10

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
	deflaters := &sync.Pool{New: func() any { return gzipjoin.NewDeflater() }} // they are large
	formats := append(expfmt.DefaultOpenMetricsAcceptedFormats(), text100)
	formats = slices.DeleteFunc(formats, func(f expfmt.Format) bool { // forms of protobuf for people
		return f.FormatType() == expfmt.TypeProtoText || f.FormatType() == expfmt.TypeProtoCompact
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		others, err := o.Others.Gather()
		if err != nil {
			o.Failed(err)
		}
		format := expfmt.NegotiateAccept(r.Header, formats...)
		encoding := Encoding{Format: formatOf(format), Gzip: AcceptsGzip(r.Header)}
		scrape := o.Scrape(encoding)
		if err != nil && len(others) == 0 && scrape.empty() {
			http.Error(w, "no metrics could be gathered: the log says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(format))
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Accept-Encoding")
		names := r.URL.Query()["name[]"] // as promhttp has it
		wanted := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
		if encoding.Format == Text {
			format = expfmt.FmtText
		}
		buffered := bufio.NewWriterSize(w, sendBuffer)
		// An error of writing is the client's: it has gone, or reads too slowly.
		if !encoding.Gzip {
			if scrape.send(plainSink{buffered}, format, others, wanted, o.Failed) == nil {
				_ = buffered.Flush()
			}
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		deflater := deflaters.Get().(*gzipjoin.Deflater)
		defer deflaters.Put(deflater)
		zipped := gzipjoin.NewWriter(buffered)
		if scrape.send(gzipSink{zipped, deflater}, format, others, wanted, o.Failed) == nil && zipped.Close() == nil {
			_ = buffered.Flush()
		}
	})
}

func formatOf(f expfmt.Format) Format {
	switch f.FormatType() {
	case expfmt.TypeOpenMetrics:
		return OpenMetrics
	case expfmt.TypeProtoDelim:
		return Protobuf
	}
	return Text
}

// AcceptsGzip reports whether a client takes gzip (RFC 9110, 12.5.3): it, or any coding, is named
// with a weight above 0. What is sent is gzip or as it is.
func AcceptsGzip(header http.Header) bool {
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
