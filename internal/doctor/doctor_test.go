package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyID  = "LTAI5tDoctorTest00000001"
	secret = "doctor-test-secret-1"
	token  = "doctor-test-token-1"
	task   = "ad8afca3914a5fff4636e67f18e259c7"
)

// account is a Security Center's, with one scan under way.
func account() simulator.Account {
	return simulator.Account{
		Name: "test", AccessKeyID: keyID, AccessKeySecret: secret,
		Fleet: simulator.Fleet{
			Seed: 3, Size: 3, Start: time.Now().Add(-time.Minute), TaskIDs: []string{task}, ScanDuration: 10 * time.Minute,
		},
	}
}

// serve serves a handler and returns its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// center serves a Security Center.
func center(t *testing.T, o simulator.Options) string {
	t.Helper()
	return serve(t, simulator.New(o))
}

// configured returns a configuration of one account. servers and more are YAML.
func configured(t *testing.T, endpoint, credentials, more string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test", fmt.Appendf(nil, `
global: {timeout: 5s}
accounts:
  - name: production
    endpoint: %q
    credentials: %s
    task_ids: [%s]
%s`, endpoint, credentials, task, more))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func keys(id, secret string) string {
	return fmt.Sprintf("{access_key_id: %s, access_key_secret: %s}", id, secret)
}

// listed is the account's first server, as YAML of the configuration.
func listed() string {
	s := account().Fleet.Servers()[0]
	return fmt.Sprintf("    servers: [{uuid: %q, name: %s}]\n", s.UUID, s.Name)
}

// examine runs the doctor and returns what it printed.
func examine(t *testing.T, cfg *config.Config, dial func(context.Context, string, string) (net.Conn, error)) (healthy bool, printed string) {
	t.Helper()
	connect := func(a config.Account) API {
		if dial == nil {
			return sas.ForAccount(a, "test/1", nil)
		}
		return sas.NewClient(sas.Options{
			Account: a.Name, Scheme: a.Endpoint.Scheme, Host: a.Endpoint.Host, Timeout: a.Timeout, Connections: 1, Dial: dial,
		})
	}
	var out strings.Builder
	healthy = Run(t.Context(), cfg, connect, &out)
	for _, hidden := range []string{keyID, secret, token, "Signature="} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is printed:\n%s", hidden, out.String())
		}
	}
	return healthy, out.String()
}

func TestAHealthyAccount(t *testing.T) {
	endpoint := center(t, simulator.Options{Accounts: []simulator.Account{account()}})
	discovery := "    discovery: {tasks: {max_age: 24h}, servers: {}}\n"
	healthy, printed := examine(t, configured(t, endpoint, keys(keyID, secret), listed()+discovery), nil)
	printed = regexp.MustCompile(`in [0-9µm.]+s\b`).ReplaceAllString(printed, "in 1ms")
	printed = regexp.MustCompile(`clock is \ds (ahead of|behind)`).ReplaceAllString(printed, "clock is 0s behind")
	want := `account production at ` + endpoint + `
  ok    endpoint: Alibaba Cloud's gateway answers in 1ms
  ok    clock: this machine's clock is 0s behind the service's
  ok    credentials: accepted
  ok    permission: yundun-sas:DescribeOnceTask is granted
  ok    tasks: 1 would be followed now
  ok    permission: yundun-sas:DescribeCloudCenterInstances is granted
  ok    servers: 3 of the first 3 would be watched
  ok    server list: that of the newest task names servers in 3 of the first 3 entries
  ok    permission: yundun-sas:DescribeVulCheckTaskStatusDetail is granted
  ok    poll: 1 of 1 servers asked answered with 3 subtasks
  ok    task IDs: the service answers under the task's own ID, not under that of the server's part of it
  least RAM policy for the account's user or role:
  {"Version":"1","Statement":[{"Effect":"Allow","Action":["yundun-sas:DescribeVulCheckTaskStatusDetail",` +
		`"yundun-sas:DescribeOnceTask","yundun-sas:DescribeCloudCenterInstances"],"Resource":"*"}]}
everything works
`
	if !healthy || printed != want {
		t.Errorf("healthy: %v, printed:\n%s\nwant:\n%s", healthy, printed, want)
	}
}

// ailment is something that is wrong with an account, and what --doctor must print.
type ailment struct {
	name        string
	center      func(*simulator.Options)
	endpoint    string // instead of a Security Center's
	credentials string
	more        string // instead of one listed server
	dial        func(context.Context, string, string) (net.Conn, error)
	// subject and fault begin and end the only line that says FAIL; next is the beginning of the
	// step to take.
	subject, fault, next string
}

func change(f func(*simulator.Account)) func(*simulator.Options) {
	return func(o *simulator.Options) { f(&o.Accounts[0]) }
}

func dialing(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
}

// ailments need servers, which are made in t.
func ailments(t *testing.T) []ailment {
	unused := httptest.NewServer(http.NotFoundHandler())
	unused.Close()
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(encrypted.Close)
	web := serve(t, http.NotFoundHandler())
	silent, hang := context.WithCancel(context.Background())
	t.Cleanup(hang)
	mute := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silent.Done():
		case <-r.Context().Done():
		}
	}))
	otherProduct := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"RequestId":"A","Code":"InvalidAction.NotFound","Message":"Specified api is not found"}`)
	}))
	return append(refusals(), []ailment{
		{
			name: "no network", dial: dialing(os.NewSyscallError("connect", syscall.ENETUNREACH)), subject: "endpoint",
			fault: "network is unreachable", next: "this machine has no network that leads there",
		},
		{
			name: "no name server", dial: dialing(&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true}), subject: "endpoint",
			fault: "server misbehaving", next: "this machine has no network that leads there",
		},
		{
			name: "wrong endpoint: no such host", dial: dialing(&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}), subject: "endpoint",
			fault: "no such host", next: "no such name: look for a misspelt endpoint or region",
		},
		{
			name: "wrong endpoint: nothing listens", endpoint: unused.URL, subject: "endpoint",
			fault: "connection refused", next: "wrong endpoint or port",
		},
		{
			name: "wrong endpoint: a web server", endpoint: web, subject: "endpoint",
			fault: "HTTP 404 of something that is not Alibaba Cloud's gateway", next: "wrong endpoint: compare endpoint and region",
		},
		{
			name: "wrong endpoint: another product", endpoint: otherProduct, subject: "DescribeVulCheckTaskStatusDetail",
			fault: "InvalidAction.NotFound", next: "compare endpoint and region",
		},
		{
			name: "wrong endpoint: another's certificate", endpoint: encrypted.URL, subject: "endpoint",
			fault: "certificate signed by unknown authority", next: "wrong endpoint, or a proxy that opens TLS",
		},
		{
			name: "wrong endpoint: no TLS", endpoint: strings.Replace(web, "http:", "https:", 1), subject: "endpoint",
			fault: "plain HTTP, not TLS", next: "wrong endpoint, or a proxy that opens TLS",
		},
		{
			name: "an endpoint that says nothing", endpoint: mute, more: "    timeout: 50ms\n" + listed(), subject: "endpoint",
			fault: "no answer in time", next: "let firewall and security group pass TCP",
		},
		{
			name: "unknown UUID", more: "    servers: [{uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b0ffff, name: web-9}]\n",
			subject: "server web-9 (5d55af3c-35f3-4d4d-8ccc-8c5443b0ffff)",
			fault:   "the service knows no scan of a server with this UUID", next: "compare the UUID with the console's list of assets",
		},
		{
			name: "throttled for good", center: change(func(a *simulator.Account) { a.RequestsPerSecond = 0.001 }), more: "    discovery: {tasks: {}}\n" + listed(),
			subject: "DescribeVulCheckTaskStatusDetail", fault: "Throttling.User", next: "the account's quota is used up",
		},
		{name: "HTTP 500", center: func(o *simulator.Options) {
			o.Intercept = func(w http.ResponseWriter, r *simulator.Request) bool {
				r.Fail(w, http.StatusInternalServerError, "ServerError", "ServerError")
				return true
			}
		}, subject: "DescribeVulCheckTaskStatusDetail", fault: "ServerError", next: "the service has trouble"},
		{name: "a task ID that is refused", center: func(o *simulator.Options) {
			o.Intercept = func(w http.ResponseWriter, r *simulator.Request) bool {
				r.Fail(w, http.StatusBadRequest, "IllegalParam", "Illegal param")
				return true
			}
		}, subject: "DescribeVulCheckTaskStatusDetail", fault: "IllegalParam", next: "the service does not take the UUID or a task ID"},
	}...)
}

