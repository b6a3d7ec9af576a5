package processtest

import (
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// held launches the exporter with a command line that it has to read from a pipe, and returns once
// it does: nothing else has been done by then. proceed writes the command line.
func held(t *testing.T, args ...string) (p *Process, proceed func()) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "args")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p = Launch(t, "@"+pipe)
	opened := make(chan *os.File, 1)
	go func() {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the reader has opened it
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	select {
	case w := <-opened:
		return p, func() {
			if _, err := io.WriteString(w, strings.Join(args, "\n")+"\n"); err != nil {
				t.Error(err)
			}
			_ = w.Close()
		}
	case <-p.Ended:
		t.Fatalf("it does not read its command line:\n%s", p.Stderr)
	case <-time.After(Patience):
		t.Fatal("it does not read its command line")
	}
	return nil, nil
}

// fleetFile writes the configuration of a fleet that nobody has to answer for.
func fleetFile(t *testing.T, size int) string {
	t.Helper()
	a := accountFile{name: "a", endpoint: "http://127.0.0.1:1", servers: simulator.Fleet{Seed: 3, Size: size}.Servers()}
	return "--config.file=" + configured(t, a)
}

func TestHangupWhileStartingReloadsOnceServing(t *testing.T) {
	t.Parallel()
	for size, moments := range map[int]int{2: 6, 5_000: 4} {
		args := []string{fleetFile(t, size), "--web.listen-address=127.0.0.1:0"}
		start := time.Now()
		first, proceed := held(t, args...)
		proceed()
		first.UntilListening()
		boot := time.Since(start)
		first.Kill()
		for i := range moments {
			t.Run(strconv.Itoa(size)+" servers, moment "+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				p, proceed := held(t, args...)
				if i == 0 {
					p.Signal(syscall.SIGHUP)
				}
				proceed()
				if i > 0 {
					select {
					case <-time.After(time.Duration(rand.Int64N(int64(boot)))):
					case <-p.Ended:
					}
					p.Signal(syscall.SIGHUP)
				}
				p.Until("it has reloaded", func() bool { return strings.Count(p.Stderr.String(), `"configuration loaded"`) == 2 })
				p.UntilListening()
				if got := p.Get("/-/healthy"); got.Status != http.StatusOK {
					t.Errorf("%d %s", got.Status, got.Body)
				}
				p.Stop()
			})
		}
	}
}

func TestSignalsWhileStartingAreCaughtInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"--config.check", "--once", "--doctor", "--web.listen-address=127.0.0.1:0"} {
		for name, c := range map[string]struct {
			signal syscall.Signal
			codes  map[string]int // of modes; others: 0
		}{
			"SIGHUP":  {syscall.SIGHUP, map[string]int{"--once": 1, "--doctor": 1}}, // nobody answers
			"SIGTERM": {syscall.SIGTERM, map[string]int{"--once": 1, "--doctor": 1}},
			"SIGINT":  {syscall.SIGINT, map[string]int{"--once": 1, "--doctor": 1}},
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				p, proceed := held(t, mode, fleetFile(t, 2))
				p.Signal(c.signal)
				proceed()
				if name == "SIGHUP" && strings.HasPrefix(mode, "--web") {
					p.UntilListening()
					p.Signal(syscall.SIGTERM)
				}
				if code := p.Wait(); code != c.codes[mode] {
					t.Errorf("exit code %d:\n%s%s", code, p.Stdout, p.Stderr)
				}
			})
		}
	}
}

func TestALogThatNobodyReadsEndsNothing(t *testing.T) {
	t.Parallel()
	log, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := freeAddress(t)
	cmd := Command(t, "--demo", "--web.enable-lifecycle", "--log.level=debug", "--web.listen-address="+l)
	cmd.Stdout, cmd.Stderr = writer, writer
	p := Start(t, cmd)
	_ = writer.Close() // the process has its own
	p.URL = "http://" + l
	healthy := func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/-/healthy", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Exchange(http.DefaultClient, r)
		return err == nil && got.Status == http.StatusOK
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, log) }()
	p.Until("it serves", healthy)
	_ = log.Close()
	<-drained
	for range 3 { // each logs a line, and the demo's polls more
		if got := p.Request(http.MethodPost, "/-/reload"); got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	p.UntilReady()
	if code := p.stopped(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Who reads only the beginning of what --once prints gets no stack trace, and no signal.
func TestOnceWhoseReaderIsGoneFails(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	cmd := Command(t, "--demo", "--once", "--log.level=error")
	cmd.Stdout = writer
	p := Start(t, cmd)
	_ = writer.Close()
	if code := p.Wait(); code != 1 || !strings.Contains(p.Stderr.String(), "broken pipe") {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
}
