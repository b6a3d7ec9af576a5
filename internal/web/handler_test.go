package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/web"
)

// options are those of a handler over an empty exporter.
func options() web.Options {
	return web.Options{
		Scrape:         collector.New(scan.NewStore(), scan.NewClock(time.Now)).Scrape,
		Others:         prometheus.NewRegistry(),
		Overview:       func() *collector.Overview { return &collector.Overview{} },
		Targets:        func() []collector.Target { return nil },
		ScrubbedConfig: func() ([]byte, error) { return []byte("accounts: []\n"), nil },
		Reload:         func() error { return nil },
		TelemetryPath:  "/metrics",
		Logger:         log.NewNopLogger(),
	}
}

// account is how an account fares.
func account(name string, totals scan.Totals, refused bool) collector.AccountOverview {
	return collector.AccountOverview{
		Name: name, OK: totals.OK, Failing: totals.Failing, Pending: totals.Pending, Waiting: totals.Waiting, Refused: refused, Accepted: totals.OK > 0,
	}
}

func all(accounts ...collector.AccountOverview) []collector.AccountOverview { return accounts }

func handler(t *testing.T, o web.Options) http.Handler {
	t.Helper()
	h, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask makes a request; headers come as name and value in turn.
func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	return ask(h, http.MethodGet, path, headers...)
}

func TestReadinessIsALatch(t *testing.T) {
	t.Parallel()
	var now []collector.AccountOverview
	o := options()
	o.Overview = func() *collector.Overview { return &collector.Overview{Accounts: now} }
	h := handler(t, o)
	for _, step := range []struct {
		name     string
		accounts []collector.AccountOverview
		status   int
		body     string
	}{
		{"nothing polled", all(account("", scan.Totals{Pending: 2, Waiting: 2}, false), account("", scan.Totals{Pending: 1, Waiting: 1}, false)), 503, "not ready: 0 of 3 servers were polled\n"},
		{"one account polled", all(account("", scan.Totals{OK: 1, Failing: 1}, false), account("", scan.Totals{Pending: 1, Waiting: 1}, false)), 503, "not ready: 2 of 3 servers were polled\n"},
		{"refused accounts are not waited for", all(account("", scan.Totals{OK: 2}, false), account("", scan.Totals{Failing: 1}, true)), 200, "ready: 3 servers are watched\n"},
		{"a reload adds servers", all(account("", scan.Totals{OK: 2, Pending: 5, Waiting: 5}, false)), 200, "ready: 7 servers are watched\n"},
	} {
		now = step.accounts
		if got := get(h, "/-/ready"); got.Code != step.status || got.Body.String() != step.body {
			t.Errorf("%s: %d %s", step.name, got.Code, got.Body)
		}
	}
}

func TestReadinessWithoutServersIsAtOnce(t *testing.T) {
	t.Parallel()
	if got := get(handler(t, options()), "/-/ready"); got.Code != http.StatusOK {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestReloadAnswersWithWhatCameOfIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lifecycle bool
		err       error
		method    string
		status    int
		body      string
		reloads   int
	}{
		"succeeds by POST": {true, nil, "POST", 200, "reloaded\n", 1},
		"succeeds by PUT":  {true, nil, "PUT", 200, "reloaded\n", 1},
		"fails":            {true, errors.New("vulscan.yml:1: <b>\nvulscan.yml:2: y"), "POST", 500, "not reloaded, the configuration before stays in effect:\nvulscan.yml:1: <b>\nvulscan.yml:2: y\n", 1},
		"is off":           {false, nil, "POST", 403, "reload over HTTP is off: start with --web.enable-lifecycle, or send SIGHUP\n", 0},
		"by GET":           {true, nil, "GET", 405, "Method Not Allowed\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reloads := 0
			o := options()
			o.Lifecycle, o.Reload = c.lifecycle, func() error { reloads++; return c.err }
			got := ask(handler(t, o), c.method, "/-/reload")
			if got.Code != c.status || got.Body.String() != c.body || reloads != c.reloads {
				t.Errorf("%d %s, after %d reloads", got.Code, got.Body, reloads)
			}
			if kind := got.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("an error is no page: %s", kind)
			}
			if got.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("a browser may take it for a page")
			}
		})
	}
}

func TestReloadFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	o := options()
	o.Lifecycle, o.Reload = true, func() error { t.Error("reloaded"); return nil }
	h := handler(t, o)
	for name, headers := range map[string][]string{
		"origin": {"Origin", "http://evil.example"}, "opaque": {"Origin", "null"}, "fetch": {"Sec-Fetch-Site", "cross-site"},
	} {
		if got := ask(h, http.MethodPost, "/-/reload", headers...); got.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
}

func TestConfigurationIsShownOrItsErrorIsNot(t *testing.T) {
	t.Parallel()
	o := options()
	if got := get(handler(t, o), "/config"); got.Code != http.StatusOK || got.Body.String() != "accounts: []\n" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	o.ScrubbedConfig = func() ([]byte, error) { return []byte("half"), errors.New("cannot marshal hush-hush") }
	got := get(handler(t, o), "/config")
	if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "hush") || strings.Contains(got.Body.String(), "half") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestTelemetryPathIsServedOrRefused(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"/metrics": true, "/a/b.c/d-e_f~g": true, "/config2": true, "/-/metrics": true, "/debug": true,
		"": false, "metrics": false, "http://x/metrics": false, "/": false, "/metrics/": false, "//": false, "/a//b": false,
		"/.": false, "/..": false, "/a/../b": false, "/./a": false, "/a/..": false, "/{name}": false, "/{$}": false, "/a{": false,
		"/a b": false, "/a\tb": false, "/a\nb": false, "/a\rb": false, "/a?b": false, "/a#b": false, "/a%20b": false, "/a%zz": false,
		"/é": false, "/\xff": false, `/"><script>`: false, "/config": false, "/-/ready": false, "/-/healthy": false, "/-/reload": false,
		"/debug/pprof": false, "/debug/pprof/heap": false,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := options()
			o.TelemetryPath, o.Pprof = path, true
			h, err := web.New(o)
			if ok != (err == nil) {
				t.Fatalf("%v", err)
			}
			if ok && get(h, path).Code != http.StatusOK {
				t.Error("not served")
			}
			if !ok && !strings.HasPrefix(err.Error(), "--web.telemetry-path=") {
				t.Errorf("it does not name the flag: %v", err)
			}
		})
	}
}

func FuzzTelemetryPath(f *testing.F) {
	for _, seed := range []string{"/metrics", "/a/../b", "/{x}", "//", "/é", "GET /x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		o := options()
		o.TelemetryPath = path
		h, err := web.New(o) // panics on a pattern that cannot be
		if err == nil && get(h, path).Code != http.StatusOK {
			t.Errorf("%q is accepted and not served", path)
		}
	})
}
