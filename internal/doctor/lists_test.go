package doctor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// examineAccount runs the doctor on a Security Center of one account. settings is YAML of the
// configured account, without any server or task of its own.
func examineAccount(t *testing.T, a simulator.Account, settings string) (healthy bool, printed string) {
	t.Helper()
	endpoint := center(t, simulator.Options{Accounts: []simulator.Account{a}})
	cfg, err := config.Parse("test", fmt.Appendf(nil, "accounts:\n  - name: production\n    endpoint: %q\n    requests_per_second: 1000\n    credentials: %s\n%s",
		endpoint, keys(keyID, secret), settings))
	if err != nil {
		t.Fatal(err)
	}
	return examine(t, cfg, nil)
}

// wantLines checks that each of the texts begins a line, and that no other line says FAIL or warn.
func wantLines(t *testing.T, printed string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(printed, "\n  "+want) {
			t.Errorf("no line begins with %q:\n%s", want, printed)
		}
	}
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		bad := strings.HasPrefix(line, broken) || strings.HasPrefix(line, warning) && !strings.HasPrefix(line, "warn  configuration: ")
		for _, want := range wants {
			bad = bad && !strings.HasPrefix(line, want)
		}
		if bad {
			t.Errorf("the line %q is not expected", line)
		}
	}
}

func TestAnAccountWithNothingToWatchFailsAndNamesTheFilter(t *testing.T) {
	const nothing = "warn  poll: there is no server and task to poll yet"
	tests := map[string]struct {
		fleet    func(*simulator.Fleet)
		settings string
		want     []string
	}{
		"no server in the account": {func(f *simulator.Fleet) { f.Size = 0 }, "    discovery: {tasks: {}, servers: {}}\n", []string{
			"FAIL  servers: the account has none. Next: see in the Security Center console", nothing, "warn  server list: that of the newest task is empty",
		}},
		"every server left out": {func(f *simulator.Fleet) { f.OfflineRatio = 1 }, "    discovery: {tasks: {}, servers: {include: web-.*, exclude: web-1}}\n", []string{
			"FAIL  servers: none of the first 3 would be watched: exclude leaves out 1, include leaves out 1, online_only leaves out 1. Next: change discovery.servers", nothing,
		}},
		"some servers left out": {func(*simulator.Fleet) {}, "    discovery: {tasks: {}, servers: {include: web-.*}}\n", []string{
			"ok    servers: 2 of the first 3 would be watched: include leaves out 1",
		}},
		"a server on the second page": {func(f *simulator.Fleet) { f.Size = 150 }, "    discovery: {tasks: {}, servers: {include: web-111}}\n", []string{
			"ok    servers: 1 of the first 150 would be watched: include leaves out 149",
		}},
		"no task in the account": {func(f *simulator.Fleet) { f.TaskIDs = nil }, "    discovery: {tasks: {}, servers: {}}\n", []string{
			"FAIL  tasks: the account has none. Next: start a vulnerability scan", nothing,
		}},
		"every task too old": {func(*simulator.Fleet) {}, "    discovery: {tasks: {max_age: 1s}, servers: {}}\n", []string{
			"FAIL  tasks: none of the first page would be followed: max_age leaves out 1. Next: start a vulnerability scan", nothing,
		}},
		"tasks of other sources": {func(*simulator.Fleet) {}, "    discovery: {tasks: {sources: [schedule]}, servers: {}}\n", []string{
			"FAIL  tasks: none of the first page would be followed: sources leaves out 1. Next: ", nothing,
		}},
		"nothing configured": {func(*simulator.Fleet) {}, "", []string{
			"FAIL  tasks: none to watch. Next: turn on discovery.tasks", "FAIL  servers: none to watch. Next: turn on discovery.servers", nothing,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := account()
			tt.fleet(&a.Fleet)
			healthy, printed := examineAccount(t, a, tt.settings)
			if broke := strings.Contains(strings.Join(tt.want, ""), broken); healthy == broke {
				t.Errorf("healthy: %v", healthy)
			}
			wantLines(t, printed, tt.want...)
		})
	}
}

func TestItIsSaidUnderWhichIDsDetailsAreKnown(t *testing.T) {
	const discovery = "    discovery: {tasks: {}, servers: {}}\n"
	const named = "ok    server list: that of the newest task names servers in 3 of the first 3 entries"
	tests := map[string]struct {
		change func(*simulator.Fleet)
		want   []string
	}{
		"root": {func(*simulator.Fleet) {}, []string{named, "ok    task IDs: the service answers under the task's own ID, not"}},
		"leaf": {func(f *simulator.Fleet) { f.KnownIDs = simulator.LeafIDs }, []string{named, "ok    task IDs: the service answers under the ID of the server's part of the task only"}},
		"both": {func(f *simulator.Fleet) { f.KnownIDs = simulator.BothIDs }, []string{named, "ok    task IDs: the service answers under the task's own ID and under that of"}},
		"decimal IDs in answers": {func(f *simulator.Fleet) { f.DecimalTaskIDs, f.KnownIDs = true, simulator.LeafIDs }, []string{
			named, "ok    task IDs: the service answers under the ID of the server's part of the task only",
		}},
		"no server named": {func(f *simulator.Fleet) { f.BlankDetailData = true }, []string{
			"warn  server list: that of the newest task names servers in 0 of the first 3 entries. Next: nothing",
		}},
		"list denied": {func(f *simulator.Fleet) { f.ServerListsDenied = true }, []string{
			"warn  server list: that of the newest task cannot be read: DescribeOnceTask",
		}},
		"list fails": {func(f *simulator.Fleet) { f.ServerListFailsAt = 1 }, []string{
			"warn  server list: that of the newest task cannot be read: DescribeOnceTask",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := account()
			tt.change(&a.Fleet)
			healthy, printed := examineAccount(t, a, discovery)
			if !healthy || !strings.Contains(printed, "ok    poll: 1 of 1 servers asked answered with ") {
				t.Errorf("healthy: %v:\n%s", healthy, printed)
			}
			wantLines(t, printed, tt.want...)
			if !strings.Contains(printed, `"yundun-sas:DescribeOnceTask","yundun-sas:DescribeCloudCenterInstances"],`) {
				t.Errorf("another policy is printed:\n%s", printed)
			}
		})
	}
}

