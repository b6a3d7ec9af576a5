package collector_test

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"aliyun_vulscan_exporter/internal/simulator"
)

// subtasksAre returns the subtasks of a type, by status from unhandled to complete.
func subtasksAre(typ string, counts ...int) string {
	var b strings.Builder
	for i, name := range []string{"unhandled", "collecting", "collected", "matching", "complete"} {
		b.WriteString(labelled("subtasks", `,status="`+name+`",type="`+typ+`"`, counts[i]))
	}
	return b.String()
}

func TestEveryStatusOfEveryTypeIsAlwaysThere(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.fails(1, 500, "ServerError")
		s.fails(2, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "types: [cve, sca]\npoll_interval: 1m",
			serverYAML(1), serverYAML(2, "types: [sys]"))))
		stalled := labelled("subtasks_stalled", `,type="cve"`, 0) + labelled("subtasks_stalled", `,type="sca"`, 0) + labelled("subtasks_stalled", `,type="sys"`, 0)
		pass(time.Second)
		w.wants("subtasks subtasks_stalled", subtasksAre("cve", 0, 0, 0, 0, 0)+subtasksAre("sca", 0, 0, 0, 0, 0)+subtasksAre("sys", 0, 0, 0, 0, 0)+stalled)
		s.says(1, "t/cve/0", "u/cve/4", "v/cve/4/A", "t/sca/9", "u/sca/word/A", "t/cms/1")
		s.says(2, "t/sys/1", "u/sys/2", "v/sys/3")
		pass(time.Minute)
		w.wants("subtasks subtasks_stalled subtasks_failing", subtasksAre("cve", 1, 0, 0, 0, 2)+subtasksAre("sca", 0, 0, 0, 0, 0)+
			labelled("subtasks", `,status="unknown",type="sca"`, 2)+subtasksAre("sys", 0, 1, 1, 1, 0)+subtasksAre("cms", 0, 1, 0, 0, 0)+
			stalled+labelled("subtasks_stalled", `,type="cms"`, 0)+
			labelled("subtasks_failing", `,code="A",type="cve"`, 1)+labelled("subtasks_failing", `,code="A",type="sca"`, 1))
	})
}

func TestSumsOfATypeOrCodeGoWithTheLastSubtaskThatHasIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "types: [cve]\npoll_interval: 1m\nsettled_interval: 1m",
			serverYAML(1), serverYAML(2))))
		for _, said := range [][]string{{"t/cve/0"}, {"t/cve/4/A", "t/cms/1/B"}, {"t/cve/4/A", "t/cms/9"}, {"t/cve/4"}, {"t/cms/4/A"}} {
			s.says(1, said...)
			s.says(2, "t/cve/1")
			pass(2 * time.Minute)
			compareWithPromhttp(t, w.collector)
			text := w.exposition()
			for _, of := range []struct{ reported, sum string }{{"t/cms", `subtasks_stalled{account="main",type="cms"}`}, {"/A", `code="A"`}, {"/B", `code="B"`}, {"/9", `status="unknown"`}} {
				there := strings.Contains(strings.Join(said, " "), of.reported)
				wantEqual(t, of.sum+" after "+strings.Join(said, " "), sumsOf(text, of.sum), there)
			}
		}
	})
}

// sumsOf reports whether a text has a sum of subtasks with a text in it.
func sumsOf(text, sum string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, namespace+"_subtasks") && strings.Contains(line, sum) {
			return true
		}
	}
	return false
}

func TestSubtaskStallsWhenItsStatusRests(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1", "u/cve/4", "v/cve/2")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m\nstall_after: 5m", serverYAML(1))))
		stalled := func() float64 { return w.value("subtasks_stalled") }
		pass(5*time.Minute - time.Second)
		wantEqual(t, "stalled, just before", stalled(), 0)
		pass(time.Second)
		wantEqual(t, "stalled", stalled(), 2)
		s.says(1, "t/cve/1/A", "u/cve/4", "v/cve/3") // a code alone is no progress
		pass(time.Minute)
		wantEqual(t, "stalled after one moved", stalled(), 1)
		s.says(1, "t/cve/4/A", "u/cve/4", "v/cve/3")
		pass(time.Minute)
		wantEqual(t, "stalled after the other ended", stalled(), 0)
		s.fails(1, 500, "ServerError")
		pass(10 * time.Minute)
		wantEqual(t, "stalled while polls fail", stalled(), 0) // it was not when it was last seen
		s.says(1, "t/cve/4/A", "u/cve/4", "v/cve/3")
		pass(5 * time.Minute)
		wantEqual(t, "stalled once it is seen again", stalled(), 1)
		s.fails(1, 500, "ServerError")
		pass(30 * time.Minute)
		wantEqual(t, "still stalled while polls fail", stalled(), 1)
	})
}

