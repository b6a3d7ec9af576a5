package scan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

func TestStatusesHaveNames(t *testing.T) {
	for status, want := range map[float64]string{
		0: "unhandled", 1: "collecting", 2: "collected", 3: "matching", 4: "complete", 5: "unknown", -1: "unknown", 0.5: "unknown",
		math.NaN(): "unknown", math.Inf(1): "unknown",
	} {
		wantEqual(t, fmt.Sprint("name of ", status), StatusName(status), want)
	}
	wantEqual(t, "names of server scans", len(ServerScanNames()), len(StatusNames()))
}

func TestTotalsCountServersAndTheirSubtasks(t *testing.T) {
	withTasks := &Target{Server: config.Server{TaskIDs: []string{"t"}}}
	view := func(change func(v *View)) View {
		v := viewOf(0)
		v.Target = withTasks
		change(&v)
		return v
	}
	var sum Totals
	for _, v := range []View{
		view(func(v *View) {
			v.Subtasks = []Subtask{{Type: "cve", Status: 4}, {Type: "cve", Status: 9, StatusSince: now0}, {Type: "sca", Status: math.NaN(), StatusSince: now0, Code: "A", CodeLabel: "A"}}
		}),
		view(func(v *View) {
			v.Failure = "x"
			v.Subtasks = []Subtask{{Type: "cve", Status: 4, Code: "A", CodeLabel: "A"}}
		}),
		view(func(v *View) {
			v.Subtasks = []Subtask{{Type: "cve", Status: 4, Code: "A", CodeLabel: "A", Superseded: true}}
		}),
		view(func(v *View) { v.Subtasks = []Subtask{{Type: "cve", Status: 1, StatusSince: minute(-40)}} }),
		view(func(v *View) { v.Subtasks, v.LastSuccess = []Subtask{{Type: "cve", Status: 1}}, minute(-61) }), // stale
		view(func(v *View) { v.Polled, v.LastSuccess = false, 0 }),
		view(func(v *View) { v.Polled, v.LastSuccess, v.Target = false, 0, &Target{} }), // there is nothing to ask about
		view(func(v *View) { v.Polled, v.LastSuccess, v.Refused = false, 0, true }),
	} {
		sum.Count(v)
	}
	wantEqual(t, "servers", fmt.Sprint(sum.OK, sum.Failing, sum.Pending, sum.Waiting), "4 2 2 1")
	wantEqual(t, "types", sum.Types, "[{cve [0 1 0 0 3 1] 1 1} {sca [0 0 0 0 0 1] 0 1}]")
	wantEqual(t, "codes", sum.Codes, "[{sca A 1} {cve A 1}]")
}

// Sums of parts are the sum of all.
func TestTotalsAdd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var whole, added Totals
	for range 20 {
		var part Totals
		for range random.IntN(5) {
			v := viewOf(random.IntN(40))
			v.Polled = random.IntN(4) > 0
			for range random.IntN(6) {
				s := Subtask{Type: string(rune('a' + random.IntN(3))), Status: float64(random.IntN(6)), StatusSince: now0}
				if random.IntN(3) == 0 {
					s.Code, s.CodeLabel = "A", string(rune('A'+random.IntN(3)))
				}
				v.Subtasks = append(v.Subtasks, s)
			}
			part.Count(v)
			whole.Count(v)
		}
		added.Add(&part)
	}
	for _, of := range []*Totals{&whole, &added} {
		slices.SortFunc(of.Types, func(a, b TypeTotals) int { return int(a.Type[0]) - int(b.Type[0]) })
		slices.SortFunc(of.Codes, func(a, b CodeTotal) int { return 256*(int(a.Type[0])-int(b.Type[0])) + int(a.Code[0]) - int(b.Code[0]) })
	}
	wantEqual(t, "the sum of the parts", added, whole)
}

func TestEveryStatusHasAName(t *testing.T) {
	wantEqual(t, "names of documented statuses", len(StatusNames())-1, sas.StatusComplete+1)
	wantEqual(t, "of server scans", len(ServerScanNames())-1, sas.ScanTimedOut+1)
}
