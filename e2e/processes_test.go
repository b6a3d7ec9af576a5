package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/capture"
)

// patience is how long anything may take that is about to happen.
const patience = 90 * time.Second

// program gives the path of a program that an environment variable names.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run these tests by `make e2e`", variable)
	}
	return path
}

// process is a server that runs beside the test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *capture.Buffer
	url  string
}

// start starts a server that serves HTTP at the address, and waits until the
// path answers with 200. It is stopped with the test, and has to end well.
func start(t *testing.T, address, path, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(binary), out: &capture.Buffer{}, url: "http://" + address}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = t.TempDir(), p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	until(t, p.name+" serves", func() error {
		_, err := get(p.url + path)
		return err
	})
	return p
}

// stop ends the process as an operator would; a failed test prints its output.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	killed := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer killed.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s ended: %v", p.name, err)
	}
	if p.t.Failed() {
		p.t.Logf("%s wrote, at last:\n%s", p.name, tail(p.out.String()))
	}
}

// tail gives the end of what was written.
func tail(text string) string { return text[max(0, len(text)-3000):] }

// freeAddress gives a loopback address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until waits until nothing is wrong any more.
func until(t *testing.T, what string, wrong func() error) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := wrong()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: until %s; at last: %v", what, err)
		}
	}
}

// get gives the body of a 200.
func get(url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.300s", url, resp.Status, body)
	}
	return body, err
}

// exporter starts the exporter.
func exporter(t *testing.T, args ...string) *process {
	t.Helper()
	address := freeAddress(t)
	return start(t, address, "/-/healthy", program(t, "EXPORTER"), append([]string{"--web.listen-address=" + address, "--log.level=warn"}, args...)...)
}

// write writes a file of the test.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
