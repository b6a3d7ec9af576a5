package web_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// groups are what /sd answers with.
type groups []struct {
	Targets []string
	Labels  map[string]string
}

func targetsAt(t *testing.T, h http.Handler, path string) (list groups) {
	t.Helper()
	got := get(h, path)
	if kind := got.Header().Get("Content-Type"); got.Code != http.StatusOK || kind != "application/json" {
		t.Fatal(got.Code, kind)
	}
	if err := json.Unmarshal(got.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWatchedServersAreServedAsTargets(t *testing.T) {
	t.Parallel()
	listed := scan.Target{Server: config.Server{UUID: "u-2", Name: "<b>"}}
	discovered := scan.Target{
		Server:    config.Server{UUID: "u-1", Name: `web "1"`, Labels: map[string]string{"team": "shop"}},
		AssetInfo: &discovery.Server{Instance: sas.Instance{Region: "cn-hangzhou", InstanceID: "i-1", IP: "10.0.0.1", OS: "linux"}},
	}
	ipv6 := scan.Target{Server: config.Server{UUID: "u-3"}, AssetInfo: &discovery.Server{Instance: sas.Instance{IP: "2001:db8::1"}}}
	o := options()
	o.Targets = func() []collector.Target {
		return []collector.Target{{Account: "a", Target: &discovered}, {Account: "a", Target: &listed}, {Account: "a", Target: &ipv6}}
	}
	h := handler(t, o)
	some, all := targetsAt(t, h, "/sd"), targetsAt(t, h, "/sd?all=1")
	if len(some) != 2 || !reflect.DeepEqual(some[0].Targets, []string{"10.0.0.1"}) || !reflect.DeepEqual(some[1].Targets, []string{"[2001:db8::1]"}) {
		t.Errorf("with an address: %+v", some)
	}
	if len(all) != 3 || !reflect.DeepEqual(all[1].Targets, []string{"u-2"}) || all[1].Labels["__meta_aliyun_vulscan_server"] != "<b>" {
		t.Errorf("all: %+v", all)
	}
	want := map[string]string{
		"account": "a", "uuid": "u-1", "server": `web "1"`, "region": "cn-hangzhou", "instance_id": "i-1", "ip": "10.0.0.1", "os": "linux", "label_team": "shop",
	}
	for name, value := range want {
		if got := some[0].Labels["__meta_aliyun_vulscan_"+name]; got != value {
			t.Errorf("label %s is %q, want %q", name, got, value)
		}
	}
	if len(some[0].Labels) != len(want) {
		t.Errorf("labels: %v", some[0].Labels)
	}
}

func TestNoTargetsAreAnEmptyList(t *testing.T) {
	t.Parallel()
	if got := get(handler(t, options()), "/sd").Body.String(); got != "[]" {
		t.Errorf("got %q", got)
	}
}

func TestNotReadyWhileListsAreToBeRead(t *testing.T) {
	t.Parallel()
	o := options()
	unread := account("a", scan.Totals{}, false)
	unread.Unread = 2
	o.Overview = func() *collector.Overview { return &collector.Overview{Accounts: all(unread)} }
	if got := get(handler(t, o), "/-/ready"); got.Code != http.StatusServiceUnavailable ||
		got.Body.String() != "not ready: 0 of 0 servers were polled\n2 lists of servers or tasks are still to be read\n" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
