package web

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// stopWithin is how long answers under way may take once the context of Serve
// ends; the rest of the 5 s that are promised is for writing the state.
const stopWithin = 2 * time.Second

// Listening says where and how to listen.
type Listening struct {
	// Flags hold the listen addresses and the web configuration file.
	Flags *toolkit.FlagConfig
	// Logger takes what exporter-toolkit has to say.
	Logger *slog.Logger
	// Bound is called once, when every port is bound and before the first
	// request is answered, with the address of one listener.
	Bound func(net.Addr)
}

// Serve answers requests for all paths until the context ends, and then returns
// nil once answers under way are sent, or stopWithin is over. An error says why
// it cannot serve.
func Serve(ctx context.Context, o Options, l Listening) error {
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
	server := newServer(handler, o.Logger, l.Bound)
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
func newServer(handler http.Handler, logger log.Logger, bound func(net.Addr)) *http.Server {
	var once sync.Once
	return &http.Server{
		Handler:           handler,
		ErrorLog:          stdlog.New(serverLog{logger}, "", 0),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute, // of a client that reads slowly; no scrape lasts so long
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext: func(l net.Listener) context.Context {
			once.Do(func() { bound(l.Addr()) })
			return context.Background()
		},
	}
}

// serverLog writes the lines of a http.Server to the log: what clients do
// wrong, such as a TCP probe of a port that speaks TLS, troubles nobody.
type serverLog struct{ logger log.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	level.Debug(l.logger).Log("msg", "HTTP server", "err", strings.TrimSpace(string(line)))
	return len(line), nil
}
