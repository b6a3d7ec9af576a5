package scan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

const now0 = Instant(946684800_000)

// minute returns the moment so many minutes after the tests begin.
func minute(n int) Instant { return now0.Add(time.Duration(n) * time.Minute) }

// history is what is known of one server, and what was seen of it.
type history struct {
	*Record
	policy      CodePolicy
	starts      map[string]Instant
	bounded     map[sas.Anomaly]int
	transitions []Transition
}

func newHistory() *history {
	h := &history{starts: make(map[string]Instant), bounded: make(map[sas.Anomaly]int)}
	h.Record = &Record{Target: &Target{Server: config.Server{UUID: "u", Name: "web", TaskIDs: []string{"t"}, Types: []string{"cve"}}}, Total: -1}
	h.policy = CodePolicy{
		Codes: NewLabelSet(200), Types: NewLabelSet(20, "cve", "sca"), SuccessCodes: []string{"FINE"},
		TaskStart: func(id string) Instant { return h.starts[id] },
		Bounded:   func(a sas.Anomaly) { h.bounded[a]++ },
	}
	return h
}

// poll takes what came of a poll's questions: each "task/type/status/code ..." or "!result" for a
// call that failed.
func (h *history) poll(minutes int, questions ...string) {
	var results []CallResult
	for _, q := range questions {
		if failed, fails := strings.CutPrefix(q, "!"); fails {
			results = append(results, CallResult{Err: &sas.Error{Result: failed}})
			continue
		}
		results = append(results, CallResult{Answer: answer(q)})
	}
	var transitions []Transition
	h.Record, transitions = h.Next(results, &h.policy, minute(minutes))
	h.transitions = append(h.transitions, transitions...)
}

func answer(text string) *sas.Answer {
	a := &sas.Answer{RequestID: "R", TotalCount: int64(len(strings.Fields(text)))}
	for s := range strings.FieldsSeq(text) {
		part := append(strings.SplitN(s, "/", 4), "")
		status, err := strconv.ParseFloat(part[2], 64)
		if err != nil {
			status = math.NaN()
		}
		a.Subtasks = append(a.Subtasks, sas.Subtask{TaskID: part[0], Type: part[1], Status: status, Code: part[3]})
	}
	return a
}

