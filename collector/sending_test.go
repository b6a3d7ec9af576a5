package collector_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"aliyun_vulscan_exporter/collector"
)

// More pieces than the system takes at once, by every way that text goes.
func TestTextIsTheSameHoweverItIsSent(t *testing.T) {
	t.Parallel()
	const path = "/metrics?name[]=aliyun_vulscan_subtask_status&name[]=aliyun_vulscan_server_up"
	h := exporter(t, collector.NewLargeFleet(20_000))
	recorded := httptest.NewRecorder()
	h.ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	want := recorded.Body.String()
	for name, way := range map[string]struct {
		method    string
		encrypted bool
		http2     bool
	}{
		"plain":            {http.MethodGet, false, false},
		"only the headers": {http.MethodHead, false, false},
		"TLS":              {http.MethodGet, true, false},
		"HTTP/2":           {http.MethodGet, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(h)
			server.EnableHTTP2 = way.http2
			if way.encrypted {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			for range 2 { // on the same connection
				r, err := http.NewRequestWithContext(t.Context(), way.method, server.URL+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Accept-Encoding", "identity")
				resp, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || way.method == http.MethodGet && string(got) != want {
					t.Errorf("%d bytes, which are not the %d wanted: %v", len(got), len(want), err)
				}
				if size := resp.Header.Get("Content-Length"); size != strconv.Itoa(len(want)) {
					t.Errorf("Content-Length %s, want %d", size, len(want))
				}
				if wantHTTP2 := resp.ProtoMajor == 2; wantHTTP2 != way.http2 {
					t.Errorf("answered in %s", resp.Proto)
				}
			}
		})
	}
}
