package simulator

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Running is a Simulator that serves on loopback.
type Running struct {
	// URL is where: http://127.0.0.1:port
	URL string

	done chan struct{}
	err  error
}

// Start serves a new Simulator on a free port of 127.0.0.1 until the context ends. It listens
// already when it returns.
func Start(ctx context.Context, o Options) (*Running, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{
		Handler:           New(o),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // the exporter under test says what went wrong
	}
	r := &Running{URL: "http://" + l.Addr().String(), done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	go func() {
		defer close(r.done)
		defer stop()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.err = err
		}
	}()
	return r, nil
}

// Wait returns once serving has ended; nil, if it ended with the context.
func (r *Running) Wait() error {
	<-r.done
	return r.err
}
