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

// below serves everything under the route prefix, as Prometheus does: the root,
// and the prefix itself, then lead to where others find the landing page. The
// prefix is compared as text: as a pattern it might mean something.
func (h *handler) below(prefix string, all http.Handler) http.Handler {
	if prefix == "" || prefix == "/" {
		return all
	}
	inside := http.StripPrefix(prefix, all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, prefix+"/"):
			inside.ServeHTTP(w, r)
		case path == "/" || path == prefix:
			http.Redirect(w, r, h.link("/"), http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
}