// known gives the subtasks as poll takes them, sorted, each with the minutes of its changes: of
// status and code, of the status, of the first sight.
func (h *history) known() string {
	var list []string
	for _, s := range h.Subtasks {
		minutes := func(i Instant) int { return int(now0.Until(i) / time.Minute) }
		list = append(list, fmt.Sprintf("%s/%s/%v/%s@%d,%d,%d", s.TaskID, s.Type, s.Status, s.Code, minutes(s.Changed), minutes(s.StatusSince), minutes(s.Began)))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestNext(t *testing.T) {
	type poll []string // its questions
	tests := map[string]struct {
		polls   []poll // a minute each
		want    string
		failure string
	}{
		"first sight":                     {[]poll{{"a/cve/1"}}, "a/cve/1/@0,0,0", ""},
		"nothing new":                     {[]poll{{"a/cve/1"}, {"a/cve/1"}}, "a/cve/1/@0,0,0", ""},
		"another status":                  {[]poll{{"a/cve/1"}, {"a/cve/2"}}, "a/cve/2/@1,1,0", ""},
		"another code, the same status":   {[]poll{{"a/cve/4"}, {"a/cve/4/A"}, {"a/cve/4/B"}}, "a/cve/4/B@2,0,0", ""},
		"a code that means success":       {[]poll{{"a/cve/4"}, {"a/cve/4/FINE"}}, "a/cve/4/@0,0,0", ""},
		"a blank code":                    {[]poll{{"a/cve/4"}, {"a/cve/4/\u00a0"}}, "a/cve/4/@0,0,0", ""},
		"no longer reported":              {[]poll{{"a/cve/1 b/cve/2"}, {"b/cve/2"}}, "b/cve/2/@0,0,0", ""},
		"reported again: a new one":       {[]poll{{"a/cve/1"}, {""}, {"a/cve/1"}}, "a/cve/1/@2,2,2", ""},
		"a status that is a word":         {[]poll{{"a/cve/word"}}, "", ""},
		"a word with a code":              {[]poll{{"a/cve/word/A"}, {"a/cve/word/A"}}, "a/cve/NaN/A@0,0,0", ""},
		"a word instead of a status":      {[]poll{{"a/cve/1"}, {"a/cve/word"}}, "", ""},
		"twice in an answer":              {[]poll{{"a/cve/1 a/cve/2"}}, "a/cve/2/@0,0,0", ""},
		"a failure changes nothing":       {[]poll{{"a/cve/1"}, {"!timeout"}}, "a/cve/1/@0,0,0", "timeout"},
		"nor many":                        {[]poll{{"a/cve/1"}, {"!timeout"}, {"!x"}, {"a/cve/1"}}, "a/cve/1/@0,0,0", ""},
		"failed from the start":           {[]poll{{"!timeout"}}, "", "timeout"},
		"half failed: the other half":     {[]poll{{"a/cve/1", "b/cve/1"}, {"a/cve/2", "!timeout"}}, "a/cve/2/@1,1,0 b/cve/1/@0,0,0", "timeout"},
		"half failed, half empty":         {[]poll{{"a/cve/1", "b/cve/1"}, {"!timeout", ""}}, "a/cve/1/@0,0,0", "timeout"},
		"the last failure counts":         {[]poll{{"!x", "!y"}}, "", "y"},
		"two questions name the same":     {[]poll{{"m/cve/1", "m/cve/3"}}, "m/cve/3/@0,0,0", ""},
		"of which one fails later":        {[]poll{{"m/cve/1", "m/cve/3"}, {"m/cve/1", "!x"}}, "m/cve/3/@0,0,0", "x"},
		"of which the other fails":        {[]poll{{"m/cve/1", "m/cve/3"}, {"!x", "m/cve/3"}}, "m/cve/3/@0,0,0", "x"},
		"a question less":                 {[]poll{{"a/cve/1", "b/cve/1"}, {"a/cve/1"}}, "a/cve/1/@0,0,0", ""},
		"a question less, and a failure":  {[]poll{{"a/cve/1", "b/cve/1"}, {"!x"}}, "a/cve/1/@0,0,0 b/cve/1/@0,0,0", "x"},
		"a question more, which fails":    {[]poll{{"a/cve/1"}, {"a/cve/1", "!x"}}, "a/cve/1/@0,0,0", "x"},
		"one moves to the other question": {[]poll{{"a/cve/1", ""}, {"", "a/cve/1"}}, "a/cve/1/@0,0,0", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			for i, p := range tt.polls {
				before := h.Record
				h.poll(i, p...)
				if before == h.Record {
					t.Fatal("the record was changed")
				}
			}
			wantEqual(t, "known", h.known(), tt.want)
			wantEqual(t, "failure", h.Failure, tt.failure)
		})
	}
}

func TestErrorsAreCountedWhenTheyBegin(t *testing.T) {
	tests := map[string]struct {
		polls []string
		want  string // codes and counts
	}{
		"none":                         {[]string{"a/cve/1", "a/cve/4"}, ""},
		"at first sight":               {[]string{"a/cve/4/A"}, "A=1"},
		"once, however often polled":   {[]string{"a/cve/4/A", "a/cve/4/A", "a/cve/3/A"}, "A=1"},
		"again after it went":          {[]string{"a/cve/4/A", "a/cve/4", "a/cve/4/A"}, "A=2"},
		"again after it was away":      {[]string{"a/cve/4/A", "", "a/cve/4/A"}, "A=2"},
		"another":                      {[]string{"a/cve/4/A", "a/cve/4/B", "a/cve/4/A"}, "A=2 B=1"},
		"of two tasks":                 {[]string{"a/cve/4/A b/cve/4/A"}, "A=2"},
		"not after a failed poll":      {[]string{"a/cve/4/A", "!x", "a/cve/4/A"}, "A=1"},
		"of a task that reports twice": {[]string{"a/cve/4/A a/cve/4/B"}, "B=1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			for i, p := range tt.polls {
				h.poll(i, p)
			}
			var got []string
			sum := 0.0
			for _, e := range h.Errors {
				got = append(got, fmt.Sprintf("%s=%v", e.Code, e.Count))
				sum += e.Count
			}
			wantEqual(t, "errors", strings.Join(got, " "), tt.want)
			for _, s := range h.transitions {
				if s.Failed() {
					sum--
				}
			}
			wantEqual(t, "errors beyond the transitions that failed", sum, 0)
		})
	}
}

