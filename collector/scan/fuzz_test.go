package scan

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// FuzzNext polls with whatever comes.
func FuzzNext(f *testing.F) {
	f.Add("a/cve/1|a/cve/4/A|!x|a/cve/4")
	f.Add("a/cve/1 b/cve/2;c/sca/3|!x;c/sca/4/B|")
	f.Add("a//9/A a/cve/word/B;a/cve/-1|!x;!y|a/cve/4/FINE;|b/cve/1")
	f.Fuzz(func(t *testing.T, script string) {
		h := newHistory()
		errors := 0.0
		for i, poll := range strings.Split(script, "|") {
			before := h.Record
			questions := strings.Split(poll, ";")
			for k, q := range questions { // incomplete subtasks are not what the fuzzer is to find
				questions[k] = complete(q)
			}
			h.poll(i, questions...)
			checkRecord(t, before, h.Record, minute(i))
			sum := 0.0
			for _, e := range h.Errors {
				sum += e.Count
			}
			if sum < errors {
				t.Fatalf("%v errors after %v", sum, errors)
			}
			errors = sum
		}
	})
}

// complete leaves out what poll does not take.
func complete(question string) string {
	if strings.HasPrefix(question, "!") {
		return question
	}
	return strings.Join(slices.DeleteFunc(strings.Fields(question), func(s string) bool { return strings.Count(s, "/") < 2 }), " ")
}

// checkRecord wants what holds of every record.
func checkRecord(t *testing.T, before, r *Record, now Instant) {
	t.Helper()
	seen := make(map[subtaskKey]bool)
	for i := range r.Subtasks {
		s := &r.Subtasks[i]
		if seen[s.key()] {
			t.Fatalf("%v is there twice", s.key())
		}
		seen[s.key()] = true
		if s.Changed > now || s.StatusSince > s.Changed || s.Began > now || s.Unfinished() && (s.Started == 0 || s.Started > now) {
			t.Fatalf("impossible times: %+v", s)
		}
		if (s.Code == "") != (s.CodeLabel == "") || math.IsNaN(s.Status) && s.Code == "" {
			t.Fatalf("impossible: %+v", s)
		}
	}
	if r.Failure == "" && r.LastSuccess != now || r.Failure != "" && r.LastSuccess != before.LastSuccess {
		t.Fatalf("last success %v of %q", r.LastSuccess, r.Failure)
	}
	if len(r.Changes) > maxChanges {
		t.Fatalf("%d changes", len(r.Changes))
	}
	for _, c := range r.Changes {
		_ = c.Subtask(r) // must not panic
	}
}
