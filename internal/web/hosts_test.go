package web_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func TestBrowsersChangeThingsOnlyByNamesOfOurs(t *testing.T) {
	t.Parallel()
	external, err := url.Parse("https://Monitoring.Example.com:8443/vulscan")
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Lifecycle, o.ExternalURL, o.ListenAddresses = true, external, []string{"exporter.lan:10877", ":10878", "[2001:db8::1]:10877"}
	h := handler(t, o)
	local := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 10877}
	for host, ours := range map[string]bool{
		"localhost": true, "localhost:10877": true, "LOCALHOST.": true, "x.localhost:1": true, "127.0.0.1:10877": true, "127.1.2.3": true, "[::1]:10877": true, "[::1]": true,
		"monitoring.example.com": true, "monitoring.example.com:8443": true, "monitoring.example.com.:99": true,
		"exporter.lan": true, "Exporter.Lan:10877": true, "[2001:db8::1]:10877": true,
		"192.0.2.7:10877": true, "[::ffff:192.0.2.7]:10877": true,
		"rebound.example:10877": false, "example.com": false, "x.monitoring.example.com": false, "192.0.2.8:10877": false, "notlocalhost": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false, "10.0.0.1": false, "": false, ":10878": false,
	} {
		for name, headers := range map[string]http.Header{
			"origin": {"Origin": {"http://" + host}}, "fetch": {"Sec-Fetch-Site": {"same-origin"}}, "fetch none": {"Sec-Fetch-Site": {"none"}}, "curl": {},
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, local), method, "/-/reload", http.NoBody)
				r.Host, r.Header = host, headers
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				want := http.StatusOK
				if !ours && name != "curl" {
					want = http.StatusForbidden
				}
				if w.Code != want {
					t.Errorf("%s of %q, %s: %d, want %d: %s", method, host, name, w.Code, want, w.Body)
				}
			}
		}
		if got := get(h, "/-/healthy", "Sec-Fetch-Site", "same-origin"); got.Code != http.StatusOK {
			t.Errorf("reading: %d", got.Code)
		}
	}
}
