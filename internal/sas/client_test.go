package sas

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestTheDocumentedExample(t *testing.T) {
	server := serveSimulator(t, func(w http.ResponseWriter, r *simulator.Request) {
		if r.UUID != exampleUUID || strings.Join(r.TaskIDs, " ") != exampleTask || strings.Join(r.Types, " ") != "cve" {
			t.Errorf("asked for %s, %v, %v", r.UUID, r.TaskIDs, r.Types)
		}
		_, _ = w.Write([]byte(exampleBody))
	})
	o := optionsFor(server.URL)
	var observed []string
	o.Observe = func(action, result string, took time.Duration) {
		if took <= 0 {
			t.Errorf("took %s", took)
		}
		observed = append(observed, action+" "+result)
	}
	answer, err := ask(t.Context(), newTestClient(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if answer.TotalCount != 1 || answer.RequestID != "BE120DAB-F4E7-4C53-ADC3-A97578ABF384" || len(answer.Anomalies) != 0 {
		t.Errorf("got %+v", answer)
	}
	if want := (Subtask{"16190385", "cve", 4, "push_command_failed"}); len(answer.Subtasks) != 1 || answer.Subtasks[0] != want {
		t.Errorf("got %+v", answer.Subtasks)
	}
	if got := strings.Join(observed, ","); got != "DescribeVulCheckTaskStatusDetail ok" {
		t.Errorf("observed %q", got)
	}
}

func TestAFleetIsRead(t *testing.T) {
	fleet := simulator.Fleet{Seed: 3, Size: 20, TaskIDs: []string{"a", "b"}}
	server := quietServer(t, simulator.New(simulator.Options{Accounts: []simulator.Account{{
		AccessKeyID: testKeyID, AccessKeySecret: testSecret, Fleet: fleet,
	}}}), (*httptest.Server).Start)
	o := optionsFor(server.URL)
	o.Credentials = fixedKeys(testKeyID, testSecret, "")
	c := newTestClient(t, o)
	for _, s := range fleet.Servers() {
		answer, err := c.VulCheckTaskStatusDetail(t.Context(), Query{UUID: s.UUID, TaskIDs: fleet.TaskIDs, Types: allTypes()})
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Anomalies) != 0 || int(answer.TotalCount) != len(answer.Subtasks) || len(answer.Subtasks) != 6 {
			t.Errorf("%s: %+v", s.UUID, answer)
		}
	}
}

func TestTLSWithAKnownAuthority(t *testing.T) {
	server := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.Version < tls.VersionTLS12 || r.Proto != "HTTP/1.1" {
			t.Errorf("TLS %x, %s", r.TLS.Version, r.Proto)
		}
		_, _ = w.Write([]byte(exampleBody))
	}), func(s *httptest.Server) {
		s.EnableHTTP2 = true // offered, and not taken
		s.StartTLS()
	})
	c := newTestClient(t, optionsFor(server.URL))
	c.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	c.transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestTheDialerOfTheOptionsIsUsed(t *testing.T) {
	server := serveSimulator(t, func(w http.ResponseWriter, _ *simulator.Request) { _, _ = w.Write([]byte(exampleBody)) })
	o := optionsFor("http://tds.example")
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "tds.example:80" {
			t.Errorf("dials %s", address)
		}
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(server.URL, "http://"))
	}
	if _, err := ask(t.Context(), newTestClient(t, o)); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersUpTo4MiBAreRead(t *testing.T) {
	for size, fits := range map[int]bool{4 << 20: true, 4<<20 + 1: false} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(exampleBody + strings.Repeat(" ", size-len(exampleBody))))
		})
		if _, err := ask(t.Context(), newTestClient(t, optionsFor(server.URL))); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestAHugeAnswerCostsLittle(t *testing.T) {
	const size = 512 << 20
	chunk := make([]byte, 1<<20)
	var written atomic.Int64
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for written.Load() < size {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	c := newTestClient(t, optionsFor(server.URL))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	failed := mustFail(t.Context(), t, c)
	runtime.ReadMemStats(&after)
	if failed.Class != Response || failed.reason != "the answer is larger than 4 MiB" {
		t.Errorf("got %v (%s)", failed, failed.Class)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
		t.Errorf("%d bytes allocated", allocated)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	server.Close() // waits for the handler
	if written.Load() >= size {
		t.Error("all of the answer was taken")
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	for name, answerFirst := range map[string]bool{"before the headers": false, "in the body": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if answerFirst {
					_, _ = w.Write([]byte(exampleBody[:20]))
					_ = http.NewResponseController(w).Flush()
				}
				cancel()
				<-r.Context().Done()
			})
			var observed string
			o := optionsFor(server.URL)
			o.Observe = func(_, result string, _ time.Duration) { observed = result }
			start := time.Now()
			failed := mustFail(ctx, t, newTestClient(t, o))
			if failed.Class != Canceled || failed.Result != ResultCanceled || observed != ResultCanceled {
				t.Errorf("got %v, observed %q", failed, observed)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// leaving makes the caller give up when the answer has been read.
type leaving struct {
	http.RoundTripper
	leave context.CancelFunc
}

type leavingBody struct {
	io.ReadCloser
	leave context.CancelFunc
}

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = leavingBody{resp.Body, l.leave}
	}
	return resp, err
}

func (b leavingBody) Close() error {
	b.leave()
	return b.ReadCloser.Close()
}

func TestAnAnswerCountsThoughItsCallerHasLeft(t *testing.T) {
	for status, body := range map[int]string{200: exampleBody, 400: `{"Code":"IllegalParam"}`} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
		c := newTestClient(t, optionsFor(server.URL))
		ctx, cancel := context.WithCancel(t.Context())
		c.http.Transport = leaving{c.http.Transport, cancel}
		if status == http.StatusOK {
			if _, err := ask(ctx, c); err != nil {
				t.Error(err)
			}
		} else if failed := mustFail(ctx, t, c); failed.Class != Permanent || failed.Result != "IllegalParam" {
			t.Errorf("got %v (%s)", failed, failed.Class)
		}
		if ctx.Err() == nil {
			t.Error("the caller has not left")
		}
	}
}

func TestACallBeginsOnlyWithAContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	if failed := mustFail(ctx, t, newTestClient(t, optionsFor(server.URL))); failed.Class != Canceled {
		t.Errorf("got %v", failed)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	const bound, calls = 4, 100
	var opened atomic.Int32
	var mu sync.Mutex
	var busy, most int
	full := make(chan struct{}) // closed when as many requests as connections are there
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		busy++
		if most < bound && busy == bound {
			close(full)
		}
		most = max(most, busy)
		mu.Unlock()
		<-full
		mu.Lock()
		busy--
		mu.Unlock()
		_, _ = w.Write([]byte(exampleBody))
	})
	server := quietServer(t, handler, func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		s.Start()
	})
	o := optionsFor(server.URL)
	o.Connections = bound
	c := newTestClient(t, o)
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if _, err := ask(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Kept alive between the calls, so that none is opened twice.
	if opened.Load() != bound || most != bound {
		t.Errorf("%d connections for up to %d requests at once, want %d of each", opened.Load(), most, bound)
	}
}
