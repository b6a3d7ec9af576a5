package web

import (
	"fmt"
	"net/http"
	"time"
)

const (
	maxLists   = 4                // answers of /sd under way: each holds all servers
	maxWaiting = 200              // requests that wait for a page
	stuckAfter = 30 * time.Second // how long a client may take to read writeChunk bytes of an answer
	writeChunk = 32 << 10         // bytes of an answer that are written at a time
)

// limiter lets handlers serve so many requests at a time. So many others wait for their turn, and
// all that come then are answered 503 with a text.
func limiter(serving, waiting int, text string) func(http.Handler) http.Handler {
	places, turns := make(chan struct{}, serving+waiting), make(chan struct{}, serving)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			default:
				w.Header().Set("Retry-After", "1")
				http.Error(w, text, http.StatusServiceUnavailable)
				return
			}
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

// atMost is a limiter that lets nobody wait. advice says what to do besides trying again.
func atMost(limit int, advice string) func(http.Handler) http.Handler {
	return limiter(limit, 0, fmt.Sprintf("%d such requests are being served, which is the limit: try again later%s", limit, advice))
}

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
