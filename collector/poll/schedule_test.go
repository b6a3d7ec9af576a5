package poll

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
)

var someSettings = config.Settings{PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StallAfter: 30 * time.Minute}

const now0 = scan.Instant(epoch * 1000)

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// recordOf is a record of subtasks in some statuses after a successful poll.
func recordOf(statuses ...float64) *scan.Record {
	r := &scan.Record{Polled: true, LastSuccess: now0}
	for i, s := range statuses {
		r.Subtasks = append(r.Subtasks, scan.Subtask{TaskID: strconv.Itoa(i), Type: "cve", Status: s, StatusSince: now0})
	}
	return r
}

func TestNextPoll(t *testing.T) {
	empty := func(since time.Duration) *scan.Record {
		r := recordOf()
		r.EmptySince = now0.Add(-since)
		return r
	}
	stalled := func(ages ...time.Duration) *scan.Record {
		r := recordOf(4)
		for _, age := range ages {
			r.Subtasks = append(r.Subtasks, scan.Subtask{Type: "sca", Status: 1, StatusSince: now0.Add(-age)})
		}
		return r
	}
	slow := someSettings
	slow.PollInterval = 2 * time.Hour
	tests := map[string]struct {
		record   *scan.Record
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
		"failing before the first answer": {record: &scan.Record{Polled: true, Failure: "x"}, failures: 1, want: 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.settings.PollInterval == 0 {
				tt.settings = someSettings
			}
			wantEqual(t, "wait", nextPoll(tt.record, tt.failures, tt.settings, tt.jitter, now0), tt.want)
		})
	}
}

func TestRankOf(t *testing.T) {
	failing := recordOf(1)
	failing.Failure = "timeout"
	longEmpty := recordOf()
	longEmpty.EmptySince = now0.Add(-time.Hour)
	restored := func(status float64) *scan.Record {
		r := recordOf(status)
		r.Polled = false
		return r
	}
	justEmpty := recordOf()
	justEmpty.EmptySince = now0
	for name, tt := range map[string]struct {
		record *scan.Record
		want   rank
	}{
		"never polled":           {&scan.Record{}, rankUnfinished},
		"restored, unfinished":   {restored(1), rankUnfinished},
		"restored, settled":      {restored(4), rankOther},
		"failing from the start": {&scan.Record{Polled: true, Failure: "timeout"}, rankOther},
		"unfinished":             {recordOf(4, 2), rankUnfinished},
		"just empty":             {justEmpty, rankUnfinished},
		"settled":                {recordOf(4, 4), rankOther},
		"long empty":             {longEmpty, rankOther},
		"failing":                {failing, rankOther},
	} {
		t.Run(name, func(t *testing.T) { wantEqual(t, "rank", rankOf(tt.record, someSettings, now0), tt.want) })
	}
}

func TestQueueReturnsTheMostOverdueServerOfTheLowestRank(t *testing.T) {
	now := now0.Time()
	type entry struct {
		name string
		due  time.Duration // from now
		rank rank
	}
	tests := map[string]struct {
		entries []entry
		order   string
		due     time.Duration // of the first one; -1: there is none
	}{
		"empty":                     {due: -1},
		"rank before overdue":       {[]entry{{"settled", -time.Hour, rankOther}, {"open", -time.Second, rankUnfinished}}, "open settled", -time.Hour},
		"most overdue first":        {[]entry{{"b", -2, rankUnfinished}, {"c", -1, rankUnfinished}, {"a", -3, rankUnfinished}}, "a b c", -3},
		"settled, most overdue too": {[]entry{{"b", -2, rankOther}, {"c", 0, rankOther}, {"a", -3, rankOther}}, "a b c", -3},
		"not before they are due":   {[]entry{{"later", 5, rankUnfinished}, {"settled", -1, rankOther}, {"soon", 3, rankOther}}, "settled", -1},
		"nothing due yet":           {[]entry{{"open", 9, rankUnfinished}, {"settled", 10, rankOther}}, "", 9},
		"due now":                   {[]entry{{"a", 0, rankUnfinished}}, "a", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var q queue
			for _, e := range tt.entries {
				target := &scan.Target{Server: config.Server{Name: e.name}}
				q.push(&server{due: now.Add(e.due), latest: &scan.Record{Target: target}}, e.rank)
			}
			first := q.due()
			wantEqual(t, "waits", !first.IsZero(), len(tt.entries) > 0)
			if !first.IsZero() {
				wantEqual(t, "due", first.Sub(now), tt.due)
			}
			var order []string
			for s := q.pop(now); s != nil; s = q.pop(now) {
				order = append(order, s.latest.Target.Name)
			}
			wantEqual(t, "order", strings.Join(order, " "), tt.order)
		})
	}
}

func TestOthersGetATurnOnceTheirPatienceEnds(t *testing.T) {
	now := now0.Time()
	tests := map[string]struct {
		overdue time.Duration // of the settled server
		want    string        // the polls, o: an unfinished server, S: the settled one
	}{
		"within its patience": {10 * time.Minute, "oooooooooooooooooooo"},
		"beyond it":           {10*time.Minute + 1, "oooooooooSoooooooooS"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := queue{patience: 10 * time.Minute}
			settled, open := &server{due: now.Add(-tt.overdue)}, &server{due: now}
			q.push(settled, rankOther)
			q.push(open, rankUnfinished)
			var order strings.Builder
			for range 20 {
				s := q.pop(now)
				if s == settled {
					order.WriteByte('S')
					q.push(s, rankOther)
				} else {
					order.WriteByte('o')
					q.push(s, rankUnfinished)
				}
			}
			wantEqual(t, "order", order.String(), tt.want)
		})
	}
}