// refusals are ailments of credentials, permissions and clocks.
func refusals() []ailment {
	temporary := "{access_key_id: " + keyID + ", access_key_secret: " + secret + ", security_token: " + token + "}"
	return []ailment{
		{
			name: "wrong key", credentials: keys("LTAI5tNobodysKey00000001", secret), subject: "credentials",
			fault: "InvalidAccessKeyId.NotFound", next: "find the key in the RAM console",
		},
		{
			name: "disabled key", center: change(func(a *simulator.Account) { a.Disabled = true }), subject: "credentials",
			fault: "InvalidAccessKeyId.Inactive", next: "find the key in the RAM console",
		},
		{
			name: "wrong secret", credentials: keys(keyID, "not-the-secret"), subject: "credentials",
			fault: "SignatureDoesNotMatch", next: "the ID is known, so the secret is wrong",
		},
		{name: "expired token", credentials: temporary, center: change(func(a *simulator.Account) {
			a.SecurityToken, a.TokenExpires = token, time.Now().Add(-time.Minute)
		}), subject: "credentials", fault: "InvalidSecurityToken.Expired", next: "renew token and key"},
		{
			name: "another key's token", credentials: temporary, subject: "credentials",
			fault: "InvalidSecurityToken.MismatchWithAccessKey", next: "take key ID, secret and token from the same answer",
		},
		{
			name: "no token", center: change(func(a *simulator.Account) { a.SecurityToken = token }), subject: "credentials",
			fault: "MissingSecurityToken", next: "give the security_token",
		},
		{
			name: "no profile", credentials: "{profile: nobody}", subject: "credentials",
			fault: "credentials from profile nobody", next: "see that what `credentials` names exists here",
		},
		{
			name: "clock 20 minutes behind", center: clock(20*time.Minute + 30*time.Second), subject: "clock",
			fault: "clock is 20m", next: "set this machine's clock",
		},
		{
			name: "clock 20 minutes ahead", center: clock(-20*time.Minute - 30*time.Second), subject: "clock",
			fault: "ahead of the service's", next: "set this machine's clock",
		},
		{name: "no permission", center: change(func(a *simulator.Account) {
			a.DeniedActions = []string{sas.ActionVulCheckTaskStatusDetail}
		}), subject: "permission", fault: "NoPermission", next: "add yundun-sas:DescribeVulCheckTaskStatusDetail to the RAM policy"},
		{
			name: "no permission to discover", center: change(func(a *simulator.Account) {
				a.DeniedActions, a.DeniedCode = []string{sas.ActionOnceTask}, "Forbidden.RAM"
			}), more: "    discovery: {tasks: {}}\n" + listed(), subject: "permission", fault: "Forbidden.RAM",
			next: "add yundun-sas:DescribeOnceTask to the RAM policy",
		},
		{name: "a restricted account", center: change(func(a *simulator.Account) {
			a.DeniedActions, a.DeniedCode = []string{sas.ActionVulCheckTaskStatusDetail}, "Forbidden.RiskControl"
		}), subject: "account", fault: "Forbidden.RiskControl", next: "see to the Alibaba Cloud account itself"},
	}
}

