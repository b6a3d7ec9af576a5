package poll

import (
	"errors"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

func TestNewsComesFirst(t *testing.T) {
	now := now0.Time()
	type entry struct {
		name  string
		rank  rank
		due   time.Duration // from now
		began time.Duration // of the scan, from now
	}
	var q queue
	for _, e := range []entry{
		{"overdue", rankUnfinished, -9 * time.Minute, 0},
		{"settled", rankOther, -9 * time.Minute, 0},
		{"started-late", rankStarted, -time.Minute, -5 * time.Minute},
		{"started-first", rankStarted, -time.Minute, -time.Hour},
		{"heard-of-before", rankStarted, -3 * time.Minute, -time.Minute},
		{"completed", rankCompleted, 0, 0},
		{"failed-later", rankFailed, 0, 0},
		{"failed", rankFailed, -time.Second, 0},
	} {
		target := &scan.Target{Server: config.Server{Name: e.name}}
		q.push(&server{due: now.Add(e.due), began: now.Add(e.began), latest: &scan.Record{Target: target}}, e.rank)
	}
	q.patience = 10 * time.Minute
	var order []string
	for s := q.pop(now); s != nil; s = q.pop(now) {
		order = append(order, s.latest.Target.Name)
	}
	wantEqual(t, "order", strings.Join(order, " "), "failed failed-later completed heard-of-before started-first started-late overdue settled")
}

// scansOf are scans in some statuses, first seen so long ago.
func scansOf(age time.Duration, statuses ...float64) []scan.ServerScan {
	var list []scan.ServerScan
	for _, s := range statuses {
		list = append(list, scan.ServerScan{TaskID: "t", Status: s, Since: now0.Add(-age)})
	}
	return list
}

func TestGuidable(t *testing.T) {
	with := func(r *scan.Record, scans []scan.ServerScan) *scan.Record { r.ServerScans = scans; return r }
	empty := recordOf()
	empty.EmptySince = now0.Add(-time.Hour)
	failed, restored := recordOf(4), recordOf(4)
	failed.Failure, restored.Polled = "timeout", false
	tests := map[string]struct {
		record *scan.Record
		want   bool
	}{
		"settled":                                {recordOf(4), true},
		"settled, whatever the list says":        {with(recordOf(4), scansOf(0, 0, 1, 2, 3)), true},
		"long empty":                             {empty, true},
		"its last poll failed":                   {failed, false},
		"not polled by this process":             {restored, false},
		"never polled":                           {&scan.Record{}, false},
		"just empty":                             {recordOf(), false},
		"unfinished, of which no list tells":     {recordOf(1), false},
		"unfinished, not started by the list":    {with(recordOf(1), scansOf(time.Hour, 0)), false},
		"unfinished, started":                    {with(recordOf(1), scansOf(0, 1)), true},
		"unfinished, just completed by the list": {with(recordOf(1), scansOf(30*time.Minute-1, 2)), false},
		"unfinished, just failed":                {with(recordOf(1), scansOf(0, 3)), false},
		"unfinished, completed long ago":         {with(recordOf(1), scansOf(30*time.Minute, 2)), true},
		"unfinished, an undocumented status":     {with(recordOf(1), scansOf(time.Hour, 7)), false},
		"one started, one just ended":            {with(recordOf(1), append(scansOf(time.Hour, 1), scansOf(0, 4)...)), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantEqual(t, "guidable", guidable(tt.record, someSettings, now0), tt.want) })
	}
}

func TestGuidedInterval(t *testing.T) {
	s := someSettings
	s.StaleAfter = time.Hour
	short := someSettings
	short.StaleAfter = time.Minute
	tests := map[string]struct {
		servers  int
		calls    float64
		settings config.Settings
		want     time.Duration
	}{
		"stale_after":                      {100, 10, s, time.Hour},
		"settled_interval":                 {100, 10, short, 10 * time.Minute},
		"stale_after is off":               {100, 10, someSettings, 10 * time.Minute},
		"a fleet beyond the quota's share": {100000, 10, s, 250000 * time.Second},
		"the same with a large quota":      {100000, 1000, s, time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "interval", guidedInterval(tt.servers, tt.calls, tt.settings), tt.want)
		})
	}
}

