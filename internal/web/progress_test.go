package web

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/internal/memnet"
)

// served is a server in a bubble whose answers are so large, and a client's connection that has
// asked for one.
func served(t *testing.T, size int) (conn net.Conn, answered <-chan error, end func()) {
	t.Helper()
	network := memnet.New()
	results := make(chan error, 1)
	server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(bytes.Repeat([]byte("x"), size))
		results <- err
	}), log.NewNopLogger(), 10, func(net.Addr) {})
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(network) }()
	conn, err := network.Dial(t.Context(), "tcp", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn, results, func() {
		_ = conn.Close()
		_ = server.Shutdown(context.WithoutCancel(t.Context()))
		<-ended
	}
}

func TestAClientThatStopsReadingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, answered, end := served(t, 10<<20)
		defer end()
		start := time.Now()
		if err := <-answered; err == nil || time.Since(start) != stuckAfter {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestAClientThatReadsSlowlyIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		conn, answered, end := served(t, size)
		defer end()
		start, total := time.Now(), 0
		for {
			<-time.After(10 * time.Second) // 32 KiB in so long, 5 minutes in all
			n, err := io.CopyN(io.Discard, conn, writeChunk)
			total += int(n)
			if err != nil {
				break
			}
		}
		if err := <-answered; err != nil || total < size {
			t.Errorf("%d bytes in %v: %v", total, time.Since(start), err)
		}
	})
}
