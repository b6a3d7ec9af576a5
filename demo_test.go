package main

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/sas"
)

func TestDemoShowsEveryStatusErrorsAndProgress(t *testing.T) {
	t.Parallel()
	p := serve(t, "--demo")
	nonzero, failed, progressed := map[string]bool{}, false, false
	before := samples{}
	p.until("every status, an error and progress were seen", func() bool {
		now := p.scrape()
		for _, name := range sas.StatusNames() {
			if now.of("aliyun_vulscan_subtasks", `status="`+name+`"`).sum() > 0 {
				nonzero[name] = true
			}
		}
		failed = failed || now.of("aliyun_vulscan_subtask_error").sum() > 0
		for series, status := range now.of("aliyun_vulscan_subtask_status") {
			was, known := before[series]
			progressed = progressed || known && status > was
		}
		before = now
		return len(nonzero) == len(sas.StatusNames()) && failed && progressed
	})
	if got := before.of("aliyun_vulscan_servers").sum(); got != 25 {
		t.Errorf("%v servers are watched, want the 25 that are announced", got)
	}
}

func TestDemoSaysWhereToLook(t *testing.T) {
	t.Parallel()
	p := serve(t, "--demo", "--web.telemetry-path=/scans")
	p.until("it is announced", func() bool { return strings.Contains(p.stdout.String(), "/scans  what Prometheus scrapes") })
	if got := p.get("/scans"); got.status != http.StatusOK || !strings.Contains(got.body, "aliyun_vulscan_servers") {
		t.Errorf("%d %.200s", got.status, got.body)
	}
	if got := p.get("/metrics"); got.status != http.StatusNotFound {
		t.Errorf("/metrics: %d", got.status)
	}
	if page := p.get("/").body; !strings.Contains(page, `href="/scans"`) {
		t.Errorf("the landing page does not link to /scans:\n%s", page)
	}
}

func TestDemoReloadsItself(t *testing.T) {
	t.Parallel()
	p := serve(t, "--demo", "--web.enable-lifecycle")
	p.untilReady()
	if got := p.request(http.MethodPost, "/-/reload"); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := p.get("/-/ready"); got.status != http.StatusOK {
		t.Errorf("not ready any more: %s", got.body)
	}
}

// expectStartFailure runs the demo with flags that cannot work.
func expectStartFailure(t *testing.T, want []string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(append([]string{"--demo"}, args...), &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	var failures []string
	for line := range strings.Lines(stderr.String()) {
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

func TestTelemetryPathsThatCannotBeServedAreRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"metrics", "/", "/config", "/-/ready", "/a/../b", "/{x}", ""} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			expectStartFailure(t, []string{"--web.telemetry-path="}, "--web.listen-address=127.0.0.1:0", "--web.telemetry-path="+path)
		})
	}
}

func TestWebConfigThatCannotBeUsedIsSaid(t *testing.T) {
	t.Parallel()
	expectStartFailure(t, []string{"absent.yml", "mend --web.config.file"},
		"--web.listen-address=127.0.0.1:0", "--web.config.file="+t.TempDir()+"/absent.yml")
}