func TestGuidedDue(t *testing.T) {
	moved := func(ages ...time.Duration) *scan.Record {
		r := recordOf(4)
		for _, age := range ages {
			r.Subtasks = append(r.Subtasks, scan.Subtask{Status: 1, StatusSince: now0.Add(-age)})
		}
		return r
	}
	superseded := moved(20 * time.Minute)
	superseded.Subtasks[1].Superseded = true
	tests := map[string]struct {
		record *scan.Record
		want   time.Duration // after the last poll, which was now
	}{
		"settled":                    {moved(), 2 * time.Hour},
		"would count as stalled":     {moved(20 * time.Minute), 10 * time.Minute},
		"the first one counts":       {moved(0, 25*time.Minute, 20*time.Minute), 5 * time.Minute},
		"stalled when it was polled": {moved(30*time.Minute, time.Hour), 2 * time.Hour},
		"answered by a newer scan":   {superseded, 2 * time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "due", now0.Until(guidedDue(tt.record, now0, 2*time.Hour, someSettings)), tt.want)
		})
	}
}

func TestListsAreFresh(t *testing.T) {
	now := now0.Time()
	runs := sas.Task{ID: "t"}
	over := sas.Task{ID: "t", End: now.Add(-time.Hour)}
	read := func(of sas.Task, ago time.Duration, complete bool, nameless int) *taskList {
		l := &taskList{last: discovery.ServerScans{Task: of, At: now.Add(-ago)}, nameless: nameless}
		if !complete {
			l.last.Err = errors.New("it ended early")
		}
		return l
	}
	tests := map[string]struct {
		list     *taskList
		task     sas.Task
		interval time.Duration
		want     bool
	}{
		"never read":                      {nil, runs, time.Minute, false},
		"of a running task":               {read(runs, 15*time.Minute-1, true, 0), runs, time.Minute, true},
		"too old":                         {read(runs, 15*time.Minute, true, 0), runs, time.Minute, false},
		"too old, but read seldom":        {read(runs, 59*time.Minute, true, 0), runs, 20 * time.Minute, true},
		"read seldom, and too old":        {read(runs, time.Hour, true, 0), runs, 20 * time.Minute, false},
		"not complete":                    {read(runs, 0, false, 0), runs, time.Minute, false},
		"does not name every server":      {read(runs, 0, true, 1), runs, time.Minute, false},
		"read before the task ended":      {read(runs, 0, true, 0), over, time.Minute, false},
		"read after its end, however old": {read(over, 30*24*time.Hour, true, 0), over, time.Minute, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantEqual(t, "fresh", tt.list.fresh(&tt.task, tt.interval, now), tt.want) })
	}
}

func TestScansThatAPollHasSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		ago  time.Duration // before the last poll
		want bool
	}{
		"before": {2 * time.Minute, true}, "about then": {30 * time.Second, false}, "after": {-time.Minute, false},
	} {
		wantEqual(t, "seen what came "+name, seenSince(&scan.Record{LastSuccess: now0}, now0.Time().Add(-tt.ago)), tt.want)
	}
	wantEqual(t, "seen what came nobody knows when", seenSince(&scan.Record{LastSuccess: now0}, time.Time{}), false)
	wantEqual(t, "seen without a poll", seenSince(&scan.Record{}, now0.Time().Add(-time.Hour)), false)

	s := &server{latest: recordOf(1), asked: &scan.Target{Server: config.Server{TaskIDs: []string{"x"}}}}
	wantEqual(t, "saw tasks", []bool{s.sawTask("0"), s.sawTask("x"), s.sawTask("y")}, "[true true false]")
}

func TestTasksThatListsCover(t *testing.T) {
	tasks, none := taskAdder{found: []string{"a", "b"}}, taskAdder{}
	for ids, want := range map[string]bool{"a": true, "a b": true, "": true, "a c": false, "c": false} {
		_, covered := tasks.addedTo(strings.Fields(ids))
		wantEqual(t, "covers "+ids, covered, want)
		_, covered = none.addedTo(strings.Fields(ids))
		wantEqual(t, "covers "+ids+" without discovered tasks", covered, false)
	}
}
