package web

import (
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"

	"aliyun_vulscan_exporter/collector/expose"
)

// packer gzips answers for clients that take gzip. The exposition does not need it: that compresses
// itself.
type packer struct{ writers sync.Pool }

func newPacker() *packer {
	return &packer{sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for a level that there is not
		return w
	}}}
}

// pack gzips what a handler answers.
func (p *packer) pack(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !expose.AcceptsGzip(r.Header) {
			next(w, r)
			return
		}
		to := p.writers.Get().(*gzip.Writer)
		defer p.writers.Put(to)
		packed := &packedWriter{ResponseWriter: w, to: to}
		next(packed, r)
		if packed.begun {
			_ = to.Close() // an error is the client's: it has gone, or reads too slowly
		}
		to.Reset(nil) // lets go of the answer
	})
}

// packedWriter gzips the body of an answer.
type packedWriter struct {
	http.ResponseWriter
	to    *gzip.Writer
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *packedWriter) WriteHeader(status int) {
	if !w.begun {
		w.begun = true
		w.to.Reset(w.ResponseWriter)
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *packedWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.to.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *packedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
