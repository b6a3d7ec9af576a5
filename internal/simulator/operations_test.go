package simulator

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestStatusDetailParameters(t *testing.T) {
	f := testAccount().Fleet
	tests := map[string]struct {
		uuid  string
		types []string
		tasks []string
		code  string
		main  int // main tasks answered
		subs  int // subtasks answered
	}{
		"all":                     {f.uuid(0), []string{"cve", "sys", "cms", "sca"}, []string{"task-a", "task-b"}, "", 2, 6},
		"windows":                 {f.uuid(7), []string{"cve", "sys"}, []string{"task-a"}, "", 1, 1},
		"type that does not fit":  {f.uuid(0), []string{"sys"}, []string{"task-a"}, "", 0, 0},
		"unknown task":            {f.uuid(0), []string{"cve"}, []string{"task-x", "task-b"}, "", 1, 1},
		"everything twice":        {f.uuid(0), []string{"cve", "cve"}, []string{"task-b", "task-b"}, "", 1, 1},
		"no tasks":                {f.uuid(0), []string{"cve"}, nil, "MissingTaskIds", 0, 0},
		"no types":                {f.uuid(0), nil, []string{"task-a"}, "MissingTypes", 0, 0},
		"no server":               {"", []string{"cve"}, []string{"task-a"}, "MissingUuid", 0, 0},
		"not a UUID":              {"5d55af3c", []string{"cve"}, []string{"task-a"}, "IllegalParam", 0, 0},
		"not a UUID, right size":  {strings.Repeat("-", 36), []string{"cve"}, []string{"task-a"}, "IllegalParam", 0, 0},
		"type of other operation": {f.uuid(0), []string{"cve", "emg"}, []string{"task-a"}, "IllegalParam", 0, 0},
		"prefix":                  {f.uuid(15), []string{"sca"}, []string{"task-a"}, "", 1, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newCaller(newFakeClock(), testAccount()).status(tt.uuid, tt.types, tt.tasks...)
			if tt.code != "" {
				wantError(t, w, 400, tt.code)
				return
			}
			got := decode[statusDetail](t, w)
			subs := 0
			for _, task := range got.TaskStatuses {
				subs += len(task.TaskStatusList)
			}
			if got.TotalCount != 6 || len(got.TaskStatuses) != tt.main || subs != tt.subs {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestUnknownServerHasNothing(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	for _, uuid := range []string{"5d55af3c-35f3-4d4d-8ccc-8c5443b00001", Fleet{Seed: 2}.uuid(0), "inet-" + testAccount().Fleet.uuid(0)} {
		w := c.status(uuid, []string{"cve"}, "task-a")
		if got := w.Body.String(); w.Code != 200 || !strings.Contains(got, `"TotalCount":0,`) || !strings.Contains(got, `"TaskStatuses":[]`) {
			t.Errorf("%s: HTTP %d: %s", uuid, w.Code, got)
		}
	}
}

func TestDocumentedExample(t *testing.T) {
	now := newFakeClock()
	a := Demo(epoch, 0).Accounts[0]
	c := newCaller(now, a)
	w := c.status(a.Fleet.uuid(demoExampleServer), []string{"cve", "sys", "cms", "sca"}, "ad8afca3914a5fff4636e67f18e259c7")
	const want = `"TaskStatuses":[{"TaskId":"16190385","TaskStatusList":[{"Type":"cve","Status":"4","Code":"push_command_failed"}]}]}`
	if got := strings.TrimSpace(w.Body.String()); !strings.HasPrefix(got, `{"TotalCount":1,"RequestId":"`) || !strings.HasSuffix(got, want) {
		t.Errorf("got %s", got)
	}
}

func TestDecimalTaskIDs(t *testing.T) {
	a := testAccount()
	a.Fleet.DecimalTaskIDs = true
	got := decode[statusDetail](t, newCaller(newFakeClock(), a).status(a.Fleet.uuid(0), []string{"cve"}, "task-a", "task-b"))
	if len(got.TaskStatuses) != 2 || got.TaskStatuses[0].TaskID == got.TaskStatuses[1].TaskID {
		t.Fatalf("got %+v", got)
	}
	for _, task := range got.TaskStatuses {
		if _, err := strconv.ParseUint(task.TaskID, 10, 63); err != nil {
			t.Error(err)
		}
	}
}

func TestInstancesByPageNumber(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	var got []instance
	for n := 1; n <= 4; n++ {
		page := decode[instances](t, c.call(list1, url.Values{"CurrentPage": {strconv.Itoa(n)}, "PageSize": {"20"}}))
		if !page.Success || page.PageInfo.TotalCount == nil || *page.PageInfo.TotalCount != 45 ||
			page.PageInfo.NextToken != nil || page.PageInfo.Count != len(page.Instances) {
			t.Fatalf("page %d: %+v", n, page.PageInfo)
		}
		got = append(got, page.Instances...)
	}
	checkWholeFleet(t, got)
}

func TestInstancesByToken(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	var got []instance
	params := url.Values{"UseNextToken": {"true"}, "PageSize": {"15"}} // the last page is full
	for calls := 1; ; calls++ {
		page := decode[instances](t, c.call(list1, params))
		if page.PageInfo.TotalCount != nil || page.PageInfo.NextToken == nil {
			t.Fatalf("call %d: %+v", calls, page.PageInfo)
		}
		got = append(got, page.Instances...)
		if *page.PageInfo.NextToken == "" {
			break
		}
		params.Set("NextToken", *page.PageInfo.NextToken)
	}
	checkWholeFleet(t, got)
}

func checkWholeFleet(t *testing.T, got []instance) {
	t.Helper()
	want := testAccount().Fleet.Servers()
	if len(got) != len(want) {
		t.Fatalf("%d servers, want %d", len(got), len(want))
	}
	for i, s := range want {
		g := got[i]
		if g.UUID != s.UUID || g.InstanceName != s.Name || g.OS != s.OS || g.IntranetIP != s.IP ||
			g.RegionID != s.RegionID || (g.ClientStatus == "online") != s.Online {
			t.Errorf("got %+v, want %+v", g, s)
		}
	}
}

func TestInstancesSelection(t *testing.T) {
	f := testAccount().Fleet
	tests := map[string]struct {
		name, value string
		count       int
		code        string
	}{
		"the first 20 without more": {"Lang", "en", 20, ""},
		"RegionId is no filter":     {"RegionId", "cn-nowhere", 20, ""},
		"by instance": {
			"Criteria", fmt.Sprintf(`[{"name":"riskStatus","value":"YES"},{"name":"instanceId","value":%q}]`, f.instanceID(30)), 1, "",
		},
		"unknown instance":       {"Criteria", `[{"name":"instanceId","value":"i-m5xxxx"}]`, 0, ""},
		"criteria of other form": {"Criteria", `instanceId`, 0, "IllegalParam"},
		"machines of no fleet":   {"MachineTypes", "eci", 0, ""},
		"unknown machines":       {"MachineTypes", "abacus", 0, "IllegalParam"},
		"page 0":                 {"CurrentPage", "0", 0, "IllegalParam"},
		"page past the end":      {"CurrentPage", "2147483647", 0, ""},
		"page of no number":      {"CurrentPage", "one", 0, "IllegalParam"},
		"huge pages":             {"PageSize", "100000", 0, "IllegalParam"},
		"invented token":         {"NextToken", "abc", 0, "IllegalParam"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newCaller(newFakeClock(), testAccount()).call(list1, url.Values{tt.name: {tt.value}})
			if tt.code != "" {
				wantError(t, w, 400, tt.code)
				return
			}
			if got := decode[instances](t, w); len(got.Instances) != tt.count || got.PageInfo.Count != tt.count {
				t.Errorf("%d servers, want %d", len(got.Instances), tt.count)
			}
		})
	}
}

func TestOnceTaskSelection(t *testing.T) {
	a := testAccount()
	a.Fleet.TaskEvery = time.Minute // at 00:10: eleven of them, and two fixed
	clock := newFakeClock()
	clock.Advance(10 * time.Minute)
	fifth := a.Fleet.scheduled(5)
	ms := func(d time.Duration) string { return strconv.FormatInt(epoch.Add(d).UnixMilli(), 10) }
	tests := map[string]struct {
		params url.Values
		count  int
		code   string
	}{
		"all":               {url.Values{"TaskType": {"VUL_CHECK_TASK"}}, 13, ""},
		"second page":       {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "PageSize": {"10"}, "CurrentPage": {"2"}}, 3, ""},
		"scheduled":         {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "Source": {"schedule"}}, 11, ""},
		"from the console":  {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "Source": {"console"}}, 2, ""},
		"one":               {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "TaskId": {fifth.ID}}, 1, ""},
		"since":             {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "StartTimeQuery": {ms(8 * time.Minute)}}, 3, ""},
		"until":             {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "EndTimeQuery": {ms(90 * time.Second)}}, 4, ""},
		"leaves of a root":  {url.Values{"RootTaskId": {fifth.ID}, "PageSize": {"100"}}, 45, ""},
		"leaves of nothing": {url.Values{"RootTaskId": {"0"}}, 0, ""},
		"other kind":        {url.Values{"TaskType": {"CLIENT_DEV_OPS"}}, 0, ""},
		"unknown kind":      {url.Values{"TaskType": {"TEA_BREAK"}}, 0, "IllegalParam"},
		"neither":           {url.Values{}, 0, "MissingTaskType"},
		"no time":           {url.Values{"TaskType": {"VUL_CHECK_TASK"}, "StartTimeQuery": {"now"}}, 0, "IllegalParam"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newCaller(clock, a).call("DescribeOnceTask", tt.params)
			if tt.code != "" {
				wantError(t, w, 400, tt.code)
				return
			}
			got := decode[onceTasks](t, w)
			if len(got.Tasks) != tt.count || got.PageInfo.Count != tt.count {
				t.Fatalf("%d tasks, want %d", len(got.Tasks), tt.count)
			}
			for i, task := range got.Tasks {
				if i > 0 && task.TaskStartTime > got.Tasks[i-1].TaskStartTime {
					t.Errorf("task %d is newer than the one before", i)
				}
			}
		})
	}
}

