package scan

import (
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
)

var someSettings = config.Settings{StallAfter: 30 * time.Minute, StaleAfter: time.Hour}

// viewOf is a view of subtasks that took their status at some minute, polled with success then,
// some minutes later.
func viewOf(minutes int, statuses ...float64) View {
	r := &Record{Polled: true, LastSuccess: minute(minutes), Target: &Target{}}
	for _, s := range statuses {
		r.Subtasks = append(r.Subtasks, Subtask{TaskID: "t", Type: "cve", Status: s, StatusSince: now0, Changed: now0})
	}
	return View{Record: r, Settings: &someSettings, Now: minute(minutes)}
}

func TestStalled(t *testing.T) {
	tests := map[string]struct {
		view func() View
		want bool
	}{
		"complete":                 {func() View { return viewOf(99, 4) }, false},
		"unfinished, not for long": {func() View { return viewOf(29, 1) }, false},
		"for stall_after":          {func() View { return viewOf(30, 1) }, true},
		"of an unknown status":     {func() View { return viewOf(30, 9) }, true},
		"superseded": {func() View {
			v := viewOf(30, 1)
			v.Subtasks[0].Superseded = true
			return v
		}, false},
		"not seen to, failing": {func() View {
			v := viewOf(29, 1)
			v.Failure, v.Now = "x", minute(300)
			return v
		}, false},
		"seen to, failing": {func() View {
			v := viewOf(30, 1)
			v.Failure, v.Now = "x", minute(300)
			return v
		}, true},
		"not seen to, refused": {func() View {
			v := viewOf(29, 1)
			v.Refused, v.Now = true, minute(300)
			return v
		}, false},
		"not seen to, restored": {func() View {
			v := viewOf(29, 1)
			v.Polled, v.Now = false, minute(300)
			return v
		}, false},
		"seen to, restored": {func() View {
			v := viewOf(30, 1)
			v.Polled, v.Now = false, minute(300)
			return v
		}, true},
		"overdue for stall_after": {func() View {
			v := viewOf(29, 1)
			v.Due, v.Now = minute(29), minute(59)
			return v
		}, true},
		"overdue for longer": {func() View {
			v := viewOf(29, 1)
			v.Due, v.Now = minute(29), minute(59)+1
			return v
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := tt.view()
			wantEqual(t, "stalled", v.Stalled(&v.Subtasks[0]), tt.want)
		})
	}
}

func TestStale(t *testing.T) {
	never := someSettings
	never.StaleAfter = 0
	tests := map[string]struct {
		age      time.Duration // of the last success
		lists    time.Duration // of the lists that confirm it; 0: none does
		settings config.Settings
		want     bool
	}{
		"just polled":            {0, 0, someSettings, false},
		"nearly":                 {time.Hour - time.Millisecond, 0, someSettings, false},
		"stale":                  {time.Hour, 0, someSettings, true},
		"never":                  {1000 * time.Hour, 0, never, false},
		"confirmed by lists":     {5 * time.Hour, time.Minute, someSettings, false},
		"confirmed too long ago": {5 * time.Hour, time.Hour, someSettings, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := viewOf(0, 4)
			v.Settings, v.LastSuccess = &tt.settings, v.Now.Add(-tt.age)
			if tt.lists != 0 {
				v.Confirmed = v.Now.Add(-tt.lists)
			}
			wantEqual(t, "stale", v.Stale(), tt.want)
		})
	}
}

