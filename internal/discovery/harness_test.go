package discovery

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/capture"
	"aliyun_vulscan_exporter/internal/memnet"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that tests read.
type lines struct {
	capture.Buffer
	seen int // bytes
}

// told returns what was logged above level debug since it was asked last.
func (l *lines) told() []string {
	all := l.String()
	var found []string
	for line := range strings.Lines(all[l.seen:]) {
		if !strings.Contains(line, "level=debug") {
			found = append(found, line)
		}
	}
	l.seen = len(all)
	return found
}

// world is a Security Center, the discovery that reads it by HTTP, and what passed between them.
type world struct {
	t      *testing.T
	client *sas.Client
	log    lines
	stop   func()

	mu       sync.Mutex
	calls    []simulator.Call
	found    Found
	times    int // that found was told
	readings []ServerScans
}

// startWorld discovers a fleet as the options say, which may leave out all but what to discover. It
// ends with the test.
func startWorld(t *testing.T, fleet simulator.Fleet, o Options) *world {
	t.Helper()
	return startWorldOf(t, simulator.Options{Accounts: []simulator.Account{accountOf(fleet)}}, o, nil)
}

func accountOf(fleet simulator.Fleet) simulator.Account {
	return simulator.Account{Name: "main", AccessKeyID: "LTAImainkeyid", AccessKeySecret: "secret-of-the-key", Fleet: fleet}
}

// startWorldOf is startWorld with a Security Center of which answer may answer calls.
func startWorldOf(t *testing.T, so simulator.Options, o Options, answer func(http.ResponseWriter, *simulator.Request) bool) *world {
	t.Helper()
	w := &world{t: t}
	so.Intercept = answer
	so.Observe = func(c simulator.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, c)
	}
	network := memnet.New()
	server := &http.Server{Handler: simulator.New(so)}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(network) })
	client := sas.NewClient(sas.Options{
		Account: "main", Scheme: "http", Host: "127.0.0.1:1", Region: "cn-shanghai", Timeout: 10 * time.Second, Connections: 2,
		Credentials: sas.CredentialOptions{Keys: func() (string, string, string, error) { return "LTAImainkeyid", "secret-of-the-key", "", nil }},
		Product:     "test/1", Dial: network.Dial,
	})
	w.client = client
	o.Account, o.API = "main", client
	if o.Scans != nil {
		o.Scans.API, o.Scans.Told = client, func(r ServerScans) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.readings = append(w.readings, r)
		}
	}
	if o.Types == nil {
		o.Types = []string{"cve", "sys", "cms", "sca"}
	}
	o.Logger = level.NewFilter(log.NewLogfmtLogger(&w.log), level.AllowDebug())
	o.Found = func(found Found) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.found = found
		w.times++
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Run(ctx, o)
	}()
	w.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(func() {
		w.stop()
		client.Close()
		_ = server.Close()
		running.Wait()
	})
	return w
}

func (w *world) known() Found {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}

// read returns the readings of tasks' lists since it was asked last.
func (w *world) read() []ServerScans {
	w.mu.Lock()
	defer w.mu.Unlock()
	readings := w.readings
	w.readings = nil
	return readings
}

// callsOf returns when an action was called.
func (w *world) callsOf(action string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var times []time.Time
	for _, c := range w.calls {
		if c.Action == action {
			times = append(times, c.Time)
		}
	}
	return times
}

// wantTold checks what was logged above level debug since the last check: a line for each want,
// holding all its parts.
func (w *world) wantTold(wants ...[]string) {
	w.t.Helper()
	told := w.log.told()
	if len(told) != len(wants) {
		w.t.Errorf("%d lines were logged, want %d:\n%s", len(told), len(wants), strings.Join(told, ""))
		return
	}
	for i, want := range wants {
		for _, part := range append(want, "account=main") {
			if !strings.Contains(told[i], part) {
				w.t.Errorf("line %d lacks %q:\n%s", i+1, part, told[i])
			}
		}
	}
}

// inBubble runs a test in a bubble of its own, where time is fake.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets fake time pass, and everything that is due in it happen.
func pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// everyTask and everyServer are settings that leave nothing out.
func everyTask() *config.TaskDiscovery {
	return &config.TaskDiscovery{RefreshInterval: time.Minute, MaxAge: 24 * time.Hour, MaxTasks: 1 << 30}
}

func everyServer() *config.ServerDiscovery {
	return &config.ServerDiscovery{RefreshInterval: 10 * time.Minute}
}
