package collector_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestANewerScanAnswersAnOldersError(t *testing.T) {
	t.Parallel()
	const settings = "types: [cve, sca]\npoll_interval: 1m\nsettled_interval: 1m\nstall_after: 5m"
	tests := map[string]struct {
		said             [][]string // by web-1, ten minutes each
		failing, stalled string     // subtasks, in the end
	}{
		"while it runs, the error stays":     {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/1"}}, "old", "new"},
		"once it is complete":                {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/4"}}, "", ""},
		"complete, but failed itself":        {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/4/B"}}, "new", ""},
		"a stalled one":                      {[][]string{{"old/cve/1"}, {"old/cve/1", "new/cve/4"}}, "", ""},
		"of another type":                    {[][]string{{"old/cve/4/A", "old/sca/1"}, {"old/cve/4/A", "old/sca/1", "new/sca/4"}}, "old", ""},
		"the older one completes later":      {[][]string{{"old/cve/1"}, {"old/cve/4/A", "new/cve/4"}}, "", ""},
		"the newer one fails later":          {[][]string{{"old/cve/4"}, {"old/cve/4", "new/cve/4"}, {"old/cve/4", "new/cve/4/B"}}, "new", ""},
		"seen at once, neither is newer":     {[][]string{{"old/cve/4/A", "new/cve/4"}}, "old", ""},
		"the newer one is forgotten":         {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/4"}, {"old/cve/4/A"}}, "old", ""},
		"the newer one starts over":          {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/4"}, {"old/cve/4/A", "new/cve/0"}}, "old", "new"},
		"of three, the one in the middle":    {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "mid/cve/4/B"}, {"old/cve/4/A", "mid/cve/4/B", "new/cve/1"}}, "mid", "new"},
		"a newer one of an unknown status":   {[][]string{{"old/cve/4/A"}, {"old/cve/4/A", "new/cve/9"}}, "old", "new"},
		"a newer one of another server":      {[][]string{{"old/cve/4/A"}}, "old", ""},
		"an older one that is known no more": {[][]string{{"old/cve/4/A"}, {"new/cve/4"}}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(2, "new/cve/4")
				path := filepath.Join(t.TempDir(), "state")
				store := openState(t, path)
				text := yamlOf(yamlAccount("main", settings, serversYAML(2)...))
				w := startKept(t, s, store, text)
				for _, said := range tt.said {
					s.says(1, said...)
					pass(10 * time.Minute)
				}
				check := func(w *world, when string) {
					t.Helper()
					wantEqual(t, "failing "+when, strings.Join(w.tasksOf("subtask_error"), " "), tt.failing)
					wantEqual(t, "stalled "+when, strings.Join(w.tasksOf("subtask_stalled"), " "), tt.stalled)
					wantEqual(t, "failing in sum "+when, w.value("subtasks_failing"), len(strings.Fields(tt.failing)))
					wantEqual(t, "stalled in sum "+when, w.value("subtasks_stalled"), len(strings.Fields(tt.stalled)))
					wantEqual(t, "statuses "+when, len(w.tasksOf("subtask_status")), len(tt.said[len(tt.said)-1])+1)
					problems := w.overview().Problems(noFilter).Total
					wantEqual(t, "on pages "+when, problems, len(strings.Fields(tt.failing+" "+tt.stalled)))
				}
				check(w, "in the end")
				errors := w.value("subtask_errors_total")
				w.poller.Close()
				_ = store.Close()

				kept := openState(t, path)
				pass(20 * time.Minute)
				after := prepareWorldWith(t, simulator.Options{Intercept: s.intercept, Latency: 5 * time.Second}, poll.Options{State: kept})
				after.apply(text)
				check(after, "after a restart")
				pass(2 * time.Minute)
				check(after, "once polled again")
				wantEqual(t, "errors counted", after.value("subtask_errors_total"), errors)
			})
		})
	}
}

// tasksOf returns the tasks that a metric names, in its order.
func (w *world) tasksOf(name string) []string {
	w.t.Helper()
	var tasks []string
	for line := range strings.Lines(w.familiesOf(name)) {
		_, rest, _ := strings.Cut(line, `task_id="`)
		task, _, _ := strings.Cut(rest, `"`)
		tasks = append(tasks, task)
	}
	return tasks
}

// Where discovery knows when tasks began, that counts, and not when they were first seen.
func TestDiscoverySaysWhichScanIsNewer(t *testing.T) {
	t.Parallel()
	for _, newer := range []string{"task-x", "task-y"} {
		t.Run(newer, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, "task-x/cve/4/A", "task-y/cve/4/A")
				start := map[string]int64{"task-x": epoch - 600, "task-y": epoch - 600}
				start[newer] = epoch - 60
				tasks := func(w http.ResponseWriter, r *simulator.Request) bool {
					if r.Action != sas.ActionOnceTask {
						return false
					}
					fmt.Fprintf(w, `{"RequestId":"R","PageInfo":{"Count":2,"CurrentPage":1,"PageSize":20,"TotalCount":2},"TaskManageResponseList":[%s,%s]}`,
						oneTask("task-x", start["task-x"]), oneTask("task-y", start["task-y"]))
					return true
				}
				w := startWorld(t, simulator.Options{Intercept: both(tasks, s.intercept)},
					yamlOf(yamlAccount("main", "discovery: {tasks: {refresh_interval: 30s, server_scans: off}}", serverYAML(1))))
				pass(time.Minute)
				wantEqual(t, "tasks", w.value("task_info"), 2)
				wantEqual(t, "failing", w.tasksOf("subtask_error"), []string{newer})
			})
		})
	}
}

func oneTask(id string, start int64) string {
	return fmt.Sprintf(`{"TaskId":%q,"TaskType":"VUL_CHECK_TASK","TaskName":"VUL_CHECK_TASK","TaskStatus":2,"TaskStatusText":"SUCCESS","Progress":"100%%","Source":"schedule","TaskStartTime":%d,"TaskEndTime":%d,"TaskStatistics":{"ServerTotal":1,"SuccessServer":0,"FailServer":1}}`,
		id, start*1000, (start+30)*1000)
}
