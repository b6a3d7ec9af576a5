package web

import (
	"net/http"
	"strings"
)

// link makes a path of ours one that others use, who may come through a proxy.
func (h *handler) link(path string) string {
	base := h.RoutePrefix
	if h.ExternalURL != nil {
		base = h.ExternalURL.Path
	}
	return strings.TrimSuffix(base, "/") + path
}

// below serves everything under the route prefix, as Prometheus does: the root
// then leads to where others find it.
func (h *handler) below(prefix string, all http.Handler) http.Handler {
	if prefix == "" || prefix == "/" {
		return all
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, all))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, h.link("/"), http.StatusFound)
	})
	return mux
}