func TestOnceTaskFollowsTheScans(t *testing.T) {
	a := testAccount()
	a.Fleet.FailRatio = 0.1
	clock := newFakeClock()
	c := newCaller(clock, a)
	ask := func() onceTask {
		got := decode[onceTasks](t, c.call("DescribeOnceTask", url.Values{"TaskType": {"VUL_CHECK_TASK"}, "TaskId": {"task-a"}}))
		return got.Tasks[0]
	}
	if got := ask(); got.TaskStatus != 0 || got.TaskStatusText != "INIT" || got.Progress != "0%" || got.TotalCount != 45 || got.TaskEndTime != 0 {
		t.Errorf("at the start: %+v", got)
	}
	clock.Advance(70 * time.Second)
	if got := ask(); got.TaskStatus != 1 || got.TaskStatusText != "PROCESSING" || got.Progress == "0%" || got.Progress == "100%" {
		t.Errorf("in between: %+v", got)
	}
	clock.Advance(2 * time.Minute)
	got := ask()
	if got.TaskStatus != 2 || got.Progress != "100%" || got.SuccessCount+got.FailCount != 45 || got.FailCount == 0 {
		t.Errorf("in the end: %+v", got)
	}
	if end := got.TaskEndTime; end <= got.TaskStartTime || end > epoch.Add(150*time.Second).UnixMilli() {
		t.Errorf("ended %v ms after its start", end-got.TaskStartTime)
	}
	if later := ask(); later != got {
		t.Errorf("%+v became %+v", got, later)
	}
}

func TestStalledTaskTimesOut(t *testing.T) {
	a := testAccount()
	a.Fleet.StallRatio = 1
	clock := newFakeClock()
	clock.Advance(time.Hour)
	got := decode[onceTasks](t, newCaller(clock, a).call("DescribeOnceTask", url.Values{"TaskType": {"VUL_CHECK_TASK"}}))
	if task := got.Tasks[0]; task.TaskStatus != 4 || task.TaskStatusText != "TIMEOUT" || task.TaskEndTime == 0 {
		t.Errorf("got %+v", task)
	}
}
