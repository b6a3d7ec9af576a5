package web

import (
	"context"
	"crypto/tls"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

const (
	// stopWithin is how long answers under way may take once the context of Serve ends; the rest of
	// the 5 s that are promised is for writing the state.
	stopWithin = 2 * time.Second
	// maxConnections bounds the connections wherever many files may be open.
	maxConnections = 4096
	// acceptingAfter is how long accepting has to go well until it counts as mended.
	acceptingAfter = time.Minute
)

// Listening says where and how to listen.
type Listening struct {
	Flags  *toolkit.FlagConfig // the listen addresses and the web configuration file
	Logger *slog.Logger        // takes what exporter-toolkit has to say
	// Bound is called once, when every port is bound and before the first request is answered, with
	// the address of one listener.
	Bound func(net.Addr)
}

// Serve answers requests for all paths until the context ends, and then returns nil once answers
// under way are sent, or stopWithin is over. An error says why it cannot serve.
func Serve(ctx context.Context, o Options, l Listening) error {
	o.ListenAddresses = *l.Flags.WebListenAddresses
	handler, err := New(o)
	if err != nil {
		return err
	}
	if err := toolkit.Validate(*l.Flags.WebConfigFile); err != nil {
		return fmt.Errorf("mend --web.config.file: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	server := newServer(handler, o.Logger, mostConnections(openFiles()), l.Bound)
	ended := make(chan error, 1)
	go func() { ended <- toolkit.ListenAndServe(server, l.Flags, l.Logger) }()
	select {
	case err := <-ended:
		return fmt.Errorf("cannot serve, choose another --web.listen-address or mend --web.config.file: %w", err)
	case <-ctx.Done():
	}
	level.Info(o.Logger).Log("msg", "stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close()
	}
	return nil
}

// newServer returns a server that bounds what a client may take.
func newServer(handler http.Handler, logger log.Logger, most int, bound func(net.Addr)) *http.Server {
	var once sync.Once
	all := &connections{logger: logger, most: most}
	return &http.Server{
		Handler:           progressing(handler),
		ConnState:         all.changed,
		ErrorLog:          stdlog.New(all, "", 0),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      stuckAfter, // for what the server says by itself; answers move it
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext: func(l net.Listener) context.Context {
			once.Do(func() { bound(l.Addr()) })
			return context.Background()
		},
	}
}

// connections bounds how many connections a server has, so that file descriptors are left for
// polls, state and lists: beyond the bound, those that wait for a request are closed, the longest
// waiting first. It is also where the server's own log lines go.
type connections struct {
	logger log.Logger
	most   int

	mu      sync.Mutex
	open    int
	waiting []net.Conn // for a request, the longest waiting first
	failing bool       // connections could not be accepted lately
	failed  time.Time  // when that was last seen
}

// mostConnections returns how many connections a process may have that may open so many files.
func mostConnections(files uint64) int { return int(max(1, min(files/4*3, maxConnections))) }

// changed is a server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	mended := false
	c.mu.Lock()
	c.waiting = slices.DeleteFunc(c.waiting, func(other net.Conn) bool { return other == conn })
	switch state {
	case http.StateNew:
		c.open++
		c.waiting = append(c.waiting, conn)
		if c.open > c.most {
			closeNow(c.waiting[0])
			c.waiting = c.waiting[1:]
		}
		mended = c.failing && time.Since(c.failed) > acceptingAfter
		c.failing = c.failing && !mended
	case http.StateIdle:
		c.waiting = append(c.waiting, conn)
	case http.StateClosed, http.StateHijacked:
		c.open--
	case http.StateActive:
	}
	c.mu.Unlock()
	if mended {
		level.Info(c.logger).Log("msg", "connections are accepted again")
	}
}

// closeNow closes a connection without a farewell, for which TLS would wait.
func closeNow(conn net.Conn) {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	_ = conn.Close() // the server notices
}

// Write takes a line of the server's own log. What clients do wrong, such as a TCP probe of a port
// that speaks TLS, is for who looks closely.
func (c *connections) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	switch {
	case strings.HasPrefix(text, "http: Accept error: "):
		c.refused(text)
	case strings.HasPrefix(text, "http: panic serving"):
		level.Error(c.logger).Log("msg", "a request was not answered: please report this", "err", text)
	default:
		level.Debug(c.logger).Log("msg", "HTTP server", "err", text)
	}
	return len(line), nil
}

// refused closes all connections that wait for a request, since the system accepts no further ones.
func (c *connections) refused(reason string) {
	c.mu.Lock()
	begins := !c.failing
	c.failing, c.failed = true, time.Now()
	for _, conn := range c.waiting {
		closeNow(conn)
	}
	c.waiting = nil
	c.mu.Unlock()
	if begins {
		level.Warn(c.logger).Log("msg", "no connection can be accepted, those without a request are closed: raise the limit of open files", "err", reason)
	}
}
