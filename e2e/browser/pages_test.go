package browser

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAnOperatorFindsWhatHangs(t *testing.T) {
	demo := exporter(t, "--demo")
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			ctx := open(t, s)
			visit(t, ctx, s, demo+"/")
			accessible(t, ctx, "landing page")
			must(t, ctx, chromedp.Click(`main a[href="/status"]`))
			must(t, ctx, chromedp.WaitVisible("#servers"))

			// Totals: every type's bar, and numbers that add up to something.
			if bars := eval[int](t, ctx, `document.querySelectorAll("svg.bar rect").length`); bars < 4 {
				t.Errorf("%d parts of bars", bars)
			}
			if sum := eval[int](t, ctx, `[...document.querySelectorAll("section:first-of-type tbody td.n")].reduce((n, e) => n + Number(e.textContent), 0)`); sum < 40 {
				t.Errorf("the totals are %d", sum)
			}
			until(t, "something has failed or stalls", func() bool {
				visit(t, ctx, s, demo+"/status")
				return !strings.Contains(text(t, ctx), "Failed and stalled: 0")
			})
			accessible(t, ctx, "status page")
			inSight(t, ctx, s)
			columnsInSight(t, ctx, s, "problems", "Type", "Status", "Code", "Since")
			columnsInSight(t, ctx, s, "servers", "Last poll", "failed", "Last success")
			columnsInSight(t, ctx, s, "tasks", "Status", "Progress", "Servers by scan", "List read")
			picture(t, ctx, s, "status")

			// Search for a server, and open it.
			const name = "app-5" // the documentation's example: complete, and failed
			must(t, ctx, chromedp.SendKeys(`input[name="search"]`, name))
			must(t, ctx, chromedp.Submit(`form[role="search"]`))
			untilAt(t, ctx, "search="+name)
			must(t, ctx, chromedp.WaitVisible("#servers"))
			if shown := text(t, ctx); !strings.Contains(shown, "Servers: 2") || !strings.Contains(shown, "push_command_failed") {
				t.Errorf("searched for %s:\n%s", name, shown)
			}
			must(t, ctx, chromedp.Click(`[aria-labelledby="servers"] tbody a`))
			must(t, ctx, chromedp.WaitVisible("#scans"))
			if shown := text(t, ctx); !strings.Contains(shown, name) || !strings.Contains(shown, "complete (4)") {
				t.Errorf("its page:\n%s", shown)
			}
			accessible(t, ctx, "server's page")
			inSight(t, ctx, s)
			columnsInSight(t, ctx, s, "scans", "Type", "Status", "Code", "In this state since")
			picture(t, ctx, s, "server")

			// Auto-refresh can be turned off, and stays so.
			must(t, ctx, chromedp.Click(".made a"))
			untilAt(t, ctx, "refresh=off")
			must(t, ctx, chromedp.WaitVisible("#scans"))
			if shown := text(t, ctx); !strings.Contains(shown, "Does not reload by itself") {
				t.Errorf("reloading is not turned off:\n%.300s", shown)
			}
		})
	}
}

// Scans of the demo go on while one looks at them.
func TestAStatusIsSeenToChange(t *testing.T) {
	demo := exporter(t, "--demo")
	ctx := open(t, screens[0])
	visit(t, ctx, screens[0], demo+"/status?refresh=off")
	totals := func() string {
		return eval[string](t, ctx, `document.querySelector("section:first-of-type tbody").innerText`)
	}
	before := totals()
	until(t, "the totals change", func() bool {
		must(t, ctx, chromedp.Reload())
		return totals() != before
	})
	visit(t, ctx, screens[0], demo+"/status?refresh=off&limit=500")
	links := eval[[]string](t, ctx, `[...document.querySelectorAll("[aria-labelledby=servers] tbody a")].map(a => a.href)`)
	until(t, "a server's page has a change", func() bool {
		for _, link := range links {
			must(t, ctx, chromedp.Navigate(link))
			if regexp.MustCompile(`(?s)Last changes.*ago.*\(\d\)`).MatchString(text(t, ctx)) {
				return true
			}
		}
		return false
	})
}

func TestAPageWithoutHitsLeadsOn(t *testing.T) {
	demo := exporter(t, "--demo")
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			ctx := open(t, s)
			for path, want := range map[string]string{
				"/status/?search=zzz": "No server matches", "/status?page=999": "There is no page 999", "/status?account=nobody": `no account "nobody" is configured`,
			} {
				visit(t, ctx, s, demo+path)
				if shown := text(t, ctx); !strings.Contains(shown, want) {
					t.Errorf("%s:\n%s", path, shown)
				}
				accessible(t, ctx, path)
			}
			must(t, ctx, chromedp.Navigate(demo+"/status?page=999"))
			must(t, ctx, chromedp.Click(`#servers + p a`))
			untilAt(t, ctx, "/status")
			must(t, ctx, chromedp.WaitVisible(`[aria-labelledby="servers"]`))
		})
	}
}

func TestNoForeignScriptRuns(t *testing.T) {
	at, uuid := hostileExporter(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			ctx := open(t, s)
			for _, path := range []string{
				"/", "/status", "/status?search=" + url.QueryEscape(hostile), "/status?state=" + url.QueryEscape(hostile),
				"/status/server?" + url.Values{"account": {hostile}, "uuid": {uuid}}.Encode(), "/status/server?account=x&uuid=" + url.QueryEscape(hostile),
			} {
				visit(t, ctx, s, at+path)
				if owned := eval[string](t, ctx, `String(window.owned)`); owned != "undefined" {
					t.Errorf("%s: a script ran: %s", path, owned)
				}
				if strange := eval[int](t, ctx, `document.querySelectorAll("script, img, iframe, object, [onerror], [style]").length`); strange > 0 {
					t.Errorf("%s: %d elements that no page has", path, strange)
				}
			}
			visit(t, ctx, s, at+"/status")
			shown := eval[int](t, ctx, `[...document.querySelectorAll("bdi")].filter(e => e.textContent.startsWith("<script>window.owned=1</script>")).length`)
			if shown < 5 { // account, name twice, task, code
				t.Errorf("shown as text %d times:\n%s", shown, text(t, ctx))
			}
			accessible(t, ctx, "hostile names")
		})
	}
	// The policy holds where escaping would not: an inline script does not run.
	ctx := open(t, screens[0])
	visit(t, ctx, screens[0], at+"/status")
	eval[bool](t, ctx, `{const s = document.createElement("script"); s.textContent = "window.owned = 3"; document.body.append(s); true}`)
	if owned := eval[string](t, ctx, `String(window.owned)`); owned != "undefined" {
		t.Errorf("the policy lets a script run: %s", owned)
	}
}
