package simulator

import (
	"fmt"
	"net/url"
	"testing"
	"time"
)

// bigAccount is a fleet of 100,000 servers that has been running for a day.
func bigAccount() (Account, *fakeClock) {
	a := testAccount()
	a.Fleet.Size, a.Fleet.TaskEvery, a.Fleet.FailRatio = 100_000, time.Hour, 0.05
	clock := newFakeClock()
	clock.Advance(24 * time.Hour)
	return a, clock
}

// BenchmarkCall is one call with all that belongs to it, the client's signing too.
func BenchmarkCall(b *testing.B) {
	a, clock := bigAccount()
	for action, params := range map[string]url.Values{
		"DescribeVulCheckTaskStatusDetail": {
			"TaskIds.1": {"task-a"}, "TaskIds.2": {"task-b"}, "Types.1": {"cve"}, "Types.2": {"sca"}, "Uuid": {a.Fleet.uuid(77_777)},
		},
		"DescribeOnceTask":             {"TaskType": {"VUL_CHECK_TASK"}, "PageSize": {"20"}},
		"DescribeCloudCenterInstances": {"CurrentPage": {"500"}, "PageSize": {"100"}},
	} {
		b.Run(action, func(b *testing.B) {
			c := newCaller(clock, a)
			b.ReportAllocs()
			for b.Loop() {
				if w := c.call(action, params); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// BenchmarkSubtasks is the state of a server alone, for a few tasks.
func BenchmarkSubtasks(b *testing.B) {
	a, clock := bigAccount()
	types := []string{"cve", "sys", "cms", "sca"}
	for _, n := range []int{1, 5, 25} {
		var ids []string
		for _, t := range a.Fleet.Tasks(clock.Now())[:n] {
			ids = append(ids, t.ID)
		}
		b.Run(fmt.Sprint(n, "tasks"), func(b *testing.B) {
			uuid := a.Fleet.uuid(77_777)
			b.ReportAllocs()
			for b.Loop() {
				if len(a.Fleet.Subtasks(uuid, ids, types, clock.Now())) != 3*n {
					b.Fatal("subtasks are missing")
				}
			}
		})
	}
}
