package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// leavesOf asks for all leaves of task-a.
func leavesOf(t *testing.T, c *caller) []onceTask {
	t.Helper()
	return decode[onceTasks](t, c.call("DescribeOnceTask", url.Values{
		"TaskType": {"VUL_CHECK_TASK"}, "RootTaskId": {"task-a"}, "PageSize": {"1000"},
	})).Tasks
}

func TestLeavesNameTheirServers(t *testing.T) {
	a := testAccount()
	a.Fleet.Pinned = []Pinned{{Server: 2, TaskID: "x"}, {Server: 44, TaskID: "x"}, {Server: 2, TaskID: "y"}}
	leaves := leavesOf(t, newCaller(newFakeClock(), a))
	var named []string
	for _, leaf := range leaves {
		var detail []leafDetail
		if err := json.Unmarshal([]byte(leaf.DetailData), &detail); err != nil || len(detail) != 1 {
			t.Fatalf("DetailData %s: %v", leaf.DetailData, err)
		}
		named = append(named, detail[0].UUID+detail[0].InstanceID)
	}
	var want []string
	for i, s := range a.Fleet.Servers() {
		if i != 2 && i != 44 {
			want = append(want, s.UUID+s.InstanceID)
		}
	}
	if !slices.Equal(named, want) {
		t.Errorf("got %d servers, want %d", len(named), len(want))
	}
	a.Fleet.BlankDetailData = true
	if blank := leavesOf(t, newCaller(newFakeClock(), a)); len(blank) != 43 || blank[0].DetailData != "[]" {
		t.Errorf("got %d leaves, %+v", len(blank), blank[0])
	}
}

func TestLeavesFollowTheirServersScans(t *testing.T) {
	a := testAccount()
	a.Fleet.FailRatio, a.Fleet.StallRatio, a.Fleet.ScanTimeout = 0.1, 0.05, 5*time.Minute
	clock := newFakeClock()
	c := newCaller(clock, a)
	count := func() (by [5]int) {
		for _, leaf := range leavesOf(t, c) {
			by[leaf.TaskStatus]++
			if ended := leaf.TaskStatus >= 2; ended == (leaf.TaskEndTime == 0) {
				t.Errorf("got %+v", leaf)
			}
		}
		return by
	}
	if by := count(); by[0] < 40 {
		t.Errorf("at first: %v", by)
	}
	clock.Advance(50 * time.Second)
	if by := count(); by[1] < 20 {
		t.Errorf("in between: %v", by)
	}
	clock.Advance(3 * time.Minute)
	before := count()
	if before[2] < 20 || before[3] == 0 || before[1] == 0 || before[4] != 0 {
		t.Errorf("at the end: %v", before)
	}
	clock.Advance(2 * time.Minute)
	if by := count(); by[4] != before[1] || by[2] != before[2] || by[3] != before[3] {
		t.Errorf("timed out: %v", by)
	}
}

func TestDetailsAreKnownUnderRootLeafOrBoth(t *testing.T) {
	for known, want := range map[KnownIDs]string{RootIDs: "root", LeafIDs: "leaf", BothIDs: "root leaf"} {
		t.Run(want, func(t *testing.T) {
			a := testAccount()
			a.Fleet.KnownIDs = known
			c := newCaller(newFakeClock(), a)
			leaf := leavesOf(t, c)[7].TaskID
			got := decode[statusDetail](t, c.status(a.Fleet.uuid(7), []string{"sys"}, "task-a", leaf))
			var answered []string
			for _, s := range got.TaskStatuses {
				answered = append(answered, strings.NewReplacer("task-a", "root", leaf, "leaf").Replace(s.TaskID))
			}
			if strings.Join(answered, " ") != want {
				t.Errorf("answered %q", answered)
			}
			other := decode[statusDetail](t, c.status(a.Fleet.uuid(8), []string{"cve"}, leaf))
			if len(other.TaskStatuses) != 0 {
				t.Errorf("another server's leaf answers %+v", other)
			}
		})
	}
}

func TestListsOfServersFailOnDemand(t *testing.T) {
	a := testAccount()
	ask := func(a Account, params url.Values) (code int) {
		params.Set("TaskType", "VUL_CHECK_TASK")
		return newCaller(newFakeClock(), a).call("DescribeOnceTask", params).Code
	}
	page := func(n int) url.Values {
		return url.Values{"RootTaskId": {"task-a"}, "PageSize": {"10"}, "CurrentPage": {strconv.Itoa(n)}}
	}
	a.Fleet.ServerListFailsAt = 3
	got := []int{ask(a, page(1)), ask(a, page(2)), ask(a, page(3)), ask(a, url.Values{})}
	a.Fleet.ServerListsDenied = true
	got = append(got, ask(a, page(1)), ask(a, url.Values{}))
	if !slices.Equal(got, []int{200, 200, 500, 200, 403, 200}) {
		t.Errorf("got %v", got)
	}
}