// clock sets the service's clock so far ahead of this machine's.
func clock(ahead time.Duration) func(*simulator.Options) {
	return func(o *simulator.Options) {
		o.Clock = func() time.Time { return time.Now().Add(ahead) }
	}
}

func TestEachAilmentIsToldApartWithTheNextStep(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // no profiles
	for _, a := range ailments(t) {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{Accounts: []simulator.Account{account()}}
			if a.center != nil {
				a.center(&o)
			}
			if a.endpoint == "" {
				a.endpoint = center(t, o)
			}
			if a.credentials == "" {
				a.credentials = keys(keyID, secret)
			}
			if a.more == "" {
				a.more = listed()
			}
			healthy, printed := examine(t, configured(t, a.endpoint, a.credentials, a.more), a.dial)
			failures := slices.DeleteFunc(strings.Split(printed, "\n"), func(line string) bool {
				return !strings.HasPrefix(line, "  FAIL")
			})
			if healthy || len(failures) != 1 {
				t.Fatalf("healthy: %v; want one line with FAIL:\n%s", healthy, printed)
			}
			line := failures[0]
			if !strings.HasPrefix(line, "  FAIL  "+a.subject+": ") || !strings.Contains(line, a.fault) || !strings.Contains(line, ". Next: "+a.next) {
				t.Errorf("want %s: ...%s... Next: %s...; printed:\n%s", a.subject, a.fault, a.next, printed)
			}
			if !strings.Contains(printed, "least RAM policy") {
				t.Errorf("no policy is printed:\n%s", printed)
			}
		})
	}
}

