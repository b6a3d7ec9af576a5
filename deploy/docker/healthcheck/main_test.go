package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		status, want int
	}{
		{"healthy", http.StatusOK, 0},
		{"asks for a password", http.StatusUnauthorized, 0},
		{"not ready", http.StatusServiceUnavailable, 1},
		{"something else", http.StatusNotFound, 1},
		{"elsewhere", http.StatusFound, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/-/healthy" { // where a followed redirect would end
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			})
			plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
			defer plain.Close()
			defer secure.Close()
			for _, url := range []string{plain.URL, secure.URL} {
				var stderr bytes.Buffer
				if got := run([]string{"--url=" + url + "/-/healthy"}, &stderr); got != c.want {
					t.Errorf("%s: exit code %d, want %d: %s", url, got, c.want, &stderr)
				}
				if said := stderr.Len() > 0; said != (c.want == 1) {
					t.Errorf("%s: on stderr: %q", url, &stderr)
				}
			}
		})
	}
}

func TestSilenceIsUnhealthy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var stderr bytes.Buffer
	if got := run([]string{"--url=http://" + l.Addr().String(), "--timeout=50ms"}, &stderr); got != 1 {
		t.Errorf("exit code %d", got)
	}
	if !strings.Contains(stderr.String(), "deadline exceeded") {
		t.Errorf("on stderr: %s", &stderr)
	}
}

func TestMistakesAreUnhealthy(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--url=:", "--url=ftp://127.0.0.1/", "--timeout=soon", "--nothing"} {
		var stderr bytes.Buffer
		if got := run([]string{flag}, &stderr); got != 1 || stderr.Len() == 0 {
			t.Errorf("%s: exit code %d, on stderr: %q", flag, got, &stderr)
		}
	}
}
