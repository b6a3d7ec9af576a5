package processtest

import (
	"net"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// ended runs the exporter to its end.
func ended(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := Launch(t, args...)
	code = p.Wait()
	return code, p.Stdout.String(), p.Stderr.String()
}

// expectLogLines checks that all on stderr are lines of the log, with one time each.
func expectLogLines(t *testing.T, p *Process) {
	t.Helper()
	for line := range strings.Lines(p.Stderr.String()) {
		if !strings.HasPrefix(line, "ts=") || !strings.Contains(line, " level=") || strings.Contains(line, " time=") {
			t.Errorf("no line of the log: %s", line)
		}
	}
}

// expectOneLine checks that a text is one line and holds what is wanted.
func expectOneLine(t *testing.T, text string, want ...string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Errorf("not one line: %q", text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in %q", w, text)
		}
	}
}

// writeFile writes a file, atomically, and returns its path.
func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	fresh := path + "~" // matched by no pattern of these tests
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
	return path
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
