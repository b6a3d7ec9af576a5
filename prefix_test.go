package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestEverythingIsBelowTheRoutePrefix(t *testing.T) {
	t.Parallel()
	p := serve(t, "--demo", "--web.route-prefix=vulscan/", "--web.external-url=https://example.com/behind/proxy", "--web.enable-pprof")
	for _, path := range []string{"/", "/status", "/metrics", "/config", "/-/healthy", "/api/v1/status", "/debug/pprof/heap"} {
		if got := p.get("/vulscan" + path); got.status != http.StatusOK {
			t.Errorf("/vulscan%s: %d", path, got.status)
		}
		if path == "/" {
			continue
		}
		if got := p.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if page := p.get("/vulscan/").body; !strings.Contains(page, `href="/behind/proxy/status"`) {
		t.Errorf("links do not begin with the external URL's path:\n%s", page)
	}
}

func TestAnOddExternalURLIsAClearError(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--demo", "--web.external-url=example.com"}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	expectOneLine(t, stderr.String(), "--web.external-url", "https://monitoring.example.com/vulscan")
}
