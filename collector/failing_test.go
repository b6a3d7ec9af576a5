package collector_test

import (
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

const published = "subtask_status subtask_last_change_timestamp_seconds subtask_error server_up server_tasks"

// epoch is when bubbles begin.
const epoch = 946684800

func TestFailedPollChangesNoSubtask(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		failure reply
		up      string
	}{
		"server error":  {reply{status: 500, body: `{"RequestId":"R","Code":"ServerError"}`}, "0"},
		"illegal param": {reply{status: 400, body: `{"RequestId":"R","Code":"IllegalParam"}`}, "0"},
		"no permission": {reply{status: 403, body: `{"RequestId":"R","Code":"NoPermission"}`}, "0"},
		"not an answer": {reply{body: "<html>"}, "0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, "t/cve/4/A", "u/cve/1")
				w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m", serverYAML(1))))
				subtasks := shown(1, []string{"t/cve/4/A", "u/cve/1"}) + changedAt("t", epoch) + changedAt("u", epoch) +
					labelled("server_tasks", `,server="web-1",uuid="`+uuid(1)+`"`, 2)
				pass(0)
				w.wants(published, subtasks+upIs(1, 1))
				s.set(1, tt.failure)
				pass(time.Minute)
				w.wants(published, subtasks+upIs(1, tt.up))
				wantEqual(t, "failing", w.value("servers", "state=failing"), 1)
				wantEqual(t, "last success", w.value("server_last_success_timestamp_seconds"), float64(epoch))
				pass(40 * time.Minute)
				w.wants(published, subtasks+upIs(1, tt.up))
				s.says(1, "u/cve/1")
				pass(5 * time.Minute)
				w.wants(published, statusIs(1, "u", "cve", 1)+changedAt("u", epoch)+
					labelled("server_tasks", `,server="web-1",uuid="`+uuid(1)+`"`, 1)+upIs(1, 1))
			})
		})
	}
}

func TestLastChangeFollowsStatusAndCode(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m\nsettled_interval: 1m", serverYAML(1))))
		for minute, step := range []struct {
			said string
			want float64 // minutes
		}{
			{"t/cve/1", 0}, {"t/cve/1", 0}, {"t/cve/2", 2}, {"t/cve/2", 2}, {"t/cve/2/A", 4}, {"t/cve/2/A", 4}, {"t/cve/2/B", 6}, {"t/cve/2", 7}, {"t/cve/1", 8},
		} {
			s.says(1, step.said)
			if minute > 0 {
				pass(time.Minute)
			}
			pass(0)
			w.wants("subtask_last_change_timestamp_seconds", changedAt("t", epoch+60*step.want))
		}
	})
}

// A server whose tasks take two calls, of which one fails, keeps what was known of the failed one
// and takes what the other says.
func TestHalfFailedPollKeepsTheOtherHalf(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHalves()
		s.first, s.second = "a/cve/1", "b/cve/1"
		w := startWorld(t, simulator.Options{Intercept: s.intercept},
			yamlOf(yamlAccount("main", "poll_interval: 1m", serverYAML(1, "task_ids: ["+taskList(60)+"]"))))
		pass(time.Second)
		s.set("c/cve/4", "")
		pass(time.Minute)
		w.wants("subtask_status server_up", shown(1, []string{"c/cve/4", "b/cve/1"})+upIs(1, 0))
		s.set("", "d/cve/2")
		pass(2 * time.Minute)
		w.wants("subtask_status server_up", shown(1, []string{"c/cve/4", "d/cve/2"})+upIs(1, 0))
		s.set("e/cve/4", "f/cve/4")
		pass(5 * time.Minute)
		w.wants("subtask_status server_up", shown(1, []string{"e/cve/4", "f/cve/4"})+upIs(1, 1))
	})
}

func TestValuesGoWhenTheyAreStale(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		staleAfter string
		pass       time.Duration
		want       bool
	}{
		"just before":       {"20m", 20*time.Minute - time.Second, true},
		"at that age":       {"20m", 20 * time.Minute, false},
		"never with 0":      {"0s", 100 * time.Hour, true},
		"default, before":   {"1h", 59 * time.Minute, true},
		"default, long ago": {"1h", 24 * time.Hour, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, "t/cve/4/A")
				w := startWorld(t, simulator.Options{Intercept: s.intercept},
					yamlOf(yamlAccount("main", "settled_interval: 1m\nstale_after: "+tt.staleAfter, serverYAML(1))))
				pass(0)
				s.fails(1, 500, "ServerError")
				pass(tt.pass)
				want, n := upIs(1, 0), 0
				if tt.want {
					n = 1
					want += shown(1, []string{"t/cve/4/A"}) + changedAt("t", epoch) + labelled("server_tasks", `,server="web-1",uuid="`+uuid(1)+`"`, 1)
				}
				w.wants(published, want)
				wantEqual(t, "complete subtasks", w.value("subtasks", "status=complete"), n)
				wantEqual(t, "failing subtasks", w.value("subtasks_failing"), n)
				w.wants("subtask_errors_total", errorsAre("cve", "A", 1))
				// What comes back as it was has neither changed nor failed anew.
				s.says(1, "t/cve/4/A")
				pass(5 * time.Minute)
				w.wants("subtask_last_change_timestamp_seconds subtask_errors_total", changedAt("t", epoch)+errorsAre("cve", "A", 1))
			})
		})
	}
}
