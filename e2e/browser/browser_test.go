// Package browser reads the exporter's pages as people do: in a real browser,
// at the width of a desktop and of a phone.
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
}

var screens = []screen{{"desktop", 1280, 900, false}, {"phone", 390, 844, true}}

// environment gives what .ci/browser sets.
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

// eval gives the value of an expression on the page.
func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	return must(t, ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// text is all that the page shows.
func text(t *testing.T, ctx context.Context) string {
	t.Helper()
	return eval[string](t, ctx, "document.body.innerText")
}

// visit loads a page, and looks at what every page has to be.
func visit(t *testing.T, ctx context.Context, s screen, url string) {
	t.Helper()
	must(t, ctx, chromedp.Navigate(url))
	if over := eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		t.Errorf("%s on the %s is %d pixels too wide: %s", url, s.name, over, eval[string](t, ctx, `[...document.querySelectorAll("body *")]
			.filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > document.documentElement.clientWidth).map(e => e.outerHTML.slice(0, 200)).join("\n")`))
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

// picture keeps a screenshot where SCREENSHOTS says, if it does.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
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
