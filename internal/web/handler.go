package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/pprof"
	"net/url"
	"runtime"
	"sync/atomic"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
)

// Options configure the handler. All functions must be safe for concurrent use.
type Options struct {
	// Scrape returns the metrics of accounts, servers and subtasks, and Others gathers all other
	// metrics.
	Scrape func(expose.Encoding) *expose.Scrape
	Others prometheus.Gatherer
	// Overview tells what is known of every server and subtask.
	Overview func() *collector.Overview
	// Targets returns the watched servers.
	Targets func() []collector.Target
	// ScrubbedConfig returns the running configuration without secrets, as YAML.
	ScrubbedConfig func() ([]byte, error)
	// Reload loads the configuration anew, or changes nothing.
	Reload func() error
	// RoutePrefix is the path that all paths are below; empty or "/": none.
	RoutePrefix string
	// ExternalURL is where others find the route prefix; nil: where it is.
	ExternalURL *url.URL
	// ListenAddresses are those of the command line; Serve sets them.
	ListenAddresses []string
	// TelemetryPath is where the exposition is, such as /metrics.
	TelemetryPath string
	// MaxRequests bounds concurrent scrapes; 0 is no bound.
	MaxRequests int
	// Lifecycle allows /-/reload, Pprof serves /debug/pprof/.
	Lifecycle, Pprof bool
	// Version is shown on the landing page.
	Version string
	Logger  log.Logger
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
	metrics := expose.Handler(expose.Options{Scrape: o.Scrape, Others: o.Others, Failed: h.scrapeFailed})
	if o.MaxRequests > 0 {
		metrics = atMost(o.MaxRequests, ", or raise --web.max-requests")(metrics)
	}
	page(o.TelemetryPath, metrics)
	// Few pages are rendered at a time, so that however many people look at them, polls find a
	// processor.
	turns := limiter(max(1, runtime.GOMAXPROCS(0)/2), maxWaiting, "too many pages are asked for at once: try again in a second")
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
	if err != nil {
		send(w, r, http.StatusInternalServerError, plain, []byte("the configuration cannot be shown\n"))
		return
	}
	send(w, r, http.StatusOK, "text/yaml; charset=utf-8", text)
}

// readiness says whether every server was polled once, or tried.
func (h *handler) readiness(w http.ResponseWriter, _ *http.Request) {
	waiting, servers, lists, idle := 0, 0, 0, []byte(nil)
	for _, a := range h.Overview().Accounts {
		if why := a.Idle(); why != "" {
			idle = fmt.Appendf(idle, "account %q: %s\n", a.Name, why)
		}
		toPoll, toRead := a.Unfinished()
		waiting, servers, lists = waiting+toPoll, servers+a.Servers(), lists+toRead
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

// scrapeFailed logs what could not be exposed.
func (h *handler) scrapeFailed(err error) {
	level.Error(h.Logger).Log("msg", "scrape failed in part", "err", err)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", plain)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
