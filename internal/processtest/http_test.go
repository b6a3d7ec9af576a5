package processtest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestPathsAnswer(t *testing.T) {
	t.Parallel()
	c := simulated(t, testFleet(2))
	account := accountFile{name: "production", endpoint: c.url, servers: testFleet(2).Servers()}
	p := Serve(t, "--config.file="+configured(t, account))
	p.UntilReady()
	for name, want := range map[string]struct {
		method, path string
		status       int
		kind, body   string
	}{
		"landing page":          {"GET", "/", 200, "text/html", `<bdi>production</bdi></th><td data-label="ok" class="n">2</td>`},
		"status":                {"GET", "/status", 200, "text/html", "Servers: 2"},
		"server's status":       {"GET", "/status/server?account=production&uuid=" + testFleet(2).Servers()[0].UUID, 200, "text/html", "Last changes"},
		"status as JSON":        {"GET", "/api/v1/status", 200, "application/json", `"total":2`},
		"metrics":               {"GET", "/metrics", 200, "text/plain", "aliyun_vulscan_server_up{"},
		"configuration":         {"GET", "/config", 200, "text/yaml", "access_key_id: <secret>"},
		"healthy":               {"GET", "/-/healthy", 200, "text/plain", "healthy"},
		"ready":                 {"GET", "/-/ready", 200, "text/plain", "ready: 2 servers"},
		"head":                  {"HEAD", "/-/healthy", 200, "text/plain", ""},
		"unknown":               {"GET", "/nothing", 404, "", ""},
		"below metrics":         {"GET", "/metrics/x", 404, "", ""},
		"below healthy":         {"GET", "/-/healthy/x", 404, "", ""},
		"profiles without flag": {"GET", "/debug/pprof/", 404, "", ""}, // needs --web.enable-pprof
		"reload without flag":   {"POST", "/-/reload", 403, "text/plain", "--web.enable-lifecycle"},
		"put without flag":      {"PUT", "/-/reload", 403, "text/plain", "SIGHUP"},
		"get of reload":         {"GET", "/-/reload", 405, "", ""},
		"post to metrics":       {"POST", "/metrics", 405, "", ""},
		"delete":                {"DELETE", "/config", 405, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.Request(want.method, want.path)
			if got.Status != want.status || !strings.Contains(got.Body, want.body) {
				t.Errorf("%d, want %d with %q:\n%.500s", got.Status, want.status, want.body, got.Body)
			}
			if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, want.kind) {
				t.Errorf("Content-Type %s, want %s", kind, want.kind)
			}
		})
	}
}

func TestReadinessTellsTheProgressUntilEveryServerWasPolled(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	servers := testFleet(3).Servers()
	c := newCenter(t, simulator.New(simulator.Options{
		Accounts: []simulator.Account{testAccount(testFleet(3))},
		Intercept: func(_ http.ResponseWriter, r *simulator.Request) bool {
			if r.UUID == servers[1].UUID {
				select {
				case <-release:
				case <-r.HTTP.Context().Done():
				}
			}
			return false
		},
	}))
	p := Serve(t, "--config.file="+configured(t, accountFile{name: "a", endpoint: c.url, servers: servers, more: "    timeout: 1h\n"}))
	p.Until("two servers were polled", func() bool {
		got := p.Get("/-/ready")
		if got.Status != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		return got.Body == "not ready: 2 of 3 servers were polled\n"
	})
	if got := p.Get("/metrics"); got.Status != http.StatusOK || !strings.Contains(got.Body, `aliyun_vulscan_servers{account="a",state="pending"} 1`) {
		t.Errorf("a scrape waits for the API: %d", got.Status)
	}
	close(release)
	p.UntilReady()
}

func TestExpositionComesAsTheClientAsks(t *testing.T) {
	t.Parallel()
	c := simulated(t, testFleet(2))
	p := Serve(t, "--config.file="+configured(t, accountFile{name: "a", endpoint: c.url, servers: testFleet(2).Servers()}))
	p.UntilReady()
	const protobuf = "application/vnd.google.protobuf"
	for name, c := range map[string]struct{ accept, kind, end string }{
		"nothing":    {"", "text/plain; version=0.0.4", ""},
		"anything":   {"*/*", "text/plain; version=0.0.4", ""},
		"text 0.0.4": {"text/plain;version=0.0.4", "text/plain; version=0.0.4", ""},
		"text 1.0.0": {"text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0", ""},
		"open":       {"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0", "\n# EOF\n"},
		"protobuf":   {protobuf + ";proto=io.prometheus.client.MetricFamily;encoding=delimited", protobuf, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.Request(http.MethodGet, "/metrics", "Accept", c.accept)
			kind := got.Header.Get("Content-Type")
			if got.Status != http.StatusOK || !strings.HasPrefix(kind, c.kind) || !strings.HasSuffix(got.Body, c.end) {
				t.Fatalf("%d %s, want %s:\n%.200s", got.Status, kind, c.kind, got.Body)
			}
			if c.end != "" { // no decoder of OpenMetrics is at hand
				return
			}
			found := Decode(t, got.Body, expfmt.ResponseFormat(got.Header)).Of("aliyun_vulscan_server_up", `account="a"`)
			if len(found) != 2 || found.Sum() != 2 {
				t.Errorf("got %v", found)
			}
		})
	}
}

func TestExpositionIsCompressedIfAsked(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo")
	plain := p.Request(http.MethodGet, "/metrics", "Accept-Encoding", "identity")
	if encoding := plain.Header.Get("Content-Encoding"); encoding != "" {
		t.Errorf("unasked: %s", encoding)
	}
	packed := p.Request(http.MethodGet, "/metrics", "Accept-Encoding", "gzip")
	if encoding := packed.Header.Get("Content-Encoding"); encoding != "gzip" || len(packed.Body) >= len(plain.Body) {
		t.Errorf("%q, %d bytes of %d", encoding, len(packed.Body), len(plain.Body))
	}
	z, err := gzip.NewReader(strings.NewReader(packed.Body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !strings.Contains(string(text), "aliyun_vulscan_servers") {
		t.Errorf("%v: %.200s", err, text)
	}
}

func TestProfilesAreServedIfEnabled(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.enable-pprof")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol"} {
		if got := p.Get(path); got.Status != http.StatusOK {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	if page := p.Get("/").Body; !strings.Contains(page, "debug/pprof/heap") {
		t.Error("the landing page does not link to the profiles")
	}
}