func TestDoubtsAreWarningsOnly(t *testing.T) {
	tests := []struct {
		name    string
		center  simulator.Account
		more    string
		verdict string // the line
	}{
		{"a clock a minute off", account(), listed(), "warn  clock: this machine's clock is 1m"},
		{
			"other tasks than those asked for", account(), strings.Replace(listed(), "}]", ", task_ids: [16190385]}]", 1),
			"warn  server ",
		},
		{"no tasks yet", account(), "    discovery: {tasks: {max_age: 1s}}\n" + listed(), "warn  tasks: none of the first page would be followed: max_age leaves out 1"},
		{"no servers beside those listed", account(), "    discovery: {servers: {include: nobody}}\n" + listed(), "warn  servers: none of the first 3 would be watched: include leaves out 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := simulator.Options{Accounts: []simulator.Account{test.center}}
			if strings.HasPrefix(test.name, "a clock") {
				o.Clock = func() time.Time { return time.Now().Add(time.Minute + 15*time.Second) }
			}
			healthy, printed := examine(t, configured(t, center(t, o), keys(keyID, secret), test.more), nil)
			if !healthy || !strings.Contains(printed, test.verdict) || strings.Contains(printed, broken) {
				t.Errorf("healthy: %v, want %q:\n%s", healthy, test.verdict, printed)
			}
		})
	}
}

func TestThePermissionIsExaminedWithNothingToPoll(t *testing.T) {
	a := account()
	a.Fleet.Size, a.DeniedActions = 0, []string{sas.ActionVulCheckTaskStatusDetail}
	endpoint := center(t, simulator.Options{Accounts: []simulator.Account{a}})
	healthy, printed := examine(t, configured(t, endpoint, keys(keyID, secret), "    discovery: {servers: {}}\n"), nil)
	if healthy || !strings.Contains(printed, "FAIL  permission: DescribeVulCheckTaskStatusDetail") {
		t.Errorf("healthy: %v:\n%s", healthy, printed)
	}
}

func TestTheKeysOfARoleNeedAPolicyOfTheirOwn(t *testing.T) {
	var out strings.Builder
	e := &examination{out: &out, account: config.Account{Credentials: config.Credentials{RoleARN: "acs:ram::1:role/scan"}}}
	e.printPolicy()
	want := `  least RAM policy for the role acs:ram::1:role/scan:
  {"Version":"1","Statement":[{"Effect":"Allow","Action":["yundun-sas:DescribeVulCheckTaskStatusDetail"],"Resource":"*"}]}
  and for the user whose keys assume it:
  {"Version":"1","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":"acs:ram::1:role/scan"}]}
`
	if out.String() != want {
		t.Errorf("printed:\n%s", out.String())
	}
}
