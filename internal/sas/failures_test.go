package sas

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// failure is a way to fail and what has to come of it.
type failure struct {
	name   string
	serve  func(t *testing.T) Options
	class  Class
	result string
	status int
	reason string // empty: not looked at
}

// answering is a server that lets the simulator judge the call and then answers oddly.
func answering(status int, body string) func(*testing.T) Options {
	return func(t *testing.T) Options {
		t.Helper()
		return optionsFor(serveSimulator(t, func(w http.ResponseWriter, _ *simulator.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}).URL)
	}
}

// handled is a server that does what it likes.
func handled(handler http.HandlerFunc) func(*testing.T) Options {
	return func(t *testing.T) Options {
		t.Helper()
		return optionsFor(serve(t, handler).URL)
	}
}

// impatient shortens the timeout.
func impatient(serve func(*testing.T) Options) func(*testing.T) Options {
	return func(t *testing.T) Options {
		t.Helper()
		o := serve(t)
		o.Timeout = 50 * time.Millisecond
		return o
	}
}

// speaking changes the scheme that the client speaks to a TLS or plain server.
func speaking(scheme string, start func(*httptest.Server), config *tls.Config) func(*testing.T) Options {
	return func(t *testing.T) Options {
		t.Helper()
		server := quietServer(t, http.NotFoundHandler(), func(s *httptest.Server) {
			s.TLS = config
			start(s)
		})
		o := optionsFor(server.URL)
		o.Scheme = scheme
		return o
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func hangInBody(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(exampleBody[:40]))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// reset writes an answer's beginning and resets the connection.
func reset(beginning string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(beginning))
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func zipped(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(exampleBody))
	_ = z.Close()
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(b.Bytes())
}

func refusingPort(t *testing.T) Options {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	return optionsFor("http://" + listener.Addr().String())
}

// withKeys asks the simulator with other keys than its own.
func withKeys(id, secret, token string) func(*testing.T) Options {
	return func(t *testing.T) Options {
		t.Helper()
		o := optionsFor(serveSimulator(t, nil).URL)
		o.Credentials = fixedKeys(id, secret, token)
		return o
	}
}

// echo answers with a part of the signed query in a field of an error.
func echo(status int, field string, part func(query string) string) func(*testing.T) Options {
	escape := strings.NewReplacer(`"`, `\"`, `/`, `\/`)
	return handled(func(w http.ResponseWriter, r *http.Request) {
		body := `{"Code":"Odd","RequestId":"R","Message":"m","HostId":"h","Recommend":"r","` +
			field + `":"` + escape.Replace(part(r.URL.RawQuery)) + `"}`
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// parameter finds one of the query's, as it was sent or plain.
func parameter(name string, plain bool) func(string) string {
	return func(query string) string {
		for field := range strings.SplitSeq(query, "&") {
			if value, found := strings.CutPrefix(field, name+"="); found {
				if plain {
					value, _ = url.QueryUnescape(value)
				}
				return value
			}
		}
		return "no such parameter"
	}
}

const notSecurityCenter = "not an answer of Security Center: check endpoint and proxies"

// failures are all ways to fail that take a server.
var failures = []failure{
	{"HTML of a proxy", answering(502, "<html>Bad Gateway</html>"), Retryable, ResultResponse, 502, ""},
	{"empty 429", answering(429, ""), Throttled, ResultResponse, 429, "too many calls"},
	{"empty 503", answering(503, ""), Retryable, ResultResponse, 503, ""},
	{"login page", answering(403, "<html>log in</html>"), Response, ResultResponse, 403, ""},
	{"not found, by a web server", answering(404, "404 page not found"), Response, ResultResponse, 404, notSecurityCenter},
	{"throttling with 400", answering(400, `{"Code":"Throttling.User","RequestId":"R"}`), Throttled, "Throttling.User", 400, ""},
	{"number for Code", answering(400, `{"Code":400,"RequestId":"R"}`), Permanent, "400", 400, ""},
	{"object for Code", answering(400, `{"Code":{},"RequestId":{}}`), Permanent, "{}", 400, ""},
	{"null for Code", answering(400, `{"Code":null}`), Response, ResultResponse, 400, notSecurityCenter},
	{"blank Code", answering(500, `{"Code":" "}`), Retryable, ResultResponse, 500, ""},
	{"object for Message", answering(400, `{"Code":"IllegalParam","Message":{},"AccessDeniedDetail":[]}`), Permanent, "IllegalParam", 400, ""},
	{"code of 5,000 bytes", answering(400, `{"Code":"`+strings.Repeat("c", 5000)+`"}`), Permanent, strings.Repeat("c", 128), 400, ""},
	{"code in lower case", answering(400, `{"code":"IllegalParam"}`), Response, ResultResponse, 400, ""},
	{"error in an answer, throttling", answering(200, `{"Code":"Throttling","Message":"m"}`), Throttled, "Throttling", 200, ""},
	{
		"error in an answer, no permission", answering(200, `{"Code":"NoPermission"}`), Refused, "NoPermission", 200,
		"grant the RAM action yundun-sas:DescribeVulCheckTaskStatusDetail",
	},
	{"error in an answer, unknown", answering(200, `{"Code":"Strange","RequestId":"R"}`), Permanent, "Strange", 200, ""},
	{"error called ok", answering(200, `{"Code":"ok","RequestId":"R","TaskStatuses":[]}`), Permanent, ResultResponse, 200, ""},
	{"no answer in an answer", answering(200, ``), Response, ResultResponse, 200, "the answer is not one JSON object"},
	{"no content", answering(204, ``), Response, ResultResponse, 204, "the answer is not one JSON object"},
	{"answer cut by a proxy", answering(200, exampleBody[:50]), Response, ResultResponse, 200, "the answer is not one JSON object"},
	{"gzip that was not asked for", handled(zipped), Response, ResultResponse, 200, "the answer is not one JSON object"},
	{"slow headers", impatient(handled(hang)), Retryable, ResultTimeout, 0, "no answer in time"},
	{"slow body", impatient(handled(hangInBody)), Retryable, ResultTimeout, 0, "no answer in time"},
	{"slow body of an error", impatient(handled(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		hangInBody(w, r)
	})), Retryable, ResultTimeout, 0, "no answer in time"},
	{"refused connection", refusingPort, Retryable, ResultConnection, 0, ""},
	{"reset before an answer", handled(reset("")), Retryable, ResultConnection, 0, ""},
	{"reset in the headers", handled(reset("HTTP/1.1 200 OK\r\nContent-")), Retryable, ResultConnection, 0, ""},
	{"reset in the body", handled(reset("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")), Retryable, ResultConnection, 0, ""},
	{"end in the body", handled(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "900")
		_, _ = w.Write([]byte("{"))
	}), Retryable, ResultConnection, 0, "the connection was closed in the middle of the answer"},
	{"no HTTP", handled(reset("SSH-2.0-OpenSSH_9.6\r\n\r\n")), Retryable, ResultConnection, 0, ""},
	{"headers without end", handled(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-long", strings.Repeat("x", 100<<10))
	}), Retryable, ResultConnection, 0, ""},
	{"TLS to a plain port", speaking("https", (*httptest.Server).Start, nil), Retryable, ResultConnection, 0, "the endpoint speaks plain HTTP, not TLS"},
	{"plain to a TLS port", answering(400, "Client sent an HTTP request to an HTTPS server.\n"), Response, ResultResponse, 400, notSecurityCenter},
	{
		"unknown authority", speaking("https", (*httptest.Server).StartTLS, nil), Retryable, ResultConnection, 0,
		"tls: failed to verify certificate: x509: certificate signed by unknown authority",
	},
	{
		"old TLS", speaking("https", (*httptest.Server).StartTLS, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}),
		Retryable, ResultConnection, 0, "remote error: tls: protocol version not supported",
	},
	{"wrong secret", withKeys(testKeyID, "wrong-Xk3f9Lq7Zt5Wc1", testToken), Refused, "SignatureDoesNotMatch", 400, "the signature is wrong: check access_key_secret"},
	{"unknown key", withKeys("LTAI5tUnknown", testSecret, ""), Refused, "InvalidAccessKeyId.NotFound", 404, ""},
	{"wrong token", withKeys(testKeyID, testSecret, testToken[:40]), Refused, "InvalidSecurityToken.MismatchWithAccessKey", 400, ""},
	{"missing token", withKeys(testKeyID, testSecret, ""), Refused, "MissingSecurityToken", 400, ""},
	{"query as Code", echo(400, "Code", func(q string) string { return q }), Permanent, ResultResponse, 400, ""},
	{"query as RequestId", echo(400, "RequestId", func(q string) string { return q }), Permanent, "Odd", 400, ""},
	{"query as Message", echo(400, "Message", func(q string) string { return q }), Permanent, "Odd", 400, ""},
	{"token as Code", echo(400, "Code", parameter("SecurityToken", true)), Permanent, ResultResponse, 400, ""},
	{"token as sent as Code", echo(200, "Code", parameter("SecurityToken", false)), Response, ResultResponse, 200, ""},
	{"token as RequestId", echo(500, "RequestId", parameter("SecurityToken", true)), Retryable, "Odd", 500, ""},
	{"key ID as Code", echo(400, "Code", parameter("AccessKeyId", true)), Permanent, ResultResponse, 400, ""},
	{"key ID cut by the limit", echo(400, "Code", func(q string) string {
		return strings.Repeat("x", 110) + parameter("AccessKeyId", true)(q)
	}), Permanent, ResultResponse, 400, ""},
	{"throttling that names the key", echo(400, "Code", func(q string) string {
		return "Throttling." + parameter("AccessKeyId", true)(q)
	}), Throttled, ResultResponse, 400, ""},
	{"signature as Code", echo(400, "Code", parameter("Signature", true)), Permanent, ResultResponse, 400, ""},
	{"signature as sent as RequestId", echo(400, "RequestId", parameter("Signature", false)), Permanent, "Odd", 400, ""},
}

func TestFailures(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			o := f.serve(t)
			var observed []string
			o.Observe = func(_, result string, _ time.Duration) { observed = append(observed, result) }
			failed := mustFail(t.Context(), t, newTestClient(t, o))
			if failed.Class != f.class || failed.Result != f.result || failed.Status != f.status {
				t.Errorf("got %v (%s, %q, %d), want %s, %q, %d", failed, failed.Class, failed.Result, failed.Status, f.class, f.result, f.status)
			}
			if f.reason != "" && failed.reason != f.reason {
				t.Errorf("reason %q, want %q", failed.reason, f.reason)
			}
			if len(observed) != 1 || observed[0] != f.result {
				t.Errorf("observed %q, want one %q", observed, f.result)
			}
			if failed.Account != "production" || failed.UUID != exampleUUID || failed.Action != ActionVulCheckTaskStatusDetail {
				t.Errorf("error without its place: %+v", failed)
			}
		})
	}
}
