package collector_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// The example of Alibaba's documentation asks for one task and is answered for another, of which
// the subtask is complete and failed.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "16190385/cve/4/push_command_failed")
		w := startWorld(t, simulator.Options{Intercept: s.intercept},
			yamlOf(yamlAccount("main", "settled_interval: 1m", serverYAML(1, "task_ids: [ad8afca3914a5fff4636e67f18e259c7]"))))
		want := statusIs(1, "16190385", "cve", 4) + errorIs(1, "16190385", "cve", "push_command_failed") +
			errorsAre("cve", "push_command_failed", 1) + labelled("subtasks_failing", `,code="push_command_failed",type="cve"`, 1)
		for poll := range 6 {
			pass(0)
			w.wants("subtask_status subtask_error subtask_errors_total subtasks_failing", want)
			wantEqual(t, "polls", len(w.questionsOf(uuid(1))), poll+1)
			pass(time.Minute)
		}
		wantEqual(t, "asked for", w.questionsOf(uuid(1))[0].TaskIDs, "[ad8afca3914a5fff4636e67f18e259c7]")
	})
}

func TestErrorsAreCountedWhenTheyBegin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers []string // of web-1, in turn; x/ is a failed poll
		more    string
		want    string
	}{
		"another code, none and back": {
			answers: []string{"t/cve/4/A", "t/cve/4/A", "t/cve/4/B", "t/cve/4", "t/cve/4/A"},
			want:    errorsAre("cve", "A", 2) + errorsAre("cve", "B", 1),
		},
		"a status that moves under the same code": {
			answers: []string{"t/cve/1/A", "t/cve/2/A", "t/cve/4/A"},
			want:    errorsAre("cve", "A", 1),
		},
		"failed polls between": {
			answers: []string{"t/cve/4/A", "x/", "x/", "t/cve/4/A"},
			want:    errorsAre("cve", "A", 1),
		},
		"an error that ended while polls failed": {
			answers: []string{"t/cve/4/A", "x/", "t/cve/4", "t/cve/4/A"},
			want:    errorsAre("cve", "A", 2),
		},
		"codes that mean success": {
			answers: []string{"t/cve/4/SUCCESS", "t/cve/4/A", "t/cve/4/0", "t/cve/4/A"},
			more:    `success_codes: [SUCCESS, "0"]`,
			want:    errorsAre("cve", "A", 2),
		},
		"two tasks and two types": {
			answers: []string{"t/cve/4/A t/sca/4/A u/cve/4/A", "t/cve/4/A t/sca/4/A u/cve/4/A"},
			want:    errorsAre("cve", "A", 2) + errorsAre("sca", "A", 1),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.set(1, answerOf(tt.answers[0]))
				w := startWorld(t, simulator.Options{Intercept: s.intercept},
					yamlOf(yamlAccount("main", "poll_interval: 1m\nsettled_interval: 1m\ntypes: [cve, sca]\n"+tt.more, serverYAML(1))))
				pass(0)
				for _, answer := range tt.answers[1:] {
					s.set(1, answerOf(answer))
					pass(5 * time.Minute)
				}
				w.wants("subtask_errors_total", tt.want)
			})
		})
	}
}

// answerOf is a failure for "x/", else an answer with subtasks.
func answerOf(text string) reply {
	if text == "x/" {
		return reply{status: 500, body: `{"RequestId":"R","Code":"ServerError"}`}
	}
	return reply{body: subtasks(strings.Fields(text)...)}
}

func TestOneCallCarriesAServersTasksAndTypes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tasks int
		want  []int // task IDs in each call
	}{
		"one": {1, []int{1}}, "fifty": {50, []int{50}}, "fifty-one": {51, []int{50, 1}}, "many": {120, []int{50, 50, 20}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var ids []string
				for i := range tt.tasks {
					ids = append(ids, fmt.Sprintf("%032d", i))
				}
				w := startWorld(t, simulator.Options{}, yamlOf(yamlAccount("main", "types: [cve, sys, cms, sca]",
					serverYAML(1, "task_ids: ["+strings.Join(ids, ",")+"]"))))
				pass(10 * time.Second)
				var sizes []int
				var asked []string
				for _, r := range w.questionsOf(uuid(1)) {
					sizes, asked = append(sizes, len(r.TaskIDs)), append(asked, r.TaskIDs...)
					wantEqual(t, "types", r.Types, "[cve sys cms sca]")
				}
				wantEqual(t, "sizes", sizes, tt.want)
				slices.Sort(asked)
				wantEqual(t, "tasks", asked, ids)
			})
		})
	}
}

// Two questions of a server may be answered for the same main task, and then differ: the later one
// counts, at every poll again, and nothing is new in it.
func TestQuestionsThatNameTheSameMainTask(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		intercept := func(w http.ResponseWriter, r *simulator.Request) bool {
			said := "16190385/cve/4/A"
			if len(r.TaskIDs) < 50 {
				said = "16190385/cve/1/B"
			}
			reply{body: subtasks(said)}.write(w)
			return true
		}
		w := startWorld(t, simulator.Options{Intercept: intercept},
			yamlOf(yamlAccount("main", "poll_interval: 1m", serverYAML(1, "task_ids: ["+taskList(60)+"]"))))
		pass(10*time.Minute + time.Second)
		w.wants("subtask_status subtask_error subtask_errors_total",
			statusIs(1, "16190385", "cve", 1)+errorIs(1, "16190385", "cve", "B")+errorsAre("cve", "B", 1))
		wantEqual(t, "scans ended", w.value("scan_duration_seconds"), 0)
		wantEqual(t, "calls", len(w.questionsOf(uuid(1))), 22)
	})
}

func taskList(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("task-", i)
	}
	return strings.Join(ids, ",")
}