func TestCountingErrorsChangesNoEarlierRecord(t *testing.T) {
	h := newHistory()
	h.poll(0, "a/cve/4/A")
	first := h.Record
	h.poll(1, "a/cve/4")
	h.poll(2, "a/cve/4/A")
	wantEqual(t, "errors, then and now", fmt.Sprint(first.Errors[0].Count, h.Errors[0].Count), "1 2")
}

func TestFinishedScansTakeAsLongAsTheyWereSeen(t *testing.T) {
	tests := map[string]struct {
		polls []string // a minute each
		want  []time.Duration
	}{
		"from its start":         {[]string{"a/cve/0", "a/cve/2", "a/cve/4"}, []time.Duration{2 * time.Minute}},
		"never seen unfinished":  {[]string{"a/cve/4"}, nil},
		"with an error":          {[]string{"a/cve/1", "a/cve/4/A"}, []time.Duration{time.Minute}},
		"twice":                  {[]string{"a/cve/1", "a/cve/4", "a/cve/1", "a/cve/4"}, []time.Duration{time.Minute, time.Minute}},
		"gone before its end":    {[]string{"a/cve/1", "", "a/cve/4"}, nil},
		"over a failure":         {[]string{"a/cve/1", "!x", "!x", "a/cve/4"}, []time.Duration{3 * time.Minute}},
		"an undocumented status": {[]string{"a/cve/7", "a/cve/4"}, []time.Duration{time.Minute}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			for i, p := range tt.polls {
				h.poll(i, p)
			}
			var got []time.Duration
			for _, s := range h.transitions {
				if took, completed := s.Completed(); completed {
					wantEqual(t, "of", s.TaskID+s.Type, "acve")
					got = append(got, took)
				}
			}
			wantEqual(t, "took", got, tt.want)
		})
	}
	h := newHistory()
	h.poll(9, "a/cve/1")
	h.poll(3, "a/cve/4") // cannot be, and must not count backwards
	took, completed := h.transitions[1].Completed()
	wantEqual(t, "took, with time going back", fmt.Sprint(took, completed), "0s true")
}

func TestLastSuccessAndEmptiness(t *testing.T) {
	h := newHistory()
	h.poll(0, "!timeout")
	wantEqual(t, "last success after a failure", h.LastSuccess, Instant(0))
	wantEqual(t, "polled", h.Polled, true)
	wantEqual(t, "TotalCount", h.Total, -1)
	h.poll(1, "")
	h.poll(2, "")
	wantEqual(t, "empty since", h.EmptySince, minute(1))
	wantEqual(t, "last success", h.LastSuccess, minute(2))
	h.poll(3, "", "!timeout")
	wantEqual(t, "last success after half a failure", h.LastSuccess, minute(2))
	h.poll(4, "a/cve/1")
	wantEqual(t, "empty since", h.EmptySince, Instant(0))
	wantEqual(t, "TotalCount", h.Total, 1)
	h.poll(5, "")
	wantEqual(t, "empty since", h.EmptySince, minute(5))
}

func TestAProblemIsRememberedForADay(t *testing.T) {
	h := newHistory()
	h.poll(0, "!timeout")
	wantEqual(t, "result", h.Problem.Err.Result, "timeout")
	wantEqual(t, "server", h.Problem.Server+h.Problem.UUID, "webu")
	h.poll(24*60, "")
	wantEqual(t, "a day later", h.Problem != nil, true)
	h.poll(24*60+1, "")
	wantEqual(t, "later", h.Problem == nil, true)
}

