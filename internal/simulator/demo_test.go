package simulator

import (
	"bytes"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// demoView is what an exporter sees of the demo at one moment.
type demoView map[[4]string]Subtask // by account, server, task and type

func viewDemo(o Options, now time.Time) demoView {
	view := demoView{}
	for _, a := range o.Accounts {
		var ids []string
		for _, task := range a.Fleet.Tasks(now) {
			ids = append(ids, task.ID)
		}
		ids = append(ids[:min(2, len(ids))], demoExampleTask)
		for _, s := range a.Fleet.Servers() {
			for _, st := range a.Fleet.Subtasks(s.UUID, ids, []string{"cve", "sys", "cms", "sca"}, now) {
				view[[4]string{a.Name, s.UUID, st.TaskID, st.Type}] = st
			}
		}
	}
	return view
}

func TestDemoShowsEverythingWithin15Seconds(t *testing.T) {
	o := Demo(epoch, 0)
	statuses, codes := map[string]bool{}, map[string]bool{}
	first := viewDemo(o, epoch)
	changed := map[[4]string]bool{}
	for s := range 16 {
		for key, st := range viewDemo(o, epoch.Add(time.Duration(s)*time.Second)) {
			statuses[st.Status] = true
			codes[st.Code] = true
			changed[key] = changed[key] || st != first[key]
		}
	}
	if len(statuses) != 5 || len(codes) < 3 { // no code among them
		t.Errorf("statuses %v, codes %v", statuses, codes)
	}
	moving, stalled := 0, 0
	for key, st := range first {
		if changed[key] {
			moving++
		} else if st.Status != "4" && st.Code == "" {
			stalled++
		}
	}
	if moving < 20 || stalled < 3 {
		t.Errorf("%d subtasks move, %d stand still", moving, stalled)
	}
}

func TestDemoHasAFewStalls(t *testing.T) {
	o := Demo(epoch, 0)
	still := viewDemo(o, epoch)
	for s := 0; s < 600; s += 5 {
		view := viewDemo(o, epoch.Add(time.Duration(s)*time.Second))
		for key, st := range still {
			if st.Status == "4" || st.Code != "" || view[key] != st {
				delete(still, key)
			}
		}
	}
	if len(still) < 3 || len(still) > 5 {
		t.Errorf("%d subtasks stalled over ten minutes, want 3 to 5: %v", len(still), still)
	}
}

func TestDemoKeepsMoving(t *testing.T) {
	o := Demo(epoch, 0)
	for _, after := range []time.Duration{time.Minute, time.Hour, 100 * time.Hour} {
		now := epoch.Add(after)
		before, later := viewDemo(o, now), viewDemo(o, now.Add(15*time.Second))
		moved := 0
		for key, st := range before {
			if later[key] != st {
				moved++
			}
		}
		if moved < 10 {
			t.Errorf("after %v %d subtasks moved in 15 s", after, moved)
		}
	}
}

func TestDemoFaults(t *testing.T) {
	clock := newFakeClock()
	o := Demo(epoch, 0)
	o.Clock, o.Latency = clock.Now, 0
	a := o.Accounts[0]
	c := newCaller(clock, a)
	c.Simulator = New(o)
	var failing []int
	for s := range 60 {
		if w := c.status(a.Fleet.uuid(demoFaultyServer), []string{"cve"}, demoTask); w.Code != 200 {
			wantError(t, w, 500, "ServerError")
			failing = append(failing, s)
		}
		clock.Advance(time.Second)
	}
	if len(failing) != 20 || failing[0] != 6 || failing[19] != 25 {
		t.Errorf("failing in seconds %v, want 6 to 25", failing)
	}
	var throttled int
	for range 18 { // one poll of all servers at once
		if w := c.call("DescribeOnceTask", url.Values{"TaskType": {"VUL_CHECK_TASK"}}); w.Code == 400 {
			throttled++
		}
	}
	if throttled != 10 {
		t.Errorf("%d of 18 calls at once throttled, want 10", throttled)
	}
}

// demoFile is the part of the exporter's configuration that the demo uses.
type demoFile struct {
	Global   map[string]string
	Accounts []struct {
		Name, Region, Endpoint string
		Credentials            struct {
			AccessKeyID     string `yaml:"access_key_id"`
			AccessKeySecret string `yaml:"access_key_secret"`
		}
		Discovery         map[string]map[string]string
		RequestsPerSecond int      `yaml:"requests_per_second"`
		TaskIDs           []string `yaml:"task_ids"`
		Servers           []struct {
			UUID, Name string
			TaskIDs    []string `yaml:"task_ids"`
			Types      []string
			Labels     map[string]string
		}
	}
}

func TestDemoConfigFitsTheDemo(t *testing.T) {
	var file demoFile
	dec := yaml.NewDecoder(bytes.NewReader(DemoConfig("http://127.0.0.1:34567", 0)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for i, a := range Demo(time.Now(), 0).Accounts {
		got := file.Accounts[i]
		if got.Name != a.Name || got.Credentials.AccessKeyID != a.AccessKeyID ||
			got.Credentials.AccessKeySecret != a.AccessKeySecret || got.Endpoint != "http://127.0.0.1:34567" {
			t.Errorf("account %d: %+v", i, got)
		}
		if discovers := got.Discovery["tasks"] != nil && got.Discovery["servers"] != nil; discovers {
			if len(got.Servers)+len(got.TaskIDs) > 0 || a.Fleet.TaskEvery == 0 {
				t.Errorf("account %d discovers, and lists %+v", i, got)
			}
			continue
		}
		if len(got.Servers) != a.Fleet.Size {
			t.Fatalf("account %d lists %d servers, want %d", i, len(got.Servers), a.Fleet.Size)
		}
		for j, s := range a.Fleet.Servers() {
			server := got.Servers[j]
			if server.UUID != s.UUID || server.Name != s.Name || server.Labels["team"] == "" {
				t.Errorf("server %+v, want %+v", server, s)
			}
		}
	}
	production := file.Accounts[0]
	example := production.Servers[demoExampleServer]
	if !slices.Equal(example.TaskIDs, []string{demoExampleTask}) || !slices.Equal(example.Types, []string{"cve"}) ||
		!slices.Equal(production.TaskIDs, []string{demoTask}) {
		t.Errorf("production: %+v", production)
	}
}
