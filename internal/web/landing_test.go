package web_test

import (
	"net/http"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
)

func TestLandingPageShowsHowServersFareNow(t *testing.T) {
	t.Parallel()
	var now []collector.AccountOverview
	o := options()
	o.TelemetryPath, o.Version = "/scans", "1.2.3"
	o.Overview = func() *collector.Overview { return &collector.Overview{Accounts: now} }
	h := handler(t, o)
	for _, c := range []struct {
		accounts []collector.AccountOverview
		want     []string
	}{
		{nil, []string{"1.2.3", `href="/scans"`, `href="/config"`, `href="/-/ready"`, `href="/-/healthy"`, `href="/sd"`, "no account is configured"}},
		{all(account("a", scan.Totals{OK: 3, Failing: 4, Pending: 5}, false)), []string{
			`<bdi>a</bdi></th><td data-label="ok" class="n">3</td><td data-label="failing" class="n bad">4</td><td data-label="pending" class="n">5</td><td data-label="Credentials" class="wide">accepted</td>`,
		}},
		{all(account("a", scan.Totals{Failing: 1}, true), account("b", scan.Totals{}, false)), []string{
			`<td data-label="failing" class="n bad">1</td><td data-label="pending" class="n">0</td><td data-label="Credentials" class="wide"><strong class="bad">refused`,
			`<td data-label="Credentials" class="wide">not known: no call has succeeded<br><strong class="bad">watches nothing: no server is configured or discovered</strong></td>`,
		}},
	} {
		now = c.accounts
		got := get(h, "/")
		if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%d %s", got.Code, got.Header())
		}
		for _, want := range c.want {
			if !strings.Contains(got.Body.String(), want) {
				t.Errorf("no %s in:\n%s", want, got.Body)
			}
		}
	}
}

func TestLandingPageEscapesAccountNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
		`"><img src=x onerror=a>`:   "&#34;&gt;&lt;img src=x onerror=a&gt;",
		"a & b":                     "a &amp; b",
		"{{.Version}}":              "{{.Version}}",
		"</td></table>":             "&lt;/td&gt;&lt;/table&gt;",
	} {
		o := options()
		o.Version = "1.2.3"
		o.Overview = func() *collector.Overview {
			return &collector.Overview{Accounts: all(account(name, scan.Totals{}, false))}
		}
		page := get(handler(t, o), "/").Body.String()
		if !strings.Contains(page, "<bdi>"+want+"</bdi>") {
			t.Errorf("no %s in:\n%s", want, page)
		}
	}
}

func TestLandingPageLinksToProfilesOnlyIfServed(t *testing.T) {
	t.Parallel()
	for _, pprof := range []bool{false, true} {
		o := options()
		o.Pprof = pprof
		h := handler(t, o)
		if linked := strings.Contains(get(h, "/").Body.String(), "debug/pprof"); linked != pprof {
			t.Errorf("linked: %t, served: %t", linked, pprof)
		}
		if served := get(h, "/debug/pprof/").Code == http.StatusOK; served != pprof {
			t.Errorf("served: %t, wanted: %t", served, pprof)
		}
	}
}
