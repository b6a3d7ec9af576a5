package scan

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// changes gives the history, the oldest change first, with the minute of each.
func (h *history) changes() string {
	var list []string
	for _, c := range h.Changes {
		s := c.Subtask(h.Record)
		list = append(list, fmt.Sprintf("%s/%s/%v/%s@%d", s.TaskID, s.Type, c.Status, c.Code(h.Record), now0.Until(c.At())/time.Minute))
	}
	return strings.Join(list, " ")
}

func TestAServersLastChangesAreKept(t *testing.T) {
	tests := map[string]struct {
		polls []string // a minute each
		want  string
	}{
		"nothing at first sight":             {[]string{"a/cve/1"}, ""},
		"nothing new":                        {[]string{"a/cve/1", "a/cve/1"}, ""},
		"a status":                           {[]string{"a/cve/1", "a/cve/2"}, "a/cve/2/@1"},
		"a code":                             {[]string{"a/cve/4", "a/cve/4/A", "a/cve/4"}, "a/cve/4/A@1 a/cve/4/@2"},
		"a status that goes":                 {[]string{"a/cve/4/A", "a/cve/word/A"}, "a/cve/NaN/A@1"},
		"and stays away":                     {[]string{"a/cve/4/A", "a/cve/word/A", "a/cve/word/A"}, "a/cve/NaN/A@1"},
		"a new subtask":                      {[]string{"a/cve/1", "a/cve/1 b/cve/0"}, "b/cve/0/@1"},
		"in another order":                   {[]string{"a/cve/1 b/cve/1", "a/cve/2 b/cve/1", "b/cve/1 a/cve/2"}, "a/cve/2/@1"},
		"of one that is gone":                {[]string{"a/cve/1 b/cve/1", "a/cve/2 b/cve/2", "b/cve/2"}, "b/cve/2/@1"},
		"of one that came back":              {[]string{"a/cve/1", "a/cve/2", "", "a/cve/2"}, "a/cve/2/@3"},
		"of one replaced at the same place":  {[]string{"a/cve/1", "a/cve/2", "b/cve/3"}, "b/cve/3/@2"},
		"of a task replaced, all its types":  {[]string{"a/cve/1 a/sca/1", "a/cve/2 a/sca/2", "b/cve/2 b/sca/2"}, "b/cve/2/@2 b/sca/2/@2"},
		"of a type replaced":                 {[]string{"a/cve/1", "a/cve/2", "a/sca/2"}, "a/sca/2/@2"},
		"of two that change places":          {[]string{"a/cve/1 b/cve/1", "a/cve/2 b/cve/3", "b/cve/3 a/cve/2"}, "a/cve/2/@1 b/cve/3/@1"},
		"nothing of a failed poll":           {[]string{"a/cve/1", "!x", "a/cve/2"}, "a/cve/2/@2"},
		"nothing before the first successes": {[]string{"!x", "a/cve/1"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			for i, p := range tt.polls {
				h.poll(i, p)
			}
			wantEqual(t, "changes", h.changes(), tt.want)
		})
	}
}

func TestTheOldestChangesGo(t *testing.T) {
	h := newHistory()
	for i := range 50 {
		h.poll(i, fmt.Sprintf("a/cve/%d b/cve/1", i%3))
	}
	wantEqual(t, "changes", len(h.Changes), maxChanges)
	wantEqual(t, "capacity", cap(h.Changes) <= 24, true)
	wantEqual(t, "the oldest", h.Changes[0].At(), minute(30))
	wantEqual(t, "the newest", h.Changes[19].At(), minute(49))
	var text strings.Builder
	for i := range 30 {
		fmt.Fprintf(&text, "t%02d/cve/1 ", i)
	}
	h.poll(60, text.String())
	wantEqual(t, "changes of a poll with more", strings.HasPrefix(h.changes(), "t10/cve/1/@60 "), true)
}

// An answer of 4 MiB may have so many.
func TestChangesOfVeryManySubtasksAreTheirs(t *testing.T) {
	h := newHistory()
	var text strings.Builder
	for i := range 70_000 {
		fmt.Fprintf(&text, "t%d/cve/1 ", i)
	}
	h.poll(0, text.String())
	h.poll(1, "last/cve/1 "+text.String())
	wantEqual(t, "changes", h.changes(), "last/cve/1/@1")
	h.poll(2, text.String()+"last/cve/2")
	wantEqual(t, "changes", h.changes(), "last/cve/1/@1 last/cve/2/@2")
}

func TestTransitionsAreWhatIsReportedOtherwise(t *testing.T) {
	h := newHistory()
	h.poll(0, "a/cve/1 b/cve/4 c/cve/word/A")
	wantEqual(t, "transitions at first", len(h.transitions), 3)
	h.transitions = nil
	h.poll(1, "b/cve/4 a/cve/2 d/cve/0 c/cve/word/A")
	var got []string
	for _, s := range h.transitions {
		got = append(got, fmt.Sprintf("%s from %v", s.TaskID, s.Before != nil && s.Before.Status == 1))
	}
	wantEqual(t, "transitions", got, []string{"a from true", "d from false"})
	h.poll(2, "!x")
	h.poll(3, "b/cve/4 a/cve/2 d/cve/0 c/cve/word/A")
	wantEqual(t, "transitions of polls that find nothing new", len(h.transitions), 2)
}
