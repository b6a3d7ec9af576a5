package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

const hostile = "<script>document.title='owned'</script>\"' \u202egnp.exe"

// watched is a handler over a collector that has polled each of so many servers once. The first has
// a hostile name and error code, the second fails.
func watched(t *testing.T, servers int) (http.Handler, []simulator.Server) {
	t.Helper()
	account := simulator.Account{
		Name: "main", AccessKeyID: "LTAI5tWebPagesTest000001", AccessKeySecret: "web-pages-secret",
		Fleet: simulator.Fleet{Seed: 3, Size: servers, TaskIDs: []string{"16190385"}, Start: time.Now().Add(-time.Hour), ScanDuration: time.Minute},
	}
	list := account.Fleet.Servers()
	center := httptest.NewServer(simulator.New(simulator.Options{Accounts: []simulator.Account{account}, Intercept: func(w http.ResponseWriter, r *simulator.Request) bool {
		switch r.UUID {
		case list[0].UUID:
			_ = json.NewEncoder(w).Encode(map[string]any{"RequestId": "R", "TotalCount": 1, "TaskStatuses": []any{map[string]any{
				"TaskId": hostile, "TaskStatusList": []any{map[string]any{"Type": "cve", "Status": "4", "Code": hostile}},
			}}})
			return true
		case list[1].UUID:
			r.Fail(w, http.StatusInternalServerError, "ServerError", "ServerError")
			return true
		}
		return false
	}}))
	t.Cleanup(center.Close)
	var b strings.Builder
	fmt.Fprintf(&b, "accounts:\n  - name: main\n    endpoint: %s\n    requests_per_second: 10000\n    task_ids: [\"16190385\"]\n    credentials: {access_key_id: %s, access_key_secret: %s}\n    servers:\n",
		center.URL, account.AccessKeyID, account.AccessKeySecret)
	for i, s := range list {
		name := s.Name
		if i == 0 {
			name = hostile
		}
		quoted, _ := json.Marshal(name)
		fmt.Fprintf(&b, "      - {uuid: %q, name: %s}\n", s.UUID, quoted)
	}
	cfg, err := config.Parse("test", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	store, clock := scan.NewStore(), scan.NewClock(time.Now)
	c := collector.New(store, clock)
	p := poll.New(poll.Options{
		Store: store, Clock: clock, Events: c.Events, Once: true, Logger: log.NewNopLogger(),
		Connect: func(a config.Account, observe func(string, string, time.Duration)) poll.API {
			return sas.ForAccount(a, "test/1", observe)
		},
	})
	t.Cleanup(p.Close)
	p.Apply(cfg)
	p.Wait()
	o := options()
	o.Overview = c.Overview
	return handler(t, o), list
}

func TestStatusShowsTroubleThenServers(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 120)
	got := get(h, "/status")
	page := got.Body.String()
	for _, want := range []string{
		"Failed and stalled: 1", "Servers: 120", `aria-label="of 95: 94 succeeded, 1 failed"`,
		"Page 1 of 3", `href="/status?page=2"`, "ServerError", "Request ID", "has trouble", `<option value="main">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in the page", want)
		}
	}
	if got.Code != http.StatusOK || got.Header().Get("Refresh") != "30" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	if strings.Count(page, "/status/server?") != 51 { // one failing, a page of servers
		t.Errorf("%d links to servers", strings.Count(page, "/status/server?"))
	}
	last := get(h, "/status?page=3&refresh=off")
	if n := strings.Count(last.Body.String(), "/status/server?"); n != 21 || last.Header().Get("Refresh") != "" {
		t.Errorf("the last page has %d links, Refresh %q", n, last.Header().Get("Refresh"))
	}
	if !strings.Contains(last.Body.String(), `href="/status?page=2&amp;refresh=off"`) || !strings.Contains(last.Body.String(), `name="refresh" value="off"`) {
		t.Error("reloading does not stay off")
	}
	found := get(h, "/status?search="+strings.ToUpper(list[7].UUID)).Body.String()
	if !strings.Contains(found, "Servers: 1<") || !strings.Contains(found, list[7].Name) {
		t.Errorf("searched for one server:\n%s", found)
	}
	if failing := get(h, "/status?state=failing").Body.String(); !strings.Contains(failing, "Servers: 1<") {
		t.Error("one server fails")
	}
	if beyond := get(h, "/status?page=99"); beyond.Code != http.StatusOK || !strings.Contains(beyond.Body.String(), `href="/status?page=3"`) {
		t.Errorf("beyond the last page: %d", beyond.Code)
	}
}

func TestAServersPage(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 3)
	page := func(i int) string {
		return get(h, "/status/server?"+url.Values{"account": {"main"}, "uuid": {list[i].UUID}}.Encode()).Body.String()
	}
	for _, want := range []string{"complete (4)", "None since the exporter started", "<h1>" + list[2].Name} {
		if !strings.Contains(page(2), want) {
			t.Errorf("no %s in:\n%s", want, page(2))
		}
	}
	for _, want := range []string{"failing: <bdi>ServerError", "HTTP 500", "Request ID", "never", "The service reports none"} {
		if !strings.Contains(page(1), want) {
			t.Errorf("no %s in:\n%s", want, page(1))
		}
	}
	for _, path := range []string{"/status/server", "/status/server?account=main&uuid=nobody", "/status/server?account=%3Cb%3E&uuid=" + list[0].UUID} {
		if got := get(h, path); got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), "Back to the status") {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestForeignTextsAreShownAsText(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 2)
	for _, path := range []string{
		"/status", "/status?search=" + url.QueryEscape(hostile), "/status?account=" + url.QueryEscape(hostile),
		"/status/server?account=main&uuid=" + list[0].UUID, "/status?state=" + url.QueryEscape(hostile), "/status?page=" + url.QueryEscape(hostile),
	} {
		page := get(h, path).Body.String()
		if strings.Contains(page, "<script") || strings.Contains(page, `"' `+"\u202e") {
			t.Errorf("%s has it raw", path)
		}
	}
	page := get(h, "/status").Body.String()
	if isolated := regexp.MustCompile(`<bdi[^>]*>&lt;script&gt;document\.title=&#39;owned&#39;&lt;/script&gt;&#34;&#39; `+"\u202e"+`gnp\.exe</bdi>`).FindAllString(page, -1); len(isolated) < 4 {
		t.Errorf("isolated %d times: name twice, task and code", len(isolated))
	}
}

