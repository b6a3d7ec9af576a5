package processtest

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/simulator"
)

func once(t *testing.T, path string) (code int, stdout, stderr string) {
	t.Helper()
	return ended(t, "--once", "--config.file="+path)
}

// ofProcess are series that tell of the process, not of Security Center.
var ofProcess = regexp.MustCompile(`^(go|process|promhttp)_`)

// subjects returns the series of an exposition that tell of Security Center.
func subjects(t *testing.T, exposition string) []string {
	t.Helper()
	all := Decode(t, exposition, expfmt.NewFormat(expfmt.TypeTextPlain))
	maps.DeleteFunc(all, func(series string, _ float64) bool {
		return ofProcess.MatchString(series) || strings.HasPrefix(series, "aliyun_vulscan_exporter_build_info")
	})
	return slices.Sorted(maps.Keys(all))
}

func TestOncePrintsTheSeriesThatServingHas(t *testing.T) {
	t.Parallel()
	fleet, now := testFleet(8), time.Now()
	c := newCenter(t, simulator.New(simulator.Options{
		Clock:    func() time.Time { return now },
		Accounts: []simulator.Account{testAccount(fleet)},
	}))
	path := configured(t, accountFile{name: "a", endpoint: c.url, servers: fleet.Servers()})
	code, stdout, stderr := once(t, path)
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	p := Serve(t, "--config.file="+path)
	p.UntilReady()
	served, printed := subjects(t, p.Get("/metrics").Body), subjects(t, stdout)
	for _, series := range served {
		if !slices.Contains(printed, series) {
			t.Errorf("not printed: %s", series)
		}
	}
	for _, series := range printed {
		if !slices.Contains(served, series) {
			t.Errorf("not served: %s", series)
		}
	}
	if len(printed) < 8*3 {
		t.Errorf("%d series are too few to tell anything", len(printed))
	}
	if !strings.Contains(stdout, "# HELP aliyun_vulscan_subtask_error ") || !strings.Contains(stdout, "\ngo_goroutines ") {
		t.Error("not the whole exposition")
	}
}

func TestOnceFailsIfAnyPollFailed(t *testing.T) {
	t.Parallel()
	fleet := testFleet(3)
	servers := fleet.Servers()
	for name, c := range map[string]struct {
		account     func(*simulator.Account)
		intercept   func(http.ResponseWriter, *simulator.Request) bool
		want        string
		wantFailing string // on stdout
	}{
		"one server": {
			intercept: func(w http.ResponseWriter, r *simulator.Request) bool {
				if r.UUID != servers[1].UUID {
					return false
				}
				r.Fail(w, http.StatusInternalServerError, "ServerError", "ServerError")
				return true
			},
			want: "1 of its 3 servers", wantFailing: `aliyun_vulscan_servers{account="a",state="failing"} 1`,
		},
		"refused": {
			account: func(a *simulator.Account) { a.AccessKeySecret = "another-secret" },
			want:    "3 of its 3 servers", wantFailing: `result="SignatureDoesNotMatch"`,
		},
		"no permission": {
			account: func(a *simulator.Account) { a.DeniedActions = []string{"DescribeVulCheckTaskStatusDetail"} },
			want:    "3 of its 3 servers", wantFailing: `result="NoPermission"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := testAccount(fleet)
			if c.account != nil {
				c.account(&account)
			}
			center := newCenter(t, simulator.New(simulator.Options{Accounts: []simulator.Account{account}, Intercept: c.intercept}))
			code, stdout, stderr := once(t, configured(t, accountFile{name: "a", endpoint: center.url, servers: servers}))
			if code != 1 || !strings.Contains(stdout, c.wantFailing) || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
			if t.Failed() {
				t.Log(stdout)
			}
		})
	}
}

func TestOnceWithNothingToPollSucceeds(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := once(t, configured(t, accountFile{name: "a", endpoint: "http://127.0.0.1:1"}))
	if code != 0 || !strings.Contains(stdout, `aliyun_vulscan_servers{account="a",state="ok"} 0`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestOnceEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	path, c := hanging(t)
	p := Launch(t, "--once", "--config.file="+path)
	p.Until("a call is in flight", func() bool { return c.calls() > 0 })
	if code := p.stopped(os.Interrupt); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.Stderr.String(), "interrupted before every server was polled") {
		t.Errorf("it does not say so: %s", p.Stderr)
	}
}
