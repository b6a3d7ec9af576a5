package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	maxLists     = 4                // answers of /sd under way: each holds all servers
	maxWaiting   = 200              // requests that wait for a page, or for all of it
	maxBodyBytes = 64 << 10         // of a request: only profiles read one, and little
	stuckAfter   = 30 * time.Second // how long a client may take to read writeChunk bytes of an answer
	writeChunk   = 32 << 10         // bytes of an answer that are written at a time
)

// bounded lets handlers serve so many requests at a time, and answers all others 503 with a text.
func bounded(limit int, text string) func(http.Handler) http.Handler {
	places := make(chan struct{}, limit)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "1")
				http.Error(w, text, http.StatusServiceUnavailable)
			}
		})
	}
}

// atMost is bounded with a text that says the limit, and what to do besides trying again.
func atMost(limit int, advice string) func(http.Handler) http.Handler {
	return bounded(limit, fmt.Sprintf("%d such requests are being served, which is the limit: try again later%s", limit, advice))
}

// inTurn lets handlers make so many answers at a time, while so many other requests wait for their
// turn or are sent their answer. A turn ends before that: who reads slowly keeps nobody waiting.
func inTurn(making, others int, text string) func(http.Handler) http.Handler {
	turns, most := make(chan struct{}, making), bounded(making+others, text)
	return func(next http.Handler) http.Handler {
		return most(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			made := &heldWriter{w, http.StatusOK, bytes.Buffer{}}
			select {
			case turns <- struct{}{}:
				func() {
					defer func() { <-turns }()
					next.ServeHTTP(made, r)
				}()
				w.WriteHeader(made.status)
				_, _ = w.Write(made.body.Bytes())
			case <-r.Context().Done():
			}
		}))
	}
}

// heldWriter holds back an answer.
type heldWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (w *heldWriter) WriteHeader(status int) { w.status = status }

// Write implements io.Writer.
func (w *heldWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

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

// secure sets the headers that keep browsers from doing anything with an answer but show it, in one
// style and no other, and bounds the request's body.
func secure(style string, next http.Handler) http.Handler {
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		next.ServeHTTP(w, r)
	})
}

// guarded refuses requests of browsers that change something, unless they ask for the host of the
// external URL, a loopback or a listen address, be it that of the connection where we listen on
// all: a page of another site can have its own name resolved to us, and is then of the same origin.
// Others may call us as they like: they do what they are told, not what a page tells them.
func guarded(external *url.URL, listening []string, next http.Handler) http.Handler {
	names := make(map[string]bool)
	if external != nil {
		names[hostName(external.Host)] = true
	}
	for _, address := range listening {
		names[hostName(address)] = true
	}
	delete(names, "") // every interface
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		browser := len(r.Header.Values("Origin"))+len(r.Header.Values("Sec-Fetch-Site")) > 0
		if !reads && browser && !names[hostName(r.Host)] && !isLocal(r) {
			http.Error(w, "this host name is not known as the exporter's: start with --web.external-url", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal reports whether a request is for a loopback, or for the address that it came to.
func isLocal(r *http.Request) bool {
	name := hostName(r.Host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(name)
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return err == nil && (address.IsLoopback() || local != nil && local.AddrPort().Addr().Unmap() == address.Unmap())
}

// hostName returns the name or address in HOST[:PORT], in lower case.
func hostName(hostPort string) string {
	return strings.TrimSuffix(strings.ToLower((&url.URL{Host: hostPort}).Hostname()), ".")
}