// At the moment that ChangesAt returns, and not before, the view says something else.
func TestChangesAtIsWhenTheViewSaysSomethingElse(t *testing.T) {
	says := func(v View) (stale bool, stalled int) {
		for i := range v.Subtasks {
			if v.Stalled(&v.Subtasks[i]) {
				stalled++
			}
		}
		return v.Stale(), stalled
	}
	tests := map[string]func() View{
		"settled":    func() View { return viewOf(0, 4) },
		"unfinished": func() View { return viewOf(0, 1, 4) },
		"several": func() View {
			v := viewOf(0, 1, 2)
			v.Subtasks[1].StatusSince = minute(-7)
			return v
		},
		"stalled already": func() View { return viewOf(31, 1) },
		"overdue": func() View {
			v := viewOf(0, 1)
			v.Subtasks[0].StatusSince, v.Due = minute(-20), minute(1)
			return v
		},
		"long overdue": func() View {
			v := viewOf(0, 1)
			v.Due = minute(-40)
			return v
		},
		"confirmed": func() View {
			v := viewOf(0, 4)
			v.LastSuccess, v.Confirmed = minute(-500), minute(-2)
			return v
		},
		"superseded": func() View {
			v := viewOf(0, 1)
			v.Subtasks[0].Superseded = true
			return v
		},
	}
	for name, view := range tests {
		t.Run(name, func(t *testing.T) {
			v := view()
			for range 10 {
				until := v.ChangesAt()
				stale, stalled := says(v)
				end := until
				if until == 0 {
					end = v.Now.Add(1000 * time.Hour)
				} else if until <= v.Now {
					t.Fatalf("changes at %v, which is not later than %v", until, v.Now)
				}
				for _, at := range []Instant{(v.Now + end) / 2, end - 1} {
					later := v
					later.Now = at
					gotStale, gotStalled := says(later)
					if gotStale != stale || gotStalled != stalled {
						t.Errorf("at %v, before %v: stale %v, %d stalled; it was %v, %d", at, until, gotStale, gotStalled, stale, stalled)
					}
				}
				if until == 0 {
					return
				}
				v.Now = until
			}
			t.Error("there is no end of changes")
		})
	}
}

func TestTimesAreTheSystemsAndNeverInTheFuture(t *testing.T) {
	v := viewOf(10, 1)
	wantEqual(t, "a moment", v.Unix(minute(1)), float64(minute(1))/1000)
	wantEqual(t, "a later one", v.Unix(minute(11)), float64(minute(10))/1000)
	v.Step = -time.Hour
	wantEqual(t, "with the clock set back", v.Unix(minute(1)), float64(minute(-59))/1000)
}

func TestStateOfAServer(t *testing.T) {
	tests := map[string]struct {
		record  Record
		refused bool
		want    string
	}{
		"not polled":          {Record{}, false, StatePending},
		"not polled, refused": {Record{}, true, StateFailing},
		"polled":              {Record{Polled: true}, false, StateOK},
		"polled, refused":     {Record{Polled: true}, true, StateFailing},
		"failed":              {Record{Polled: true, Failure: "x"}, false, StateFailing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantEqual(t, "state", tt.record.State(tt.refused), tt.want) })
	}
}

func TestSettledAndTroubled(t *testing.T) {
	tests := map[string]struct {
		record            func() *Record
		settled, troubled bool
	}{
		"complete":   {func() *Record { return viewOf(0, 4, 4).Record }, true, false},
		"unfinished": {func() *Record { return viewOf(0, 4, 3).Record }, false, true},
		"failing": {func() *Record {
			r := viewOf(0, 4).Record
			r.Subtasks[0].Code = "A"
			return r
		}, true, true},
		"failing, superseded": {func() *Record {
			r := viewOf(0, 4).Record
			r.Subtasks[0].Code, r.Subtasks[0].Superseded = "A", true
			return r
		}, true, false},
		"never answered": {func() *Record { return &Record{} }, false, false},
		"just empty":     {func() *Record { return &Record{EmptySince: minute(-29)} }, false, false},
		"long empty":     {func() *Record { return &Record{EmptySince: minute(-30)} }, true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "settled", tt.record().Settled(now0, 30*time.Minute), tt.settled)
			wantEqual(t, "troubled", tt.record().Troubled(), tt.troubled)
		})
	}
}

func TestMovedAt(t *testing.T) {
	r := &Record{EmptySince: minute(-5)}
	wantEqual(t, "without subtasks", r.MovedAt(), minute(-5))
	r = &Record{Subtasks: []Subtask{{Status: 1, StatusSince: minute(-9)}, {Status: 2, StatusSince: minute(-7)}, {Status: 4, StatusSince: minute(-1)}}}
	wantEqual(t, "the last that is not complete", r.MovedAt(), minute(-7))
}
