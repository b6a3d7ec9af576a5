package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// hosts are the names by which a browser may ask for changes. A page of another site can have its
// own name resolved to us, and is then of the same origin.
type hosts struct {
	external string          // host name of the external URL; empty: none
	listen   map[string]bool // host names of listen addresses
}

func newHosts(external *url.URL, addresses []string) hosts {
	h := hosts{listen: make(map[string]bool)}
	if external != nil {
		h.external = hostName(external.Host)
	}
	for _, address := range addresses {
		h.listen[hostName(address)] = true
	}
	delete(h.listen, "") // every interface
	return h
}

// guard refuses requests of browsers that change something, unless they ask for a host of ours.
// Others may call us as they like: they do what they are told, not what a page tells them.
func (h hosts) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		browser := len(r.Header.Values("Origin"))+len(r.Header.Values("Sec-Fetch-Site")) > 0
		if !reads && browser && !h.ours(r) {
			writeText(w, http.StatusForbidden, "this host name is not known as the exporter's: start with --web.external-url\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours says whether a request is for the external URL's host, a loopback or a listen address, be it
// that of the connection where we listen on all.
func (h hosts) ours(r *http.Request) bool {
	name := hostName(r.Host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || name != "" && name == h.external || h.listen[name] {
		return true
	}
	address, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return address.IsLoopback() || local != nil && local.AddrPort().Addr().Unmap() == address.Unmap()
}

// hostName returns the name or address in HOST[:PORT], in lower case.
func hostName(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.Trim(hostPort, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
