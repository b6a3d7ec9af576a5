package web

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// link makes a path of ours one that others use, who may come through a proxy.
func (h *handler) link(to string) string {
	base := h.RoutePrefix
	if h.ExternalURL != nil {
		base = h.ExternalURL.Path
	}
	return strings.TrimSuffix(base, "/") + to
}

// below serves everything under the route prefix, as Prometheus does: the root, and the prefix
// itself, then lead to where others find the landing page. The prefix is compared as text: as a
// pattern it might mean something.
func (h *handler) below(prefix string, all http.Handler) http.Handler {
	if prefix == "" || prefix == "/" {
		return all
	}
	inside := http.StripPrefix(prefix, all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked := r.URL.Path; {
		case strings.HasPrefix(asked, prefix+"/"):
			inside.ServeHTTP(w, r)
		case asked == "/" || asked == prefix:
			http.Redirect(w, r, h.link("/"), http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
}

// withoutSlash leads from a page's path with a slash at its end to the page. The way is relative,
// so that it holds behind any proxy.
func withoutSlash(w http.ResponseWriter, r *http.Request) {
	to := "../" + path.Base(r.URL.Path)
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	writeText(w, http.StatusFound, "the page is where the path has no slash at its end\n")
}

// plainPath is a path that means the same as a pattern, in HTML and in a URL.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// PlainPath says whether a path has a slash before each of its parts, none at its end, and nothing
// in it that a URL escapes or that stands for another path.
func PlainPath(given string) bool { return plainPath.MatchString(given) && path.Clean(given) == given }

// CheckTelemetryPath refuses a path for the metrics that is not plain, or is another page's.
func CheckTelemetryPath(telemetry string) error {
	taken := []string{"/", "/status", "/status/server", "/api/v1/status", "/api/v1/status/server", "/config", "/sd", "/-/healthy", "/-/ready", "/-/reload"}
	switch {
	case !strings.HasPrefix(telemetry, "/"):
		return fmt.Errorf("--web.telemetry-path=%q: it must begin with /", telemetry)
	case slices.Contains(taken, telemetry) || strings.HasPrefix(telemetry, "/debug/pprof"):
		return fmt.Errorf("--web.telemetry-path=%q: another page is there; use /metrics", telemetry)
	case !PlainPath(telemetry):
		return fmt.Errorf("--web.telemetry-path=%q: it must be a plain path such as /metrics", telemetry)
	}
	return nil
}