func TestSeriesOpenLeavesOutWhatIsDone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "a/cve/4", "b/cve/4/A", "c/cve/3", "d/cve/9", "e/cve/4/FINE")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "success_codes: [FINE]\nseries: open", serverYAML(1))))
		pass(0)
		open := shown(1, []string{"b/cve/4/A", "c/cve/3", "d/cve/9"})
		w.wants("subtask_status subtask_error", open)
		wantEqual(t, "times of change", w.value("subtask_last_change_timestamp_seconds"), float64(3*epoch))
		wantEqual(t, "complete", w.value("subtasks", "status=complete"), 3)
		w.apply(yamlOf(yamlAccount("main", "success_codes: [FINE]", serverYAML(1))))
		pass(0)
		w.wants("subtask_status subtask_error", open+shown(1, []string{"a/cve/4", "e/cve/4"}))
	})
}

func TestScanDuration(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	runes := strings.Repeat("漏", 42)
	tests := map[string]struct {
		task string
		said []string // in turn, a minute each
		want uint64
		sum  float64
	}{
		"seen from its start":        {"t", []string{"0", "1", "2", "4"}, 1, 180},
		"seen from its middle":       {"t", []string{"3", "4"}, 1, 60},
		"never seen unfinished":      {"t", []string{"4", "4"}, 0, 0},
		"complete once only":         {"t", []string{"1", "4", "4"}, 1, 60},
		"again":                      {"t", []string{"1", "4", "0", "1", "4"}, 2, 180},
		"a word on the way":          {"t", []string{"1", "word/A", "4"}, 1, 120},
		"failed at once":             {"t", []string{"1", "4/A"}, 1, 60},
		"a task ID of 128 bytes":     {long, []string{"1", "4"}, 1, 60},
		"a task ID of larger runes":  {runes, []string{"1", "4"}, 1, 60},
		"a task ID cut to 128 bytes": {runes + runes, []string{"1", "4"}, 1, 60},
		"a task ID of odd bytes":     {"a\x00\"\n", []string{"1", "4"}, 1, 60},
		"no task ID":                 {"", []string{"1", "4"}, 1, 60},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, tt.task+"/cve/"+tt.said[0])
				w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m\nsettled_interval: 1m", serverYAML(1))))
				pass(0)
				for _, said := range tt.said[1:] {
					s.says(1, tt.task+"/cve/"+said)
					pass(time.Minute)
				}
				h := w.scans()
				wantEqual(t, "scans", h.GetSampleCount(), tt.want)
				wantEqual(t, "seconds", h.GetSampleSum(), tt.sum)
				checkExemplar(t, h, tt.task)
			})
		})
	}
}

// checkExemplar wants one exemplar, with the beginning of the task ID.
func checkExemplar(t *testing.T, h *dto.Histogram, task string) {
	t.Helper()
	found := 0
	for _, b := range h.GetBucket() {
		if e := b.GetExemplar(); e != nil {
			found++
			id := e.GetLabel()[0].GetValue()
			wantEqual(t, "label of the exemplar", e.GetLabel()[0].GetName(), "task_id")
			if !strings.HasPrefix(task, id) || len(id) < min(len(task), 99) {
				t.Errorf("the exemplar has %q of %q", id, task)
			}
		}
	}
	wantEqual(t, "exemplars", found > 0, h.GetSampleCount() > 0)
	wantEqual(t, "native buckets", h.GetPositiveSpan() != nil, h.GetSampleCount() > 0)
}

// scans returns the only histogram of scan durations, or an empty one.
func (w *world) scans() *dto.Histogram {
	w.t.Helper()
	found, err := w.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range found {
		if f.GetName() == namespace+"_scan_duration_seconds" {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	return &dto.Histogram{}
}

func TestPollLagIsThatOfTheMostOverdueServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startWorld(t, simulator.Options{}, yamlOf(yamlAccount("main", "poll_interval: 30s", serversYAML(10)...)))
		pass(10 * time.Minute)
		wantEqual(t, "lag where the quota suffices", w.value("poll_lag_seconds"), 0)
		w.apply(yamlOf(yamlAccount("main", "poll_interval: 30s\nrequests_per_second: 0.1\nconcurrency: 1", serversYAML(10)...)))
		pass(2 * time.Minute)
		if lag := w.value("poll_lag_seconds"); lag < 60 || lag > 120 {
			t.Errorf("lag %v after 2 minutes with a third of the quota needed", lag)
		}
	})
}
