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
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/processtest"
)

// program returns the path of a program that an environment variable names.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run these tests by `make e2e`", variable)
	}
	return path
}

// start starts a server that serves HTTP at the address, and waits until the path answers with 200.
// It is stopped with the test, and has to end well.
func start(t *testing.T, address, path, binary string, args ...string) *processtest.Process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	cmd.Dir = t.TempDir()
	p := processtest.Start(t, cmd)
	p.URL = "http://" + address
	t.Cleanup(p.Stop)
	processtest.Until(t, filepath.Base(binary)+" serves", func() error {
		_, err := get(p.URL + path)
		return err
	})
	return p
}

// freeAddress returns a loopback address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get returns the body of a 200.
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

// exporter starts the exporter. It is stopped with the test, and has to end well.
func exporter(t *testing.T, args ...string) *processtest.Process {
	t.Helper()
	p := processtest.Serve(t, args...)
	t.Cleanup(p.Stop)
	return p
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
