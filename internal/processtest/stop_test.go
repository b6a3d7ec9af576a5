package processtest

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// hanging returns a configuration whose every call takes an hour.
func hanging(t *testing.T) (path string, c *center) {
	t.Helper()
	fleet := testFleet(20)
	c = newCenter(t, simulator.New(simulator.Options{Latency: time.Hour, Accounts: []simulator.Account{testAccount(fleet)}}))
	return configured(t, accountFile{name: "a", endpoint: c.url, servers: fleet.Servers(), more: "    timeout: 2h\n"}), c
}

// stopped sends a signal and returns the exit code. It takes at most the 5 s that are promised.
func (p *Process) stopped(by os.Signal) int {
	p.t.Helper()
	start := time.Now()
	p.Signal(by)
	code := p.Wait()
	if took := time.Since(start); took > 5*time.Second {
		p.t.Errorf("stopping took %v", took)
	}
	return code
}

func TestStoppingIsCleanWithCallsInFlight(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, c := hanging(t)
			p := Serve(t, "--config.file="+path)
			p.Until("all that may be are in flight", func() bool { return c.calls() == 8 })
			if code := p.stopped(s); code != 0 {
				t.Errorf("exit code %d:\n%s", code, p.Stderr)
			}
			if log := p.Stderr.String(); strings.Contains(log, "level=error") || strings.Contains(log, "level=warn") {
				t.Errorf("stopping is no failure:\n%s", log)
			}
		})
	}
}

func TestStoppingDoesNotWaitForSlowClients(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprint(conn, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\n") // the second has no end
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if code := p.stopped(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
}

func TestStoppingEndsTheDemo(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo")
	p.UntilReady()
	if code := p.stopped(os.Interrupt); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
}