func TestTextsBeyondTheLimitAreCountedAsOther(t *testing.T) {
	h := newHistory()
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, "t%d/cve/4/code_%d ", i, i)
	}
	h.poll(0, text.String())
	wantEqual(t, "codes", len(h.Errors), 201)
	for _, e := range h.Errors {
		wantEqual(t, "under "+e.Code, e.Count, map[bool]int{true: 100, false: 1}[e.Code == OtherLabel])
	}
	wantEqual(t, "told", h.bounded[CodeLimit], 100)
	text.Reset()
	for i := range 5000 {
		fmt.Fprintf(&text, "t/type_%d/4 ", i)
	}
	h.poll(1, text.String()+"t/sca/4")
	wantEqual(t, "types", len(h.Subtasks), 22) // with other, and sca
	wantEqual(t, "told", h.bounded[TypeLimit], 4980)
}

// Thousands of servers are polled in vain for hours: what is the same as before is held once.
func TestPollsThatFindNothingNewHoldNothingTwice(t *testing.T) {
	h := newHistory()
	h.poll(0, "a/cve/4/A b/sca/2")
	before := h.Record
	h.poll(1, "a/cve/4/A b/sca/2")
	if &before.Subtasks[0] != &h.Subtasks[0] || &before.Errors[0] != &h.Errors[0] {
		t.Error("subtasks or errors are held twice")
	}
	wantEqual(t, "the same is known", before.SameKnowledge(h.Record), true)
	before = h.Record
	h.poll(2, "a/cve/4/A b/sca/3")
	wantEqual(t, "the same is known", before.SameKnowledge(h.Record), false)
}

func TestTheStartOfATaskDecidesWhichIsNewer(t *testing.T) {
	h := newHistory()
	h.poll(0, "a/cve/4/A b/cve/4")
	superseded := func() string {
		var list []string
		for _, s := range h.Subtasks {
			if s.Superseded {
				list = append(list, s.TaskID)
			}
		}
		return strings.Join(list, " ")
	}
	wantEqual(t, "seen at once", superseded(), "")
	h.starts["a"], h.starts["b"] = minute(-10), minute(-5)
	h.poll(1, "a/cve/4/A b/cve/4")
	wantEqual(t, "once discovery knows", superseded(), "a")
	clear(h.starts)
	h.poll(2, "a/cve/4/A b/cve/4")
	wantEqual(t, "once it has forgotten", superseded(), "a")
	h.poll(3, "a/cve/4/A b/cve/4 c/cve/4")
	wantEqual(t, "and a newer one", superseded(), "a b")
	h.poll(4, "!x")
	wantEqual(t, "after a failure", superseded(), "a b")
}

// Tasks that come or go may shift others into another call. What a failed call was to tell of
// stays, whichever call told of it before.
func TestTasksThatAreAskedForInAnotherCallStay(t *testing.T) {
	before := &Record{Target: &Target{}, LastSuccess: 1, Subtasks: []Subtask{
		{TaskID: "a", Type: "cve", Status: 4, Code: "X", CodeLabel: "X", Changed: 5},
		{TaskID: "b", Type: "cve", Status: 1, Changed: 6, Question: 1},
		{TaskID: "16190385", Type: "cve", Status: 1, Changed: 7},
		{TaskID: "16190386", Type: "cve", Status: 1, Changed: 8, Question: 1},
	}}
	answer := &sas.Answer{Subtasks: []sas.Subtask{{TaskID: "a", Type: "cve", Status: 4, Code: "X"}}}
	next, _ := before.Next([]CallResult{
		{Err: &sas.Error{Result: "timeout"}, TaskIDs: []string{"b"}}, {Answer: answer, TaskIDs: []string{"a"}},
	}, &newHistory().policy, 100)
	got := map[string]Instant{}
	for _, s := range next.Subtasks {
		got[s.TaskID] = s.Changed
	}
	wantEqual(t, "changes of subtasks", fmt.Sprint(got), fmt.Sprint(map[string]Instant{"a": 5, "b": 6, "16190385": 7}))
	wantEqual(t, "errors counted again", len(next.Errors), 0)
}
