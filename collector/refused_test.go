package collector_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// refusing refuses an account's credentials until it is mended.
type refusing struct {
	mu     sync.Mutex
	status int
	code   string
}

func (f *refusing) set(status int, code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.code = status, code
}

func (f *refusing) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.code != "" {
		r.Fail(w, f.status, f.code, "m")
	}
	return f.code != ""
}

func TestRefusedAccountIsOnlyProbed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		code   string
		many   []string // servers
	}{
		"unknown key":                   {404, "InvalidAccessKeyId.NotFound", serversYAML(50)},
		"bad signature":                 {400, "SignatureDoesNotMatch", serversYAML(50)},
		"no permission":                 {403, "NoPermission", serversYAML(50)},
		"no permission for one server":  {403, "Forbidden.RAM", serversYAML(1)},
		"no permission for two servers": {403, "Forbidden.RAM", serversYAML(2)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := &refusing{}
				f.set(tt.status, tt.code)
				w := startWorld(t, simulator.Options{Intercept: f.intercept}, yamlOf(yamlAccount("main", "", tt.many...)))
				pass(25 * time.Second)
				first := len(w.observed())
				wantEqual(t, "calls before the first probe", first, 1)
				pass(10 * time.Minute)
				wantEqual(t, "probes in 10 minutes", len(w.observed())-first, 20)
				told := w.log.severe()
				if len(told) != 1 || !strings.Contains(told[0], tt.code) || !strings.Contains(told[0], "level=error") {
					t.Errorf("logged %q", told)
				}
				wantEqual(t, "refused", w.summaries()[0].Refused, true)

				f.set(0, "")
				pass(40 * time.Second)
				wantEqual(t, "up", w.value("server_up"), len(tt.many))
				wantEqual(t, "refused", w.summaries()[0].Refused, false)
				if told := w.log.String(); strings.Count(told, "credentials accepted again") != 1 {
					t.Errorf("logged %s", told)
				}
			})
		})
	}
}

// The first refusal ends the poll of a server that takes several calls.
func TestProbeIsOneCall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		f := &refusing{}
		f.set(403, "NoPermission")
		w := startWorld(t, simulator.Options{Intercept: f.intercept}, yamlOf(yamlAccount("main", "", serverYAML(1, "task_ids: ["+taskList(120)+"]"))))
		pass(10*time.Minute - time.Second)
		wantEqual(t, "calls", len(w.observed()), 20)
		w.wants("server_up", upIs(1, 0))
	})
}

// A key is rotated: what failed meanwhile was the account, not its servers.
func TestRefusedAgainIsToldAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		f := &refusing{}
		w := startWorld(t, simulator.Options{Intercept: f.intercept}, yamlOf(yamlAccount("main", "", serversYAML(3)...)))
		for range 3 {
			pass(2 * time.Minute)
			f.set(403, "NoPermission")
			pass(2 * time.Minute)
			f.set(0, "")
		}
		pass(time.Minute)
		wantEqual(t, "times told", strings.Count(w.log.String(), "level=error"), 3)
		wantEqual(t, "up", w.value("server_up"), 3)
	})
}

// The real checks of key, secret and clock, rather than a scripted refusal.
func TestWrongKeysAndClocksAreRefusals(t *testing.T) {
	t.Parallel()
	wrongKey, wrongSecret := simulated("main"), simulated("main")
	wrongKey.AccessKeyID, wrongSecret.AccessKeySecret = "LTAIothers", "another-secret"
	tests := map[string]struct {
		options simulator.Options
		probe   int // calls in each
		code    string
	}{
		"key":    {simulator.Options{Accounts: []simulator.Account{wrongKey}}, 1, "InvalidAccessKeyId.NotFound"},
		"secret": {simulator.Options{Accounts: []simulator.Account{wrongSecret}}, 1, "SignatureDoesNotMatch"},
		"clock":  {simulator.Options{Clock: func() time.Time { return time.Now().Add(time.Hour) }}, 2, "InvalidTimeStamp.Expired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := startWorld(t, tt.options, yamlOf(yamlAccount("main", "concurrency: 1", serversYAML(5)...)))
				pass(5*time.Minute - time.Second)
				wantEqual(t, "calls", w.counted("api_requests_total", "result")[tt.code], 10*tt.probe)
				wantEqual(t, "refused", w.summaries()[0].Refused, true)
				wantEqual(t, "lines of log", len(w.log.severe()), 1)
			})
		})
	}
}
