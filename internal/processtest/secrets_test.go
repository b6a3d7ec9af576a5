package processtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aliyun_vulscan_exporter/internal/simulator"
)

// keys are an account's, each unlike any other text of these tests. They hold what a URL escapes,
// as real secrets and tokens do.
type keys struct{ id, secret, token string }

func keysOf(account int) keys {
	return keys{
		id:     fmt.Sprintf("LTAI5tSecrecyOfAccount%02d", account),
		secret: fmt.Sprintf("s3cr3t+of/account=%02d", account),
		token:  fmt.Sprintf("CAISt0ken+of/account==%02d", account),
	}
}

// inline returns them as a flow mapping, inFiles as one of file names.
func (k keys) inline(*testing.T) string {
	return fmt.Sprintf("{access_key_id: %q, access_key_secret: %q, security_token: %q}", k.id, k.secret, k.token)
}

func (k keys) inFiles(t *testing.T) string {
	dir := t.TempDir()
	return fmt.Sprintf("{access_key_id_file: %q, access_key_secret_file: %q, security_token_file: %q}",
		writeFile(t, filepath.Join(dir, "id"), k.id), writeFile(t, filepath.Join(dir, "secret"), k.secret),
		writeFile(t, filepath.Join(dir, "token"), k.token))
}

// simulatedCase is a simulator that knows the keys but for a change.
func simulatedCase(change func(*simulator.Account)) func(keys) http.Handler {
	return func(k keys) http.Handler {
		a := simulator.Account{Name: "x", AccessKeyID: k.id, AccessKeySecret: k.secret, SecurityToken: k.token, Fleet: testFleet(2)}
		change(&a)
		return simulator.New(simulator.Options{Accounts: []simulator.Account{a}})
	}
}

// echo answers with JSON that repeats a part of the request all over.
func echo(status int, part func(*http.Request) string, shape func(echoed string) any) func(keys) http.Handler {
	return func(keys) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(shape(part(r)))
		})
	}
}

func wholeQuery(r *http.Request) string { return r.URL.RawQuery }

func unescapedQuery(r *http.Request) string {
	text, _ := url.QueryUnescape(r.URL.RawQuery)
	return text
}

func parameter(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.URL.Query().Get(name) }
}

func asError(s string) any { return map[string]any{"Code": s, "RequestId": s, "Message": s} }

func asThrottling(s string) any {
	return map[string]any{"Code": "Throttling.User" + s, "RequestId": s, "Message": s}
}

func asAnswer(s string) any {
	subtask := map[string]any{"Type": "cve", "Status": "4", "Code": s}
	task := map[string]any{"TaskId": "16190385", "TaskStatusList": []any{subtask}}
	return map[string]any{"RequestId": s, "Message": s, "TotalCount": s, "TaskStatuses": []any{task}}
}

// respond answers with what a function makes of the request's query.
func respond(status int, header string, text func(query string) string) func(keys) http.Handler {
	return func(keys) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := text(r.URL.RawQuery)
			if header != "" {
				w.Header().Set(header, body)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
}

// raw answers with bytes that are no HTTP.
func raw(keys) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\n\r\n", r.URL.RawQuery)
	})
}

// chatty answers, and then goes on talking to a client that has asked nothing.
func chatty(keys) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n%s\r\n", r.URL.RawQuery)
	})
}

// failingCenters are ways to fail, by account name.
func failingCenters() map[string]func(keys) http.Handler {
	same := func(query string) string { return query }
	return map[string]func(keys) http.Handler{
		"good":                  simulatedCase(func(*simulator.Account) {}),
		"wrong-secret":          simulatedCase(func(a *simulator.Account) { a.AccessKeySecret = "another" }),
		"wrong-key":             simulatedCase(func(a *simulator.Account) { a.AccessKeyID = "another" }),
		"wrong-token":           simulatedCase(func(a *simulator.Account) { a.SecurityToken = "another" }),
		"no-permission":         simulatedCase(func(a *simulator.Account) { a.DeniedActions = []string{"DescribeVulCheckTaskStatusDetail"} }),
		"throttled":             simulatedCase(func(a *simulator.Account) { a.RequestsPerSecond = 0.5 }),
		"echo-throttling":       echo(400, wholeQuery, asThrottling),
		"echo-query":            echo(400, wholeQuery, asError),
		"echo-query-in-ok":      echo(200, wholeQuery, asError),
		"echo-query-in-500":     echo(500, unescapedQuery, asError),
		"echo-query-in-403":     echo(403, unescapedQuery, asError),
		"echo-key":              echo(400, parameter("AccessKeyId"), asError),
		"echo-token":            echo(400, parameter("SecurityToken"), asError),
		"echo-signature":        echo(400, parameter("Signature"), asError),
		"echo-query-in-answer":  echo(200, wholeQuery, asAnswer),
		"echo-key-in-answer":    echo(200, parameter("AccessKeyId"), asAnswer),
		"echo-token-in-answer":  echo(200, parameter("SecurityToken"), asAnswer),
		"echo-signed-in-answer": echo(200, parameter("Signature"), asAnswer),
		"text-500":              respond(500, "", same),
		"html":                  respond(200, "Content-Type", func(q string) string { return "text/html;q=" + q + "<html>" }),
		"redirect":              respond(302, "Location", func(q string) string { return "http://127.0.0.1:1/?" + q }),
		"bad-redirect":          respond(302, "Location", func(q string) string { return "http://[::1/?" + q }),
		"bad-hint":              respond(429, "Retry-After", same),
		"no-http":               raw,
		"says-more":             chatty,
		"hangs": func(keys) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		},
	}
}

