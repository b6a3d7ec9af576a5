package web_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"aliyun_vulscan_exporter/collector"
)

func TestWatchedServersAreServedAsTargets(t *testing.T) {
	t.Parallel()
	o := options()
	o.Servers = func() []collector.Watched {
		return []collector.Watched{
			{Account: "a", UUID: "u-1", Name: `web "1"`, Region: "cn-hangzhou", InstanceID: "i-1", IP: "10.0.0.1", OS: "linux", Labels: map[string]string{"team": "shop"}},
			{Account: "a", UUID: "u-2", Name: "<b>"},
		}
	}
	got := get(handler(t, o), "/sd")
	if kind := got.Header().Get("Content-Type"); got.Code != http.StatusOK || kind != "application/json" {
		t.Fatal(got.Code, kind)
	}
	var groups []struct {
		Targets []string
		Labels  map[string]string
	}
	if err := json.Unmarshal(got.Body.Bytes(), &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups) != 2 || !reflect.DeepEqual(groups[0].Targets, []string{"10.0.0.1"}) || !reflect.DeepEqual(groups[1].Targets, []string{"u-2"}) {
		t.Errorf("groups: %+v", groups)
	}
	want := map[string]string{
		"account": "a", "uuid": "u-1", "server": `web "1"`, "region": "cn-hangzhou", "instance_id": "i-1", "ip": "10.0.0.1", "os": "linux", "label_team": "shop",
	}
	for name, value := range want {
		if got := groups[0].Labels["__meta_aliyun_vulscan_"+name]; got != value {
			t.Errorf("label %s is %q, want %q", name, got, value)
		}
	}
	if len(groups[0].Labels) != len(want) || groups[1].Labels["__meta_aliyun_vulscan_server"] != "<b>" {
		t.Errorf("labels: %v", groups)
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
	o.Summaries = func() []collector.Summary { return []collector.Summary{{Undiscovered: 2}} }
	if got := get(handler(t, o), "/-/ready"); got.Code != http.StatusServiceUnavailable ||
		got.Body.String() != "not ready: 0 of 0 servers were polled\n2 lists of servers or tasks are still to be read\n" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
