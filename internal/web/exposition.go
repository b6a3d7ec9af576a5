package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// text100 is the text format whose names may be any UTF-8. Ours never need
// that, so that it differs from version 0.0.4 in nothing but its name.
const text100 expfmt.Format = "text/plain; version=1.0.0; charset=utf-8"

// exposition serves the metrics. A duplicate or broken series is logged and
// left out; the others are still served.
func (h *handler) exposition() http.Handler {
	metrics := promhttp.HandlerFor(h.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            errorLog{h.Logger},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: h.MaxRequests,
		EnableOpenMetrics:   true,
	})
	formats := append(expfmt.DefaultOpenMetricsAcceptedFormats(), text100)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// promhttp does not know text 1.0.0: it is asked for 0.0.4 instead.
		if asked := expfmt.NegotiateAccept(r.Header, formats...); strings.HasPrefix(string(asked), string(text100)) {
			r = r.Clone(r.Context())
			r.Header.Set("Accept", string(expfmt.FmtText))
			w = asText100{w, asked}
		}
		metrics.ServeHTTP(w, r)
	})
}

// asText100 renames the format of an exposition in text.
type asText100 struct {
	http.ResponseWriter
	format expfmt.Format
}

// Write implements http.ResponseWriter.
func (w asText100) Write(p []byte) (int, error) {
	if strings.HasPrefix(w.Header().Get("Content-Type"), string(expfmt.FmtText)) {
		w.Header().Set("Content-Type", string(w.format))
	}
	return w.ResponseWriter.Write(p)
}

// errorLog is promhttp's logger.
type errorLog struct{ logger log.Logger }

func (l errorLog) Println(v ...any) {
	level.Error(l.logger).Log("msg", "scrape failed in part", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}
