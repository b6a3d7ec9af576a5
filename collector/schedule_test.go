package collector

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
)

var someSettings = config.Settings{PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StallAfter: 30 * time.Minute}

// recordOf is a record of subtasks in some statuses after a successful poll.
func recordOf(statuses ...float64) *record {
	r := &record{tried: true, lastSuccess: time.Unix(epoch, 0)}
	for i, s := range statuses {
		r.subtasks = append(r.subtasks, subtask{taskID: strconv.Itoa(i), typ: "cve", status: s, statusSince: instantOf(r.lastSuccess)})
	}
	return r
}

func TestNextPoll(t *testing.T) {
	now := time.Unix(epoch, 0)
	empty := func(since time.Duration) *record {
		r := recordOf()
		r.emptySince = instantOf(now.Add(-since))
		return r
	}
	stalled := func(ages ...time.Duration) *record {
		r := recordOf(4)
		for _, age := range ages {
			r.subtasks = append(r.subtasks, subtask{typ: "sca", status: 1, statusSince: instantOf(now.Add(-age))})
		}
		return r
	}
	slow := someSettings
	slow.PollInterval = 2 * time.Hour
	tests := map[string]struct {
		record   *record
		failures int
		settings config.Settings
		jitter   float64
		want     time.Duration
	}{
		"unfinished":                      {record: recordOf(4, 3), want: 30 * time.Second},
		"complete":                        {record: recordOf(4, 4), want: 10 * time.Minute},
		"a status nobody documents":       {record: recordOf(4, 7), want: 30 * time.Second},
		"no status":                       {record: recordOf(4, math.NaN()), want: 30 * time.Second},
		"empty":                           {record: empty(0), want: 30 * time.Second},
		"empty for less than a stall":     {record: empty(30*time.Minute - time.Millisecond), want: 30 * time.Second},
		"empty for as long as a stall":    {record: empty(30 * time.Minute), want: 10 * time.Minute},
		"unmoved for as long as a stall":  {record: stalled(30 * time.Minute), want: 30 * time.Second},
		"stalled for twice as long":       {record: stalled(time.Hour), want: time.Minute},
		"stalled for five times as long":  {record: stalled(150 * time.Minute), want: 150 * time.Second},
		"stalled for days":                {record: stalled(100 * time.Hour), want: 10 * time.Minute},
		"stalled but for one":             {record: stalled(100*time.Hour, time.Minute), want: 30 * time.Second},
		"stalled, polled seldom":          {record: stalled(100 * time.Hour), settings: slow, want: 2 * time.Hour},
		"first failure":                   {record: recordOf(4), failures: 1, want: 30 * time.Second},
		"second failure":                  {record: recordOf(4), failures: 2, want: time.Minute},
		"fourth failure":                  {record: recordOf(1), failures: 4, want: 4 * time.Minute},
		"fifth failure":                   {record: recordOf(1), failures: 5, want: 5 * time.Minute},
		"failing for ever":                {record: recordOf(1), failures: math.MaxInt, want: 5 * time.Minute},
		"jitter takes up to a quarter":    {record: recordOf(1), failures: 5, jitter: 1, want: 225 * time.Second},
		"jitter is for failures":          {record: recordOf(1), jitter: 1, want: 30 * time.Second},
		"failing, polled seldom":          {record: recordOf(1), failures: 1, settings: slow, want: 5 * time.Minute},
		"failing before the first answer": {record: &record{tried: true, failure: "x"}, failures: 1, want: 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.settings.PollInterval == 0 {
				tt.settings = someSettings
			}
			wantEqual(t, "wait", nextPoll(tt.record, tt.failures, tt.settings, tt.jitter, now), tt.want)
		})
	}
}

func TestUrgent(t *testing.T) {
	now := time.Unix(epoch, 0)
	failing := recordOf(1)
	failing.failure = "timeout"
	longEmpty := recordOf()
	longEmpty.emptySince = instantOf(now.Add(-time.Hour))
	restored := func(status float64) *record {
		r := recordOf(status)
		r.tried = false
		return r
	}
	justEmpty := recordOf()
	justEmpty.emptySince = instantOf(now)
	for name, tt := range map[string]struct {
		record *record
		want   bool
	}{
		"never polled":           {&record{}, true},
		"restored, unfinished":   {restored(1), true},
		"restored, settled":      {restored(4), false},
		"failing from the start": {&record{tried: true, failure: "timeout"}, false},
		"unfinished":             {recordOf(4, 2), true},
		"just empty":             {justEmpty, true},
		"settled":                {recordOf(4, 4), false},
		"long empty":             {longEmpty, false},
		"failing":                {failing, false},
	} {
		t.Run(name, func(t *testing.T) { wantEqual(t, "urgent", urgent(tt.record, someSettings, now), tt.want) })
	}
}

func TestQueueGivesTheMostOverdueUrgentServerFirst(t *testing.T) {
	now := time.Unix(epoch, 0)
	type entry struct {
		name   string
		due    time.Duration // from now
		urgent bool
	}
	tests := map[string]struct {
		entries []entry
		order   string
		wait    time.Duration
		lag     time.Duration
	}{
		"empty":                     {wait: -1},
		"urgent before overdue":     {[]entry{{"settled", -time.Hour, false}, {"open", -time.Second, true}}, "open settled", -1, time.Hour},
		"most overdue first":        {[]entry{{"b", -2, true}, {"c", -1, true}, {"a", -3, true}}, "a b c", -1, 3},
		"settled, most overdue too": {[]entry{{"b", -2, false}, {"c", 0, false}, {"a", -3, false}}, "a b c", -1, 3},
		"not before they are due":   {[]entry{{"later", 5, true}, {"settled", -1, false}, {"soon", 3, false}}, "settled", 3, 1},
		"urgent due last":           {[]entry{{"open", 9, true}, {"settled", 10, false}}, "", 9, 0},
		"due now":                   {[]entry{{"a", 0, true}}, "a", -1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var q queue
			for _, e := range tt.entries {
				q.push(&server{due: now.Add(e.due), record: &record{server: &target{Server: config.Server{Name: e.name}}}}, e.urgent)
			}
			wantEqual(t, "lag", q.lag(now), tt.lag)
			var order []string
			s, wait := q.pop(now)
			for ; s != nil; s, wait = q.pop(now) {
				order = append(order, s.record.server.Name)
			}
			wantEqual(t, "order", strings.Join(order, " "), tt.order)
			wantEqual(t, "wait", wait, tt.wait)
		})
	}
}

func TestOthersGetATurnOnceTheirPatienceEnds(t *testing.T) {
	now := time.Unix(epoch, 0)
	tests := map[string]struct {
		overdue time.Duration // of the settled server
		want    string        // the polls, o: an urgent server, S: the settled one
	}{
		"within its patience": {10 * time.Minute, "oooooooooooooooooooo"},
		"beyond it":           {10*time.Minute + 1, "oooooooooSoooooooooS"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := queue{patience: 10 * time.Minute}
			settled, open := &server{due: now.Add(-tt.overdue)}, &server{due: now}
			q.push(settled, false)
			q.push(open, true)
			var order strings.Builder
			for range 20 {
				s, _ := q.pop(now)
				if s == settled {
					order.WriteByte('S')
				} else {
					order.WriteByte('o')
				}
				q.push(s, s == open)
			}
			wantEqual(t, "order", order.String(), tt.want)
		})
	}
}
