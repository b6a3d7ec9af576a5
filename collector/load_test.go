package collector_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/simulator"
)

// connections counts a server's connections.
type connections struct {
	mu           sync.Mutex
	open         map[net.Conn]bool
	most, opened int
}

func (c *connections) state(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew:
		c.open[conn] = true
		c.opened++
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	c.most = max(c.most, len(c.open))
}

// A thousand servers are polled in real time, over real connections.
func TestThousandServersShareFewConnections(t *testing.T) {
	known := goleak.IgnoreCurrent()
	const concurrency, want = 16, 1000
	var mu sync.Mutex
	answered := 0
	enough := make(chan struct{})
	counted := &connections{open: make(map[net.Conn]bool)}
	server := httptest.NewUnstartedServer(simulator.New(simulator.Options{
		Accounts: []simulator.Account{simulated("main")}, Latency: 20 * time.Millisecond,
		Observe: func(simulator.Call) {
			mu.Lock()
			defer mu.Unlock()
			if answered++; answered == want {
				close(enough)
			}
		},
	}))
	server.Config.ConnState = counted.state
	server.Start()
	store, clock := scan.NewStore(), scan.NewClock(time.Now)
	c := collector.New(store, clock)
	poller := poll.New(poll.Options{
		Store: store, Clock: clock, Events: c.Events, Connect: connecting(nil), Logger: log.NewLogfmtLogger(io.Discard),
	})
	text := yamlOf(yamlAccount("main", "requests_per_second: 200\nconcurrency: 16\npoll_interval: 1s", serversYAML(1000)...))
	start := time.Now()
	poller.Apply(parsed(t, strings.ReplaceAll(text, "http://127.0.0.1:1\n", server.URL+"\n")))
	select {
	case <-enough:
	case <-time.After(2 * time.Minute):
		t.Error("too few calls in two minutes")
	}
	took := time.Since(start)
	t.Logf("%d calls took %v", want, took)
	if took < time.Duration(want-200)*time.Second/200 {
		t.Errorf("%d calls took %v: more than 200 a second", want, took)
	}
	if pending := c.Now().Accounts[0].Pending; pending > concurrency {
		t.Errorf("%d of 1,000 servers were not polled", pending)
	}
	poller.Close()
	server.Close()
	if counted.most > concurrency {
		t.Errorf("%d connections at once, want at most %d", counted.most, concurrency)
	}
	if counted.opened > 2*concurrency {
		t.Errorf("%d connections opened: they are not kept", counted.opened)
	}
	goleak.VerifyNone(t, known)
}