// A list that has UUIDs without their prefix is about servers that have one, and instance IDs are
// as good where the list of servers tells whose they are.
func TestServersOfAListAreAskedAboutAsTheServiceWritesThem(t *testing.T) {
	const prefixed = "inet-5d55af3c-35f3-4d4d-8ccc-8c5443b00001"
	e := &examination{instances: []sas.Instance{{UUID: prefixed, InstanceID: "i-1"}}}
	for _, s := range []sas.ServerScan{{UUID: sas.UUIDKey(prefixed)}, {InstanceID: "i-1"}} {
		if got := e.uuidOf(s); got != prefixed {
			t.Errorf("%+v: got %q", s, got)
		}
	}
	if got := e.uuidOf(sas.ServerScan{InstanceID: "i-2"}); got != "" {
		t.Errorf("an unknown instance has the UUID %q", got)
	}
}

func TestMemberAccountsAreReadOrNot(t *testing.T) {
	a := account()
	a.Members = map[string]simulator.Fleet{"1234567890123456": a.Fleet}
	for member, wants := range map[string][]string{
		"1234567890123456": {"ok    poll: 1 of 1", "ok    member account: 1234567890123456 can be read"},
		"1":                {"FAIL  member account: DescribeVulCheckTaskStatusDetail"},
	} {
		t.Run(member, func(t *testing.T) {
			endpoint := center(t, simulator.Options{Accounts: []simulator.Account{a}})
			cfg := configured(t, endpoint, keys(keyID, secret), listed())
			var out strings.Builder
			healthy := Run(t.Context(), cfg, func(a config.Account) API {
				return sas.NewClient(sas.Options{
					Account: a.Name, Scheme: a.Endpoint.Scheme, Host: a.Endpoint.Host, Timeout: a.Timeout, Connections: 1,
					Credentials:                sas.CredentialOptions{Keys: func() (string, string, string, error) { return keyID, secret, "", nil }},
					ResourceDirectoryAccountID: member,
				})
			}, &out)
			if healthy != (len(member) > 1) || !strings.Contains(out.String(), "\n  "+wants[0]) {
				t.Errorf("healthy: %v:\n%s", healthy, out.String())
			}
			if len(member) == 1 && !strings.Contains(out.String(), "Next: see that 1 is a member of the resource directory") {
				t.Errorf("printed:\n%s", out.String())
			}
		})
	}
}

func TestRefusalsOfTheAccountHaveTheirOwnAdvice(t *testing.T) {
	tests := map[string]struct{ code, subject, next string }{
		"not activated": {"Forbidden.NotActivated", "account", "activate Security Center"},
		"no RAM":        {"Forbedden.NotSupportRAM", "credentials", "use a key of the Alibaba Cloud account itself"},
		"free edition":  {"FreeVersionNotPermit", "account", "buy an edition"},
		"unknown code":  {"Strange.Code", "account", "look the error code up"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := simulator.Options{Accounts: []simulator.Account{account()}, Intercept: func(w http.ResponseWriter, r *simulator.Request) bool {
				r.Fail(w, http.StatusForbidden, tt.code, "m")
				return true
			}}
			healthy, printed := examine(t, configured(t, center(t, o), keys(keyID, secret), listed()), nil)
			if healthy || !strings.Contains(printed, "\n  FAIL  "+tt.subject+": ") || !strings.Contains(printed, tt.code) || !strings.Contains(printed, ". Next: "+tt.next) {
				t.Errorf("printed:\n%s", printed)
			}
		})
	}
}

// An operation that the edition lacks says nothing of the others.
func TestAnEditionWithoutListsMayStillHaveDetails(t *testing.T) {
	o := simulator.Options{Accounts: []simulator.Account{account()}, Intercept: func(w http.ResponseWriter, r *simulator.Request) bool {
		if r.Action != sas.ActionOnceTask {
			return false
		}
		r.Fail(w, http.StatusForbidden, "FreeVersionNotPermit", "m")
		return true
	}}
	_, printed := examine(t, configured(t, center(t, o), keys(keyID, secret), "    discovery: {tasks: {}}\n"+listed()), nil)
	for _, want := range []string{"FAIL  account: DescribeOnceTask", "ok    poll: 1 of 1 servers"} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q:\n%s", want, printed)
		}
	}
}

func TestTheNewestTaskIsExamined(t *testing.T) {
	a := account()
	a.Fleet.TaskIDs, a.Fleet.TaskEvery, a.Fleet.Start = nil, time.Minute, time.Now().Add(-10*time.Minute)
	_, printed := examineAccount(t, a, "    discovery: {tasks: {max_tasks: 3}, servers: {}}\n")
	wantLines(t, printed, "ok    tasks: 3 would be followed now", "ok    server list: that of the newest task names servers in 3")
}
