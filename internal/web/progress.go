package web

import (
	"net/http"
	"time"
)

const (
	// stuckAfter is how long a client may take to read writeChunk bytes of an answer.
	stuckAfter = 30 * time.Second
	// writeChunk bytes of an answer are written at a time.
	writeChunk = 32 << 10
)

// progressing ends the answer to a client that has stopped reading it, and lets one that reads
// slowly take its time.
func progressing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&progressWriter{w, http.NewResponseController(w)}, r)
	})
}

// progressWriter moves the deadline of an answer before each of its chunks.
type progressWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (w *progressWriter) Write(p []byte) (int, error) {
	for written := 0; ; {
		_ = w.control.SetWriteDeadline(time.Now().Add(stuckAfter)) // fails only where there is no connection
		n, err := w.ResponseWriter.Write(p[written:min(len(p), written+writeChunk)])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *progressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
