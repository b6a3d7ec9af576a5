package processtest

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

func TestDemoShowsEveryStatusErrorsAndProgress(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo")
	documented := scan.StatusNames()[:sas.StatusComplete+1]
	nonzero, failed, progressed := map[string]bool{}, false, false
	before := Samples{}
	p.Until("every status, an error and progress were seen", func() bool {
		now := p.Scrape()
		for _, name := range documented {
			if now.Of("aliyun_vulscan_subtasks", `status="`+name+`"`).Sum() > 0 {
				nonzero[name] = true
			}
		}
		failed = failed || now.Of("aliyun_vulscan_subtask_error").Sum() > 0
		for series, status := range now.Of("aliyun_vulscan_subtask_status") {
			was, known := before[series]
			progressed = progressed || known && status > was
		}
		before = now
		return len(nonzero) == len(documented) && failed && progressed
	})
	if got := before.Of("aliyun_vulscan_servers").Sum(); got != 25 {
		t.Errorf("%v servers are watched, want the 25 that are announced", got)
	}
}

func TestDemoHasALargeFleetIfAskedFor(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--demo.servers=200")
	p.Until("the fleet is watched", func() bool {
		return p.Scrape().Of("aliyun_vulscan_servers", `account="fleet"`).Sum() > 190 // some are offline
	})
	if !strings.Contains(p.Stdout.String(), "The account fleet has 200 servers more") {
		t.Errorf("on stdout:\n%s", p.Stdout)
	}
}

func TestDemoSaysWhereToLook(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.telemetry-path=/scans")
	p.Until("it is announced", func() bool { return strings.Contains(p.Stdout.String(), "/scans  what Prometheus scrapes") })
	if got := p.Get("/scans"); got.Status != http.StatusOK || !strings.Contains(got.Body, "aliyun_vulscan_servers") {
		t.Errorf("%d %.200s", got.Status, got.Body)
	}
	if got := p.Get("/metrics"); got.Status != http.StatusNotFound {
		t.Errorf("/metrics: %d", got.Status)
	}
	if page := p.Get("/").Body; !strings.Contains(page, `href="/scans"`) {
		t.Errorf("the landing page does not link to /scans:\n%s", page)
	}
}

func TestDemoIsAnnouncedBelowTheRoutePrefixOnceItListens(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.route-prefix=vulscan")
	p.Until("it is announced", func() bool { return strings.Contains(p.Stdout.String(), "Ctrl-C ends it.") })
	links := regexp.MustCompile(`http://\S+`).FindAllString(p.Stdout.String(), -1)
	if len(links) != 4 {
		t.Fatalf("links: %q", links)
	}
	for _, link := range links {
		path, here := strings.CutPrefix(link, p.URL)
		if !here || p.Get(path).Status != http.StatusOK {
			t.Errorf("%s does not answer", link)
		}
	}
}

func TestDemoReloadsItself(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.enable-lifecycle")
	p.UntilReady()
	if got := p.Request(http.MethodPost, "/-/reload"); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := p.Get("/-/ready"); got.Status != http.StatusOK {
		t.Errorf("not ready any more: %s", got.Body)
	}
}

// expectStartFailure runs the demo with flags that cannot work.
func expectStartFailure(t *testing.T, want []string, args ...string) {
	t.Helper()
	code, stdout, stderr := ended(t, append([]string{"--demo"}, args...)...)
	if code != 1 || stdout != "" {
		t.Errorf("exit code %d, on stdout: %s", code, stdout)
	}
	var failures []string
	for line := range strings.Lines(stderr) {
		if strings.Contains(line, "level=error") {
			failures = append(failures, line)
		}
	}
	expectOneLine(t, strings.Join(failures, ""), want...)
}

func TestTakenPortIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	address := l.Addr().String()
	expectStartFailure(t, []string{address, "address already in use", "choose another --web.listen-address"},
		"--web.listen-address="+address)
}

func TestWebConfigThatCannotBeUsedIsSaid(t *testing.T) {
	t.Parallel()
	expectStartFailure(t, []string{"absent.yml", "mend --web.config.file"},
		"--web.listen-address=127.0.0.1:0", "--web.config.file="+t.TempDir()+"/absent.yml")
}