// A scan whose agent is lost stands still until it is back, and then ends late.
func TestAgentsAreLostInAScanAndComeBack(t *testing.T) {
	a := testAccount()
	a.Fleet.TaskIDs = []string{"task-a"}
	calm := a.Fleet
	a.Fleet.DropRatio, a.Fleet.DropFor = 0.3, 10*time.Minute
	f, clock := a.Fleet, newFakeClock()
	c := newCaller(clock, a)
	offline := map[string]bool{}
	for range 60 {
		page := decode[instances](t, c.call(list1, url.Values{"PageSize": {"100"}}))
		for i, s := range page.Instances {
			if f.Online(i, clock.Now()) != (s.ClientStatus == "online") {
				t.Fatalf("server %d is %s", i, s.ClientStatus)
			}
			offline[s.UUID] = offline[s.UUID] || s.ClientStatus == "offline"
		}
		clock.Advance(5 * time.Second)
	}
	lost, types := 0, []string{"cve", "sys", "cms", "sca"}
	for i, s := range f.Servers() {
		now := f.Subtasks(s.UUID, []string{"task-a"}, types, clock.Now())
		if without := calm.Subtasks(s.UUID, []string{"task-a"}, types, clock.Now()); !offline[s.UUID] && !slices.Equal(now, without) {
			t.Errorf("server %d was not lost, and differs: %v, %v", i, now, without)
		}
		if !offline[s.UUID] {
			continue
		}
		lost++
		// All goes on as it would have gone on without the 10 minutes' loss.
		for _, at := range []time.Duration{time.Minute, 90 * time.Second, 5 * time.Minute} {
			late := f.Subtasks(s.UUID, []string{"task-a"}, types, epoch.Add(at+10*time.Minute))
			if without := calm.Subtasks(s.UUID, []string{"task-a"}, types, epoch.Add(at)); !slices.Equal(late, without) {
				t.Errorf("server %d after %v: %v, want %v", i, at, late, without)
			}
		}
		if now[0].Status == "4" {
			t.Errorf("server %d has ended while its agent was lost: %v", i, now)
		}
	}
	if lost < 5 || lost > 25 {
		t.Errorf("%d of 45 agents were lost", lost)
	}
	clock.Advance(20 * time.Minute)
	for i := range f.Size {
		if !f.Online(i, clock.Now()) {
			t.Errorf("server %d did not come back", i)
		}
	}
}

func TestMemberAccountsHaveFleetsOfTheirOwn(t *testing.T) {
	a := testAccount()
	member := Fleet{Seed: 9, Size: 3, TaskIDs: []string{"task-m"}, ScanDuration: time.Minute}
	a.Members = map[string]Fleet{"1234567890123456": member}
	c := newCaller(newFakeClock(), a)
	ask := func(id string) url.Values { return url.Values{"ResourceDirectoryAccountId": {id}} }
	if got := decode[instances](t, c.call(list1, ask("1234567890123456"))); len(got.Instances) != 3 || got.Instances[0].UUID != member.uuid(0) {
		t.Errorf("got %+v", got)
	}
	params := ask("1234567890123456")
	params.Set("Uuid", member.uuid(0))
	params.Set("TaskIds.1", "task-m")
	params.Set("Types.1", "cve")
	if got := decode[statusDetail](t, c.call("DescribeVulCheckTaskStatusDetail", params)); got.TotalCount != 3 || len(got.TaskStatuses) != 1 {
		t.Errorf("got %+v", got)
	}
	wantError(t, c.call(list1, ask("1")), 403, "NoPermission")
	if _, started := a.Members["1234567890123456"]; !started || !a.Members["1234567890123456"].Start.IsZero() {
		t.Error("the caller's fleets were changed")
	}
}

func TestTheDemosFleetShowsEveryStateOfServers(t *testing.T) {
	a := demoFleet(epoch, 2000)
	clock := newFakeClock()
	c := newCaller(clock, a)
	seen, offline := map[int]int{}, map[bool]int{}
	for range 3 {
		clock.Advance(3 * time.Minute)
		for _, task := range a.Fleet.Tasks(clock.Now())[:2] {
			for n := 1; n <= 2; n++ {
				page := decode[onceTasks](t, c.call("DescribeOnceTask", url.Values{"RootTaskId": {task.ID}, "PageSize": {"1000"}, "CurrentPage": {strconv.Itoa(n)}}))
				for _, leaf := range page.Tasks {
					seen[leaf.TaskStatus]++
				}
			}
		}
	}
	for i := range a.Fleet.Size {
		offline[a.Fleet.Online(i, clock.Now())]++
	}
	for status := range 5 {
		if seen[status] == 0 {
			t.Errorf("no server scan has status %d: %v", status, seen)
		}
	}
	if offline[false] == 0 || offline[false] > 100 {
		t.Errorf("%d agents are offline", offline[false])
	}
}

func TestTheDemosFleetIsConfiguredBehindTheOthers(t *testing.T) {
	const endpoint = "http://127.0.0.1:1"
	var file struct {
		Accounts []struct {
			Name, Endpoint string
			Credentials    map[string]string
		}
	}
	if err := yaml.Unmarshal(DemoConfig(endpoint, 2000), &file); err != nil {
		t.Fatal(err)
	}
	a := Demo(epoch, 2000).Accounts[2]
	if a.Fleet.Size != 2000 || len(Demo(epoch, 0).Accounts) != 2 {
		t.Errorf("the fleet has %d servers", a.Fleet.Size)
	}
	if got := file.Accounts[2]; len(file.Accounts) != 3 || got.Name != a.Name || got.Endpoint != endpoint || got.Credentials["access_key_id"] != a.AccessKeyID {
		t.Errorf("got %+v", file.Accounts)
	}
}
