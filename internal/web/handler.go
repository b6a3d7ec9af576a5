package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/pprof"
	"net/url"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
)

// Options configure the handler. All functions must be safe for concurrent use.
type Options struct {
	Scrape           func(expose.Encoding) *expose.Scrape // metrics of accounts, servers and subtasks
	Others           prometheus.Gatherer                  // all other metrics
	Overview         func() *collector.Overview           // what is known of every server and subtask
	Targets          func() []collector.Target            // the watched servers
	ScrubbedConfig   func() ([]byte, error)               // the running configuration as YAML, without secrets
	Reload           func() error                         // loads the configuration anew, or changes nothing
	RoutePrefix      string                               // what all paths are below; empty or "/": nothing
	ExternalURL      *url.URL                             // where others find the route prefix; nil: where it is
	ListenAddresses  []string                             // of the command line; Serve sets them
	TelemetryPath    string                               // where the exposition is, such as /metrics
	MaxRequests      int                                  // bounds concurrent scrapes; 0: no bound
	Lifecycle, Pprof bool                                 // allow /-/reload, serve /debug/pprof/
	Version          string                               // for the landing page
	Logger           log.Logger
}

// handler is the state behind the paths.
type handler struct {
	Options
	pages map[string]*template.Template
	ready atomic.Bool // once ready, always ready
}

// New makes the handler of all paths. It fails if the telemetry path cannot be served.
func New(o Options) (http.Handler, error) {
	if err := CheckTelemetryPath(o.TelemetryPath); err != nil {
		return nil, err
	}
	h := &handler{Options: o}
	h.pages = h.newPages()
	mux := http.NewServeMux()
	page := func(path string, serve http.Handler) {
		mux.Handle("GET "+path, serve)
		mux.HandleFunc("GET "+path+"/{$}", withoutSlash)
	}
	metrics := expose.Handler(expose.Options{Scrape: o.Scrape, Others: o.Others, Failed: func(err error) {
		level.Error(o.Logger).Log("msg", "scrape failed in part", "err", err)
	}})
	if o.MaxRequests > 0 {
		metrics = atMost(o.MaxRequests, ", or raise --web.max-requests")(metrics)
	}
	page(o.TelemetryPath, metrics)
	// Few pages are rendered at a time, so that however many people look at them, polls find a
	// processor.
	turns := inTurn(max(1, runtime.GOMAXPROCS(0)/2), maxWaiting, "too many pages are asked for at once: try again in a second")
	mux.Handle("GET /{$}", turns(http.HandlerFunc(h.landing)))
	page("/status", turns(http.HandlerFunc(h.status)))
	page("/status/server", turns(http.HandlerFunc(h.server)))
	page("/api/v1/status", turns(http.HandlerFunc(h.apiStatus)))
	page("/api/v1/status/server", turns(http.HandlerFunc(h.apiServer)))
	page("/config", http.HandlerFunc(h.config))
	page("/sd", atMost(maxLists, "")(http.HandlerFunc(h.targets)))
	page("/-/healthy", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "healthy\n")
	}))
	page("/-/ready", http.HandlerFunc(h.readiness))
	mux.HandleFunc("POST /-/reload", h.reload)
	mux.HandleFunc("PUT /-/reload", h.reload)
	if o.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	// A page on another site must not be able to make a browser reload us.
	ours := guarded(o.ExternalURL, o.ListenAddresses, h.below(o.RoutePrefix, mux))
	return secure(style, http.NewCrossOriginProtection().Handler(ours)), nil
}

func (h *handler) config(w http.ResponseWriter, r *http.Request) {
	text, err := h.ScrubbedConfig()
	send(w, r, http.StatusOK, "text/yaml; charset=utf-8", text, err)
}

// readiness says whether every server was polled once, or tried.
func (h *handler) readiness(w http.ResponseWriter, _ *http.Request) {
	waiting, servers, lists, idle := 0, 0, 0, []byte(nil)
	for _, a := range h.Overview().Accounts {
		if why := a.Idle(); why != "" {
			idle = fmt.Appendf(idle, "account %q: %s\n", a.Name, why)
		}
		servers += a.Servers()
		if !a.Refused { // else it is not polled
			waiting, lists = waiting+a.Waiting, lists+a.Unread
		}
	}
	if waiting+lists == 0 {
		h.ready.Store(true)
	}
	if h.ready.Load() {
		writeText(w, http.StatusOK, fmt.Sprintf("ready: %d servers are watched\n%s", servers, idle))
		return
	}
	text := fmt.Sprintf("not ready: %d of %d servers were polled\n", servers-waiting, servers)
	if lists > 0 {
		text += fmt.Sprintf("%d lists of servers or tasks are still to be read\n", lists)
	}
	writeText(w, http.StatusServiceUnavailable, text)
}

func (h *handler) reload(w http.ResponseWriter, _ *http.Request) {
	if !h.Lifecycle {
		writeText(w, http.StatusForbidden, "reload over HTTP is off: start with --web.enable-lifecycle, or send SIGHUP\n")
		return
	}
	if err := h.Reload(); err != nil {
		writeText(w, http.StatusInternalServerError, "not reloaded, the configuration before stays in effect:\n"+err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, "reloaded\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", plain)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// link makes a path of ours one that others use, who may come through a proxy.
func (h *handler) link(to string) string {
	base := h.RoutePrefix
	if h.ExternalURL != nil {
		base = h.ExternalURL.Path
	}
	return strings.TrimSuffix(base, "/") + to
}

// below serves everything under the route prefix, as Prometheus does: the root, and the prefix
// itself, then lead to where others find the landing page. A ServeMux would lead other spellings of
// a path elsewhere, past any proxy's prefix.
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
