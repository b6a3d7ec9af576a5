package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"aliyun_vulscan_exporter/internal/capture"
)

// patience is how long anything may take that is about to happen.
const patience = 30 * time.Second

// process is the exporter in a process of its own.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *capture.Buffer
	url            string // once it listens
	ended          chan struct{}
}

// launch starts the exporter with nothing but its flags: no stdin, no
// credentials and no home in its environment. It is killed when the test ends.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, stdout: &capture.Buffer{}, stderr: &capture.Buffer{}, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = []string{asProgram + "=1", "HOME=" + p.cmd.Dir, "PATH=" + os.Getenv("PATH")}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState has what it says
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended by themselves
		<-p.ended
		if strings.Contains(p.stderr.String(), "DATA RACE") {
			t.Errorf("a data race:\n%s", p.stderr)
		}
	})
	return p
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// serve launches the exporter on a free port and waits until it listens.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, append([]string{"--web.listen-address=127.0.0.1:0"}, args...)...)
	p.until("it listens", func() bool {
		m := listening.FindStringSubmatch(p.stderr.String())
		if m != nil {
			p.url = "http://" + m[1]
		}
		return m != nil
	})
	return p
}

// wait gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("it does not end; on stderr:\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a condition, and no longer than the process lives.
func (p *process) until(what string, holds func() bool) {
	p.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-ticker.C:
		case <-p.ended:
			if !holds() {
				p.t.Fatalf("ended before %s:\n%s", what, p.stderr)
			}
			return
		case <-deadline:
			p.t.Fatalf("in vain: until %s; on stderr:\n%s", what, p.stderr)
		}
	}
}

// answer is an HTTP answer, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// request makes a request; headers come as name and value in turn.
func (p *process) request(method, path string, headers ...string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := exchange(http.DefaultClient, r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (p *process) get(path string) answer {
	p.t.Helper()
	return p.request(http.MethodGet, path)
}

func exchange(c *http.Client, r *http.Request) (answer, error) {
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func (p *process) untilReady() {
	p.t.Helper()
	p.until("it is ready", func() bool { return p.get("/-/ready").status == http.StatusOK })
}

// samples are values by series, such as up{job="x"}.
type samples map[string]float64

func (p *process) scrape() samples {
	p.t.Helper()
	return decode(p.t, p.get("/metrics").body, expfmt.NewFormat(expfmt.TypeTextPlain))
}

func decode(t *testing.T, exposition string, format expfmt.Format) samples {
	t.Helper()
	decoder := expfmt.SampleDecoder{
		Dec:  expfmt.NewDecoder(strings.NewReader(exposition), format),
		Opts: &expfmt.DecodeOptions{Timestamp: model.Now()},
	}
	all := samples{}
	for {
		var vector model.Vector
		err := decoder.Decode(&vector)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, exposition)
		}
		for _, s := range vector {
			all[s.Metric.String()] = float64(s.Value)
		}
	}
}

// of gives the series of a metric and whose labels, as written, hold all parts.
func (s samples) of(metric string, parts ...string) samples {
	found := maps.Clone(s)
	maps.DeleteFunc(found, func(series string, _ float64) bool {
		name, labels, _ := strings.Cut(series, "{")
		for _, part := range parts {
			if !strings.Contains(labels, part) {
				return true
			}
		}
		return name != metric
	})
	return found
}

func (s samples) sum() float64 {
	total := 0.0
	for _, value := range s {
		total += value
	}
	return total
}
