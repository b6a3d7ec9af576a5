package web

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// stopWithin is how long answers under way may take once the context of Serve ends; the rest of the
// 5 s that are promised is for writing the state.
const stopWithin = 2 * time.Second

// Listening says where and how to listen.
type Listening struct {
	// Flags hold the listen addresses and the web configuration file.
	Flags *toolkit.FlagConfig
	// Logger takes what exporter-toolkit has to say.
	Logger *slog.Logger
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
