package processtest

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/capture"
)

// Patience is how long a test waits for anything.
const Patience = 90 * time.Second

// Process is a program that runs beside a test, and is killed at its end.
type Process struct {
	Stdout, Stderr *capture.Buffer
	URL            string // where it listens; UntilListening sets it
	Ended          <-chan struct{}

	t   testing.TB
	cmd *exec.Cmd
}

// Command returns a command of the exporter, with nothing but its flags: no stdin, no credentials
// and no home in its environment.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv(binary)
	if path == "" {
		t.Fatalf("%s is not set: TestMain has to call processtest.Main", binary)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{AsProgram + "=1", "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// Start starts a command. Where its stdout or stderr is not set, the process captures it.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	ended := make(chan struct{})
	p := &Process{Stdout: &capture.Buffer{}, Stderr: &capture.Buffer{}, Ended: ended, t: t, cmd: cmd}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the result is in ProcessState
	}()
	t.Cleanup(func() {
		p.Kill()
		if strings.Contains(p.Stderr.String(), "DATA RACE") {
			t.Errorf("a data race:\n%s", p.Stderr)
		}
	})
	return p
}

// Launch starts the exporter.
func Launch(t testing.TB, args ...string) *Process {
	t.Helper()
	return Start(t, Command(t, args...))
}

// Serve launches the exporter on a free port and waits until it listens.
func Serve(t testing.TB, args ...string) *Process {
	t.Helper()
	p := Launch(t, append([]string{"--web.listen-address=127.0.0.1:0"}, args...)...)
	p.UntilListening()
	return p
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// Listens sets URL, and says whether the exporter's log has it already.
func (p *Process) Listens() bool {
	m := listening.FindStringSubmatch(p.Stderr.String())
	if m != nil {
		p.URL = "http://" + m[1]
	}
	return m != nil
}

// UntilListening waits until the exporter listens.
func (p *Process) UntilListening() {
	p.t.Helper()
	p.Until("it listens", p.Listens)
}

// UntilReady waits until every server was polled, or tried.
func (p *Process) UntilReady() {
	p.t.Helper()
	p.Until("it is ready", func() bool { return p.Get("/-/ready").Status == http.StatusOK })
}

// Until waits for a condition, and no longer than the process lives.
func (p *Process) Until(what string, holds func() bool) {
	p.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(Patience); !holds(); {
		select {
		case <-ticker.C:
		case <-p.Ended:
			if !holds() {
				p.t.Fatalf("%s ended before %s:\n%s", p.name(), what, p.Stderr)
			}
			return
		case <-deadline:
			p.t.Fatalf("in vain: until %s; %s wrote on stderr, at last:\n%s", what, p.name(), tail(p.Stderr.String()))
		}
	}
}

// Until waits until nothing is wrong any more.
func Until(t testing.TB, what string, wrong func() error) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(Patience); ; {
		err := wrong()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("in vain: until %s; at last: %v", what, err)
		}
	}
}

// Signal sends a signal to the process.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the process at once, unless it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // most have ended by themselves
	<-p.Ended
}

// Wait returns the exit code once the process has ended.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		p.t.Fatalf("%s does not end; on stderr:\n%s", p.name(), p.Stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop ends the process as an operator does, and fails the test unless it ends well. A failed test
// shows what the process wrote at last.
func (p *Process) Stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != 0 {
		p.t.Errorf("%s ended with exit code %d", p.name(), code)
	}
	if p.t.Failed() {
		p.t.Logf("%s wrote, at last:\n%s", p.name(), tail(p.Stdout.String()+p.Stderr.String()))
	}
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }

// tail returns the end of what was written.
func tail(text string) string { return text[max(0, len(text)-3000):] }
