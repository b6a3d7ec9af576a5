package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func unpacked(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPagesAreGzippedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 120)
	for _, path := range []string{
		"/", "/status", "/status?page=x", "/status/server?account=main&uuid=" + list[2].UUID, "/status/server", "/api/v1/status?limit=500",
		"/api/v1/status?page=x", "/api/v1/status/server?account=main&uuid=" + list[2].UUID, "/api/v1/status/server", "/config", "/sd",
	} {
		plain, packed := get(h, path), get(h, path, "Accept-Encoding", "gzip, deflate, br")
		if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %q and %q", path, plain.Header().Get("Content-Encoding"), packed.Header().Get("Content-Encoding"))
			continue
		}
		text := unpacked(t, packed.Body.Bytes())
		if plain.Code != packed.Code || plain.Header().Get("Content-Type") != packed.Header().Get("Content-Type") || len(text) != plain.Body.Len() {
			t.Errorf("%s: %d and %d, %d and %d bytes", path, plain.Code, packed.Code, plain.Body.Len(), len(text))
		}
		if len(text) > 5000 && packed.Body.Len() > len(text)/2 {
			t.Errorf("%s: %d bytes are packed into %d", path, len(text), packed.Body.Len())
		}
		for _, got := range []http.Header{plain.Header(), packed.Header()} {
			if got.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: a cache may mix them up: %v", path, got)
			}
		}
	}
}

func TestGzipIsNotForced(t *testing.T) {
	t.Parallel()
	h := handler(t, options())
	for accept, want := range map[string]string{
		"gzip": "gzip", "GZIP;q=0.5": "gzip", "*": "gzip", "br, gzip;q=0.1": "gzip",
		"gzip;q=0": "", "gzip;q=0, *": "", "identity": "", "br": "", "*;q=0": "",
	} {
		if got := get(h, "/status", "Accept-Encoding", accept).Header().Get("Content-Encoding"); got != want {
			t.Errorf("%s: %q", accept, got)
		}
	}
}

func TestTheExpositionIsGzippedOnce(t *testing.T) {
	t.Parallel()
	o, registry := options(), prometheus.NewRegistry()
	registry.MustRegister(gauges{gauge("good", 1)})
	o.Others = registry
	got := get(handler(t, o), "/metrics", "Accept-Encoding", "gzip")
	if text := string(unpacked(t, got.Body.Bytes())); len(got.Header().Values("Content-Encoding")) != 1 || !strings.HasSuffix(text, "\ngood 1\n") {
		t.Errorf("%v: %.100q", got.Header(), text)
	}
}

// A packer's writers are used again and again.
func TestGzippedPagesDoNotMix(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 8)
	page := func(uuid string) string {
		return string(unpacked(t, get(h, "/status/server?account=main&uuid="+uuid, "Accept-Encoding", "gzip").Body.Bytes()))
	}
	for range 5 {
		for _, s := range list[2:] {
			if text := page(s.UUID); !strings.Contains(text, s.UUID) || strings.Count(text, "</html>") != 1 {
				t.Fatalf("the page of %s:\n%s", s.UUID, text)
			}
		}
	}
}
