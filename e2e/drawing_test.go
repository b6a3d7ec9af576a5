//go:build pictures

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"aliyun_vulscan_exporter/internal/processtest"
)

// past is how long the exporter was watched before the pictures are taken.
const past = 3 * time.Minute

// drawnPanel is what a panel shows, as its page says.
type drawnPanel struct {
	Title, Type, Error, Text string
	Series                   int
	Bad                      bool // something has the colour of what is bad
	Marks                    int  // alerts that are marked on graphs
}

// drawnDashboard finds panels by their titles.
type drawnDashboard map[string]drawnPanel

// shows reports whether the panel's text has the words.
func (d drawnDashboard) shows(t *testing.T, title string, words ...string) {
	t.Helper()
	p, ok := d[title]
	if !ok {
		t.Errorf("there is no panel %s", title)
	}
	for _, word := range words {
		if !strings.Contains(p.Text, word) {
			t.Errorf("%s does not show %q: %q", title, word, p.Text)
		}
	}
}

// warns reports whether the panels have the colour of what is bad.
func (d drawnDashboard) warns(t *testing.T, want bool, titles ...string) {
	t.Helper()
	for _, title := range titles {
		if p, ok := d[title]; !ok || p.Bad != want {
			t.Errorf("%s: drawn %t, has the colour of what is bad %t, want %t", title, ok, p.Bad, want)
		}
	}
}

// scraped starts a Prometheus that scrapes the targets. native has it take native histograms, and
// no classic ones.
func scraped(t *testing.T, variable string, native bool, targets ...*processtest.Process) *server {
	t.Helper()
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}\n")
	recording, err := filepath.Abs("../deploy/prometheus/recording.yml")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "rule_files: [%s]\n", strings.Join(append(alertsWith(t, map[string]any{"scanFailedFor": "5s", "scanStalledFor": "5s", "accountRefusedFor": "5s"}), recording), ", "))
	b.WriteString("scrape_configs:\n  - job_name: aliyun_vulscan\n")
	if native {
		b.WriteString("    scrape_native_histograms: true\n")
	}
	b.WriteString("    static_configs:\n")
	for _, target := range targets {
		fmt.Fprintf(&b, "      - targets: [%q]\n", strings.TrimPrefix(target.URL, "http://"))
	}
	dir, address := t.TempDir(), freeAddress(t)
	p := start(t, address, "/-/ready", program(t, variable),
		"--config.file="+write(t, filepath.Join(dir, "prometheus.yml"), b.String()),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	return &server{Process: p, t: t}
}

// watched waits until the exporter was scraped for long enough to draw it.
func (s *server) watched() {
	s.t.Helper()
	for scrapes := 10.0; scrapes <= past.Seconds()/5; scrapes += 10 { // one wait has not the patience for all of them
		s.value("min(count_over_time(up[1h]))", above(scrapes))
	}
}

// studio serves the page that draws dashboards from a Prometheus.
func studio(t *testing.T, s *server) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/prometheus/", http.StripPrefix("/prometheus", httputil.NewSingleHostReverseProxy(target)))
	mux.Handle("/dashboards/", http.StripPrefix("/dashboards", http.FileServer(http.Dir("../grafana/dashboards"))))
	mux.Handle("/build/", http.StripPrefix("/build", http.FileServer(http.Dir(program(t, "PANELS")))))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="build/page.css"><div id="page"></div><script src="build/page.js"></script>`)
	})
	pages := httptest.NewServer(mux)
	t.Cleanup(pages.Close)
	return pages.URL
}

// browser starts one with a window as wide as 1080p, and so high that all of a dashboard is drawn:
// tables out of sight are not.
func browser(t *testing.T) context.Context {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(program(t, "CHROMIUM")), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(1920, 4000)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// draw draws a dashboard, keeps the pictures of its first screen and of all of it, and looks at
// what every panel has to be.
func draw(t *testing.T, s *server, name, uuid, picture string) drawnDashboard {
	t.Helper()
	values := map[string]string{"cluster": ".*", "job": ".+", "account": ".+", "type": ".+", "server": uuid, "__rate_interval": "30s"}
	shown := map[string]string{"Cluster": "All", "Job": "All", "Account": "All", "Type": "All"}
	if uuid != "" {
		found, err := s.query(fmt.Sprintf("aliyun_vulscan_server_info{uuid=%q}", uuid))
		if err != nil || len(found) == 0 {
			t.Fatalf("%v %v", found, err)
		}
		shown["Server"] = found[0].Metric["account"] + " / " + found[0].Metric["server"]
	}
	now := time.Now().Unix() / 5 * 5
	page, err := json.Marshal(map[string]any{"from": now - int64(past.Seconds()), "to": now, "step": 5, "values": values, "shown": shown})
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	run(t, ctx, chromedp.Navigate(studio(t, s)+"/?"+url.Values{"dashboard": {name}, "page": {string(page)}}.Encode()))
	var panels []drawnPanel
	processtest.Until(t, "the page is drawn", func() error {
		if text := run(t, ctx, chromedp.Evaluate[string]("JSON.stringify(window.drawn ?? null)")); json.Unmarshal([]byte(text), &panels) != nil || panels == nil {
			return errors.New("not yet")
		}
		return nil
	})
	for kind, height := range map[string]int64{"": 1080, "-all": run(t, ctx, chromedp.Evaluate[int64](`document.getElementById("page").scrollHeight`))} {
		run(t, ctx, chromedp.EmulateViewport(1920, height))
		keep(t, picture+kind+".png", run(t, ctx, chromedp.CaptureScreenshot()))
	}
	dashboard := drawnDashboard{}
	for _, p := range panels {
		if p.Error != "" {
			t.Errorf("%s, %s: %s", name, p.Title, p.Error)
		}
		if strings.TrimSpace(strings.TrimPrefix(p.Text, p.Title)) == "" && p.Type != "timeseries" {
			t.Errorf("%s, %s is blank", name, p.Title)
		}
		dashboard[p.Title] = p
	}
	if len(dashboard) < 9 {
		t.Errorf("%s has only %d panels", name, len(dashboard))
	}
	return dashboard
}

func run[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// keep writes a picture to where PICTURES says.
func keep(t *testing.T, name string, png []byte) {
	t.Helper()
	if len(png) < 10_000 {
		t.Errorf("the picture %s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(program(t, "PICTURES"), name), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// filled holds all panels but some against having data.
func (d drawnDashboard) filled(t *testing.T, uid string) {
	t.Helper()
	mayBeEmpty := emptyByDesign(t)
	for title, p := range d {
		if p.Series == 0 && !mayBeEmpty[part{uid, title, ""}] {
			t.Errorf("%s has no data: %q", title, p.Text)
		}
	}
}

// stuck returns a server with a stalled subtask, which has more than one state to show.
func (s *server) stuck(t *testing.T) string {
	t.Helper()
	var uuid string
	processtest.Until(t, "a subtask is stalled", func() error {
		found, err := s.query(`topk(1, count by (uuid) (aliyun_vulscan_subtask_status and on (uuid) aliyun_vulscan_subtask_stalled{account="production"}))`)
		if err == nil && len(found) == 0 {
			err = errors.New("none")
		}
		if err == nil {
			uuid = found[0].Metric["uuid"]
		}
		return err
	})
	return uuid
}