func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	for name, credentials := range map[string]func(keys, *testing.T) string{"inline": keys.inline, "files": keys.inFiles} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectSecrecy(t, credentials)
		})
	}
}

func expectSecrecy(t *testing.T, credentials func(keys, *testing.T) string) {
	t.Helper()
	refused := httptest.NewServer(http.NotFoundHandler())
	refused.Close() // nobody listens there any more
	k := keysOf(0)
	secrets := map[string]keys{"connection-refused": k}
	accounts := []accountFile{{name: "connection-refused", endpoint: refused.URL, credentials: credentials(k, t)}}
	centers := map[string]*center{}
	for name, handler := range failingCenters() {
		k := keysOf(len(accounts))
		c := newCenter(t, handler(k))
		secrets[name], centers[name] = k, c
		accounts = append(accounts, accountFile{name: name, endpoint: c.url, credentials: credentials(k, t)})
	}
	for i := range accounts {
		accounts[i].servers, accounts[i].more = testFleet(2).Servers(), "    timeout: 2s\n"
	}
	path := configured(t, accounts...)
	p := Serve(t, "--config.file="+path, "--log.level=debug", "--web.enable-lifecycle")
	p.UntilReady()
	shown := map[string]string{}
	p.keep(shown)
	// A broken file shows where a secret stands in the wrong place, too.
	broken := strings.Replace(configuration(accounts...), "access_key", "access_kee", 1) + "    credentials: {profile: [" + keysOf(1).secret + "]}\n"
	writeFile(t, path, broken)
	shown["reload"] = p.Request(http.MethodPost, "/-/reload").Body
	p.keep(shown)
	if code := p.stopped(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	shown["stdout"], shown["stderr"] = p.Stdout.String(), p.Stderr.String()
	expectLogLines(t, p)
	for name := range secrets {
		if !strings.Contains(shown["/"], "<bdi>"+name+"</bdi>") || name != "connection-refused" && centers[name].calls() == 0 {
			t.Errorf("account %s was not tried", name)
		}
	}
	for name, k := range secrets {
		expectHidden(t, shown, name, k.id, k.secret, k.token)
	}
	for name, c := range centers {
		c.mu.Lock()
		for signature := range maps.Keys(c.signatures) {
			expectHidden(t, shown, name+"'s signature", signature)
		}
		c.mu.Unlock()
	}
}

// keep adds all pages to what is shown.
func (p *Process) keep(shown map[string]string) {
	for _, path := range []string{
		"/", "/status", "/status?state=failing", "/status/server?account=good&uuid=" + testFleet(1).Servers()[0].UUID,
		"/api/v1/status?limit=500", "/metrics", "/config", "/-/ready", "/-/healthy",
	} {
		shown[path] += p.Get(path).Body
	}
	shown["/metrics"] += p.Request(http.MethodGet, "/metrics", "Accept", "application/openmetrics-text;version=1.0.0").Body
}

// expectHidden looks for secrets, as they are and as URLs have them.
func expectHidden(t *testing.T, shown map[string]string, whose string, secrets ...string) {
	t.Helper()
	for where, text := range shown {
		for _, secret := range secrets {
			for _, form := range []string{secret, url.QueryEscape(secret)} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s: a secret stands on %s: ...%s", whose, where, text[max(0, i-200):i+len(form)])
					break
				}
			}
		}
	}
}