func TestOddFiltersAreClearErrors(t *testing.T) {
	t.Parallel()
	h, _ := watched(t, 2)
	for _, query := range []string{"page=0", "page=-1", "page=x", "page=99999999999999999999", "troubled=0", "limit=501", "limit=0", "state=up", "search=%ff", "search=" + strings.Repeat("x", 201)} {
		if got := get(h, "/status?"+query); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), " must be ") {
			t.Errorf("%s: %d", query, got.Code)
		}
		got := get(h, "/api/v1/status?"+query)
		var answer struct{ Error string }
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || got.Code != http.StatusBadRequest || answer.Error == "" {
			t.Errorf("JSON, %s: %d %s %v", query, got.Code, got.Body, err)
		}
	}
	for _, path := range []string{"/status?account=nobody", "/api/v1/status?account=nobody", "/status?account=Main"} {
		if got := get(h, path); got.Code != http.StatusNotFound || !regexp.MustCompile(`no account .*(nobody|Main).* is configured`).MatchString(got.Body.String()) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}

func TestEveryAnswerIsGuardedAgainstBrowsers(t *testing.T) {
	t.Parallel()
	h, _ := watched(t, 2)
	page := get(h, "/status").Body.String()
	style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	for _, path := range []string{"/", "/status", "/status/server", "/api/v1/status", "/metrics", "/config", "/sd", "/-/healthy", "/-/ready", "/-/reload", "/nothing"} {
		header := get(h, path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if header.Get(name) != want {
				t.Errorf("%s: %s: %q, want %q", path, name, header.Get(name), want)
			}
		}
	}
	if strings.Contains(page, " style=") || strings.Contains(page, "<script") || regexp.MustCompile(`\son\w+=`).MatchString(page) || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(page) {
		t.Error("the page has something that its policy forbids")
	}
}

func TestPathsAreBelowThePrefix(t *testing.T) {
	t.Parallel()
	external, err := url.Parse("https://example.com/behind/proxy")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix   string
		external *url.URL
		link     string
	}{
		{"/vulscan", nil, "/vulscan/status"},
		{"/vulscan", external, "/behind/proxy/status"},
		{"/", external, "/behind/proxy/status"},
		{"", nil, "/status"},
	} {
		o := options()
		o.RoutePrefix, o.ExternalURL = c.prefix, c.external
		h := handler(t, o)
		base := strings.TrimSuffix(c.prefix, "/")
		for _, path := range []string{"/", "/status", "/metrics", "/-/healthy", "/api/v1/status"} {
			if got := get(h, base+path); got.Code != http.StatusOK {
				t.Errorf("%q: %s: %d", c.prefix, base+path, got.Code)
			}
			if base != "" && path != "/" && get(h, path).Code != http.StatusNotFound {
				t.Errorf("%s is served beside the prefix", path)
			}
		}
		if page := get(h, base+"/").Body.String(); !strings.Contains(page, `href="`+c.link+`"`) {
			t.Errorf("%q: no link to %s", c.prefix, c.link)
		}
		if got := get(h, "/"); base != "" && (got.Code != http.StatusFound || got.Header().Get("Location") != strings.TrimSuffix(c.link, "status")) {
			t.Errorf("%q: / answers %d %s", c.prefix, got.Code, got.Header().Get("Location"))
		}
	}
}
