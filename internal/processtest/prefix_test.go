package processtest

import (
	"net/http"
	"strings"
	"testing"
)

func TestEverythingIsBelowTheRoutePrefix(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.route-prefix=vulscan/", "--web.external-url=https://example.com/behind/proxy", "--web.enable-pprof")
	for _, path := range []string{"/", "/vulscan"} { // the client follows where they lead, but nobody is at example.com
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if where := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || where != "/behind/proxy/" {
			t.Errorf("%s: %d to %q", path, resp.StatusCode, where)
		}
	}
	for _, path := range []string{"/../status", "/nothing", "/nothing/"} {
		if got := p.Get("/vulscan" + path); got.Status != http.StatusNotFound {
			t.Errorf("/vulscan%s: %d", path, got.Status)
		}
	}
	for _, path := range []string{"/", "/status", "//status", "/metrics", "/config", "/-/healthy", "/api/v1/status", "/debug/pprof/heap"} {
		if got := p.Get("/vulscan" + path); got.Status != http.StatusOK {
			t.Errorf("/vulscan%s: %d", path, got.Status)
		}
		if path == "/" {
			continue
		}
		if got := p.Get(path); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	if page := p.Get("/vulscan/").Body; !strings.Contains(page, `href="/behind/proxy/status"`) {
		t.Errorf("links do not begin with the external URL's path:\n%s", page)
	}
}
