package sas

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
	"time"
)

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s came", r.Method, r.URL.Path) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{other.URL + "/elsewhere", "/elsewhere", ""} {
			asked := 0
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			})
			failed := mustFail(t.Context(), t, newTestClient(t, optionsFor(server.URL)))
			if failed.Class != Response || failed.Status != status || asked != 1 {
				t.Errorf("%d to %q: %v (%s) after %d requests", status, to, failed, failed.Class, asked)
			}
		}
	}
}

// A TLS server says 400 and resets the connection: the client sees what comes first.
func TestPlainToATLSPortFails(t *testing.T) {
	o := speaking("http", (*httptest.Server).StartTLS, nil)(t)
	failed := mustFail(t.Context(), t, newTestClient(t, o))
	told := failed.Class == Response && failed.Status == http.StatusBadRequest
	if cut := failed.Class == Retryable && failed.Result == ResultConnection; !told && !cut {
		t.Errorf("got %v (%s)", failed, failed.Class)
	}
	assertHarmless(t, failed, testKeyID, testSecret, testToken)
}

func TestTheTransportIsBounded(t *testing.T) {
	transport := newTransport(7)
	if transport.MaxConnsPerHost != 7 || transport.MaxIdleConnsPerHost != 7 {
		t.Errorf("connections %d, idle %d", transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost)
	}
	if transport.IdleConnTimeout <= 0 || transport.IdleConnTimeout > 5*time.Minute {
		t.Errorf("idle for %s", transport.IdleConnTimeout)
	}
	if config := transport.TLSClientConfig; config.MinVersion < tls.VersionTLS12 || config.InsecureSkipVerify {
		t.Errorf("TLS from %x, certificates checked: %t", config.MinVersion, !config.InsecureSkipVerify)
	}
	if transport.Proxy == nil {
		t.Error("proxies of the environment are not used")
	}
}

func TestCausesAreToldInWordsOrNotAtAll(t *testing.T) {
	const signed = "https://tds.aliyuncs.com/?AccessKeyId=" + testKeyID + "&Signature=abc%3D"
	inURL := func(err error) error { return &url.Error{Op: "Post", URL: signed, Err: err} }
	proxy := "http://admin:pass-word-9Kq2@proxy:3128"
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tests := map[string]struct {
		err  error
		want string
	}{
		"refused":             {inURL(dial), "dial tcp: connection refused"},
		"refused by a proxy":  {inURL(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial}), "proxyconnect tcp: dial tcp: connection refused"},
		"no such host":        {inURL(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "tds"}}), "dial tcp: lookup tds: no such host"},
		"errno":               {inURL(fmt.Errorf("write: %w", syscall.EPIPE)), "broken pipe"},
		"alert":               {inURL(tls.AlertError(40)), "tls: handshake failure"},
		"end":                 {inURL(io.EOF), "the connection was closed in the middle of the answer"},
		"end of a body":       {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "the connection was closed in the middle of the answer"},
		"proxy's password":    {inURL(fmt.Errorf("invalid proxy address %q", proxy)), "no usable answer (*errors.errorString)"},
		"password, wrapped":   {inURL(fmt.Errorf("parse %q: %w", proxy, errors.New(proxy))), "no usable answer (*fmt.wrapError)"},
		"password round it":   {fmt.Errorf("proxy %s: %w", proxy, dial), "dial tcp: connection refused"},
		"proxy's answer":      {inURL(errors.New("Proxy Authentication Required: " + proxy)), "no usable answer (*errors.errorString)"},
		"broken answer":       {inURL(errors.New("malformed HTTP response \"" + signed + "\"")), "no usable answer (*errors.errorString)"},
		"a URL inside a URL":  {inURL(inURL(errors.New(signed))), "no usable answer (*url.Error)"},
		"a wrapped URL error": {fmt.Errorf("call: %w", inURL(io.EOF)), "the connection was closed in the middle of the answer"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := safeCause(test.err)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, secret := range []string{testKeyID, "Signature", "pass-word-9Kq2", "admin"} {
				if bytes.Contains([]byte(got), []byte(secret)) {
					t.Errorf("%q shows %s", got, secret)
				}
			}
		})
	}
}
