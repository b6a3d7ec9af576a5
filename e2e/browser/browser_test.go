// Package browser reads the exporter's pages as people do: in a real browser, at the width of a
// desktop and of a phone.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take that is about to happen.
const patience = 60 * time.Second

// screen is a width that pages are read at.
type screen struct {
	name          string
	width, height int64
	dark          bool
	shown         bool // its pictures are in the documentation
}

var screens = []screen{
	{"desktop", 1280, 1100, false, true},
	{"phone", 390, 844, true, true},
	{"desktop-dark", 1280, 1100, true, false},
	{"phone-light", 390, 844, false, false},
}

// environment returns what .ci/browser sets.
func environment(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run these tests by .ci/browser", name)
	}
	return value
}

// open starts a browser with the screen.
func open(t *testing.T, s screen) context.Context {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(environment(t, "CHROMIUM")), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	// The first call starts the browser: a deadline of its own would end it.
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(s.width, s.height)); err != nil {
		t.Fatal(err)
	}
	must(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
	return ctx
}

// must does something in the browser.
func must[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// eval returns the value of an expression on the page.
func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	return must(t, ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// untilAt waits for the page whose address holds a text.
func untilAt(t *testing.T, ctx context.Context, part string) {
	t.Helper()
	until(t, "the page is one of "+part, func() bool {
		at, err := chromedp.Run(ctx, chromedp.Location()) // fails while the browser goes from one page to the other
		return err == nil && strings.Contains(at, part)
	})
}

// text is all that the page shows.
func text(t *testing.T, ctx context.Context) string {
	t.Helper()
	return eval[string](t, ctx, "document.body.innerText")
}

// phone reports whether the screen is too narrow for tables.
func (s screen) phone() bool { return s.width < 800 }

// inSight wants every table to be seen without scrolling sideways.
func inSight(t *testing.T, ctx context.Context, s screen) {
	t.Helper()
	if hidden := eval[string](t, ctx, `[...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth)
		.map(e => e.getAttribute("aria-labelledby") + ": " + e.scrollWidth + " of " + e.clientWidth).join(", ")`); hidden != "" {
		t.Errorf("%s on the %s has to be scrolled sideways: %s", must(t, ctx, chromedp.Location()), s.name, hidden)
	}
}

// columnsInSight wants cells of a table to be seen under the names of their columns: there are
// some, and all are inside the screen.
func columnsInSight(t *testing.T, ctx context.Context, s screen, table string, columns ...string) {
	t.Helper()
	for _, column := range columns {
		seen := eval[[]int](t, ctx, fmt.Sprintf(`{const all = [...document.querySelectorAll('[aria-labelledby=%s] td[data-label="%s"]')]
			.map(e => e.getBoundingClientRect()).filter(r => r.width > 0);
			[all.length, all.filter(r => r.left < 0 || r.right > document.documentElement.clientWidth).length]}`, table, column))
		if seen[0] == 0 || seen[1] > 0 {
			t.Errorf("%s of %s on the %s: %d, of which %d are off the screen", column, table, s.name, seen[0], seen[1])
		}
	}
}

// visit loads a page, and looks at what every page has to be.
func visit(t *testing.T, ctx context.Context, s screen, url string) {
	t.Helper()
	must(t, ctx, chromedp.Navigate(url))
	if over := eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		t.Errorf("%s on the %s is %d pixels too wide: %s", url, s.name, over, eval[string](t, ctx, `[...document.querySelectorAll("body *")]
			.filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > document.documentElement.clientWidth).map(e => e.outerHTML.slice(0, 200)).join("\n")`))
	}
	if s.phone() {
		inSight(t, ctx, s)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: until %s", what)
		}
	}
}

// accessible has axe-core judge the page: nothing serious may be found.
func accessible(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	axe, err := os.ReadFile(environment(t, "AXE"))
	if err != nil {
		t.Fatal(err)
	}
	eval[bool](t, ctx, string(axe)+"\n;true")
	found := eval[string](t, ctx, `axe.run().then(r => JSON.stringify({passes: r.passes.length, violations: r.violations.map(
		v => ({id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))}))`)
	var result struct {
		Passes     int
		Violations []struct {
			ID, Impact string
			Nodes      []string
		}
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil {
		t.Fatal(err)
	}
	if result.Passes < 15 {
		t.Errorf("%s: only %d rules apply", name, result.Passes)
	}
	for _, v := range result.Violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			t.Errorf("%s: %s (%s): %.1500s", name, v.ID, v.Impact, strings.Join(v.Nodes, "\n"))
		} else {
			t.Logf("%s: %s (%s)", name, v.ID, v.Impact)
		}
	}
}

// picture keeps a screenshot of a page where SCREENSHOTS says, if it does.
func picture(t *testing.T, ctx context.Context, s screen, page string) {
	t.Helper()
	name, folder := page+"-"+s.name, os.Getenv("SCREENSHOTS")
	if folder == "" || !s.shown {
		folder = t.TempDir() // taken all the same
	}
	png := must(t, ctx, chromedp.CaptureScreenshot())
	if len(png) < 10_000 {
		t.Errorf("the screenshot %s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("screenshot-%s.png", name)), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
