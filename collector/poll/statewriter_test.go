package poll

import (
	"math"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/state"
)

func somePolicy() *scan.CodePolicy {
	return &scan.CodePolicy{
		Codes: scan.NewLabelSet(maxCodes), Types: scan.NewLabelSet(maxTypes, config.Types()...),
		TaskStart: func(string) scan.Instant { return 0 }, Bounded: func(sas.Anomaly) {},
	}
}

// known is a record with everything that is kept.
func known() *scan.Record {
	at := func(minutes int) scan.Instant { return now0.Add(-time.Duration(minutes) * time.Minute) }
	return &scan.Record{
		Target: &scan.Target{Server: config.Server{UUID: "u"}}, LastSuccess: at(1), Total: 3,
		Subtasks: []scan.Subtask{
			{TaskID: "new", Type: "cve", Status: 4, Changed: at(5), StatusSince: at(5), Began: at(20)},
			{TaskID: "new", Type: "sca", Status: 2, Changed: at(4), StatusSince: at(4), Started: at(4), Began: at(20)},
			{TaskID: "old", Type: "cve", Status: 4, Code: "A", CodeLabel: "A", Changed: at(9), StatusSince: at(10), Started: at(12), Began: at(30), Question: 1, Superseded: true},
		},
		Errors: []scan.ErrorCount{{Type: "cve", Code: "A", Count: 7, Created: at(9)}},
	}
}

// kept is what a state file keeps of a record. step is that of the system's clock.
func kept(t *testing.T, r *scan.Record, step time.Duration) *scan.Record {
	t.Helper()
	o := state.Options{Logger: log.NewNopLogger(), Errors: state.NewErrorCounter()}
	store, err := state.Open(filepath.Join(t.TempDir(), "state"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := state.Key{Account: "a", UUID: r.Target.Key()}
	if err := store.Save([]state.Entry{{Key: key, Server: *r}}, step); err != nil {
		t.Fatal(err)
	}
	stored, err := store.Restore("a")
	if err != nil {
		t.Fatal(err)
	}
	of := stored["u"]
	return &of
}

func TestWhatIsKnownSurvivesARestart(t *testing.T) {
	r := known()
	got := kept(t, r, 0).Restored(r.Target, somePolicy(), now0)
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got  %+v\nwant %+v", got, r)
	}
	r.Subtasks, r.EmptySince = nil, now0.Add(-time.Hour)
	got = kept(t, r, 0).Restored(r.Target, somePolicy(), now0)
	if !reflect.DeepEqual(got, r) {
		t.Errorf("without subtasks: got  %+v\nwant %+v", got, r)
	}
}

func TestTimesSurviveARestartHoweverTheClockWasSet(t *testing.T) {
	r := known()
	tests := map[string]struct {
		step  time.Duration // of the system's clock, when the record was kept
		later time.Duration // when the next process starts, by its clock
		want  time.Duration // how old the last success is then
	}{
		"not at all":                  {0, 0, time.Minute},
		"an hour later":               {0, time.Hour, time.Hour + time.Minute},
		"set forth before":            {time.Hour, time.Hour, time.Minute},
		"set back before":             {-time.Hour, -time.Hour, time.Minute},
		"set back while it was down":  {0, -10 * time.Minute, 0},
		"and by a moment":             {0, -90 * time.Second, 0},
		"set forth before, back then": {time.Hour, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := now0.Add(tt.later)
			got := kept(t, r, tt.step).Restored(r.Target, somePolicy(), now)
			wantEqual(t, "age of the last success", got.LastSuccess.Until(now), tt.want)
			for i := range got.Subtasks { // all else lies before it as it did
				wantEqual(t, "last success after the last change", got.Subtasks[i].Changed.Until(got.LastSuccess), r.Subtasks[i].Changed.Until(r.LastSuccess))
				wantEqual(t, "after the beginning", got.Subtasks[i].Began.Until(got.LastSuccess), r.Subtasks[i].Began.Until(r.LastSuccess))
			}
			wantEqual(t, "after the first error", got.Errors[0].Created.Until(got.LastSuccess), r.Errors[0].Created.Until(r.LastSuccess))
		})
	}
}

// Nothing that a file may hold makes times of the future.
func TestNoRestoredTimeLiesInTheFuture(t *testing.T) {
	ahead := now0.Add(time.Hour)
	from := &scan.Record{EmptySince: ahead, Total: -1, Subtasks: []scan.Subtask{{TaskID: "t", Type: "cve", Changed: ahead, StatusSince: ahead, Started: ahead, Began: ahead}}}
	got := from.Restored(&scan.Target{}, somePolicy(), now0)
	s := got.Subtasks[0]
	for _, at := range []scan.Instant{got.EmptySince, s.Changed, s.StatusSince, s.Started, s.Began} {
		wantEqual(t, "time", at, now0)
	}
	wantEqual(t, "last success", got.LastSuccess, scan.Instant(0))
}

func TestASubtaskOfAnOlderVersionsStateBeganWhenItChanged(t *testing.T) {
	r := known()
	old := kept(t, r, 0)
	for i := range old.Subtasks {
		old.Subtasks[i].Began = 0
	}
	got := old.Restored(r.Target, somePolicy(), now0)
	wantEqual(t, "beginning", got.Subtasks[2].Began, r.Subtasks[2].Changed)
	wantEqual(t, "superseded", got.Subtasks[2].Superseded, true)
}

func TestTypesOfAStateAreBounded(t *testing.T) {
	p := somePolicy()
	from := &scan.Record{}
	for i := range 100 {
		typ := "type-" + string(rune('A'+i))
		from.Subtasks = append(from.Subtasks, scan.Subtask{TaskID: "t", Type: typ, Status: math.NaN(), Code: "A"})
		from.Errors = append(from.Errors, scan.ErrorCount{Type: typ, Code: "A", Count: 1})
	}
	got := from.Restored(&scan.Target{}, p, now0)
	types, sum := make(map[string]bool), 0.0
	for _, s := range got.Subtasks {
		types[s.Type] = true
	}
	wantEqual(t, "types of subtasks, each once", len(got.Subtasks), maxTypes+1)
	for _, e := range got.Errors {
		types[e.Type], sum = true, sum+e.Count
	}
	wantEqual(t, "types of errors, each once", len(got.Errors), maxTypes+1)
	wantEqual(t, "types", len(types), maxTypes+1)
	wantEqual(t, "errors", sum, 100)
}
