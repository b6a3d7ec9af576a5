package processtest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// hold opens a connection to the process and sends the beginning of a request.
func (p *Process) hold(beginning string) net.Conn {
	p.t.Helper()
	c, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, beginning); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func TestRequestsThatNeverEndAreEnded(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.enable-lifecycle")
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		beginning string
		within    time.Duration
	}{
		"a header that never ends": {"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow:", 15 * time.Second},
		"nothing at all":           {"", 15 * time.Second},
		"a body that never ends":   {"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx", 40 * time.Second},
	} {
		all.Go(func() {
			connection := p.hold(c.beginning)
			_ = connection.SetReadDeadline(time.Now().Add(c.within))
			if _, err := io.Copy(io.Discard, connection); err != nil {
				t.Errorf("%s: the connection is still open after %s: %v", name, c.within, err)
			}
		})
	}
	if got := p.Get("/-/healthy"); got.Status != http.StatusOK {
		t.Errorf("others meanwhile: %d", got.Status)
	}
	all.Wait()
}

// Clients that open connections and ask for nothing leave no file descriptors to others, unless
// theirs are taken away.
func TestConnectionsThatAskNothingDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	fleet := testFleet(3)
	center := simulated(t, fleet)
	exporter := Command(t, "--web.listen-address=127.0.0.1:0", "--config.file="+configured(t, accountFile{name: "a", endpoint: center.url, servers: fleet.Servers()}))
	limited := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", append([]string{"-c", `ulimit -n 64; exec "$0" "$@"`}, exporter.Args...)...)
	limited.Dir, limited.Env = exporter.Dir, exporter.Env
	p := Start(t, limited)
	p.UntilListening()
	p.UntilReady()
	for range 200 {
		p.hold("")
	}
	before := center.calls()
	for range 5 { // a new connection each
		if got := p.Request(http.MethodGet, "/metrics", "Connection", "close"); got.Status != http.StatusOK {
			t.Errorf("%d", got.Status)
		}
	}
	p.Until("polls go on", func() bool { return center.calls() > before+20 })
	p.Stop()
	expectLogLines(t, p)
	if strings.Contains(p.Stderr.String(), "level=warn") {
		t.Errorf("on stderr:\n%s", p.Stderr)
	}
}

func TestOversizedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	p := Serve(t, "--demo", "--web.enable-lifecycle")
	big := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"header":  {"GET /status HTTP/1.1\r\nHost: x\r\nX-Big: " + big + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"path":    {"GET /status?search=" + big + " HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"nothing": {"\r\n\r\n", http.StatusBadRequest},
		"garbage": {"\x16\x03\x01 HTTP\r\n\r\n", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
			go func() { _, _ = io.WriteString(connection, c.request) }() // it is cut off in the middle
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != c.status {
				t.Errorf("%d, want %d", answer.StatusCode, c.status)
			}
		})
	}
	for _, path := range []string{"/-/reload", "/metrics", "/status"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+path, strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Exchange(http.DefaultClient, r); err == nil && got.Status >= 500 {
			t.Errorf("a body of 1 MiB for %s: %d", path, got.Status)
		}
	}
	if got := p.Get("/-/healthy"); got.Status != http.StatusOK {
		t.Errorf("afterwards: %d", got.Status)
	}
}

// Not in parallel: it compares memory.
func TestAFloodOfScrapesNeitherGrowsNorDisturbs(t *testing.T) {
	fleet := testFleet(10)
	center := simulated(t, fleet)
	p := Serve(t, "--web.max-requests=5", "--config.file="+configured(t, accountFile{name: "a", endpoint: center.url, servers: fleet.Servers()}))
	p.UntilReady()
	flood := func() {
		t.Helper()
		status := make(map[int]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/metrics", http.NoBody)
				got, err := Exchange(http.DefaultClient, r)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					got.Status = -1
				}
				status[got.Status]++
			})
		}
		all.Wait()
		if status[http.StatusOK]+status[http.StatusServiceUnavailable] != 500 || status[http.StatusOK] == 0 {
			t.Fatalf("answers by status: %v", status)
		}
	}
	for range 5 { // it takes what it needs for that
		flood()
	}
	calm := p.Scrape()
	for before := center.calls(); center.calls() < before+100; { // polls go on meanwhile
		flood()
	}
	if grown := p.Scrape()["process_resident_memory_bytes"] / calm["process_resident_memory_bytes"]; grown > 2 {
		t.Errorf("memory has grown %.2f times", grown)
	}
	p.Until("no goroutine is left behind", func() bool { return p.Scrape()["go_goroutines"] < calm["go_goroutines"]+50 })
}
