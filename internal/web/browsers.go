package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxBodyBytes bounds what a request may send: only profiles read it, and little.
const maxBodyBytes = 64 << 10

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
