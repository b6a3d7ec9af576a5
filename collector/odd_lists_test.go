package collector_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// oddList is a list of a task's servers that nobody can rely upon.
type oddList struct {
	leaves    []string
	answer    func(w http.ResponseWriter, r *simulator.Request, page int)
	sums      string // published while it alone was ever read
	anomalies string // the kinds that are counted
	tells     bool   // it is complete and says something of servers that it names
}

// oddPage is an answer to every page.
func oddPage(status int, body string) func(http.ResponseWriter, *simulator.Request, int) {
	return func(w http.ResponseWriter, _ *simulator.Request, _ int) { reply{status: status, body: body}.write(w) }
}

func failing(status int, code string) func(http.ResponseWriter, *simulator.Request, int) {
	return func(w http.ResponseWriter, r *simulator.Request, _ int) { r.Fail(w, status, code, "m") }
}

// detailed are the entries of servers 1 to 3 whose scans started, with any DetailData.
func detailed(detail string) []string {
	var list []string
	for n := range 3 {
		list = append(list, leafWith(leafID("t", n+1), detail, 1))
	}
	return list
}

// many are the entries of servers 1 to n whose scans failed.
func many(n int) []string {
	var list []string
	for i := range n {
		list = append(list, leafOf("t", i+1, 3))
	}
	return list
}

func oddTaskLists() map[string]oddList {
	started := scansAre("t", 0, 3, 0, 0, 0)
	page := func(total int, entries []string) func(http.ResponseWriter, *simulator.Request, int) {
		return func(w http.ResponseWriter, _ *simulator.Request, n int) { leavesPage(w, n, total, entries) }
	}
	return map[string]oddList{
		"names nobody":                {leaves: detailed("[]"), sums: started, anomalies: "server_missing"},
		"without DetailData":          {leaves: detailed(""), sums: started, anomalies: "server_missing"},
		"DetailData is null":          {leaves: detailed("null"), sums: started, anomalies: "server_missing"},
		"DetailData is no JSON":       {leaves: detailed("web-1"), sums: started, anomalies: "detail_invalid server_missing"},
		"DetailData is an object":     {leaves: detailed("{}"), sums: started, anomalies: "detail_invalid server_missing"},
		"names no UUID":               {leaves: detailed(`[{"uuid":"web-1"}]`), sums: started, anomalies: "invalid_id server_missing"},
		"names an unknown instance":   {leaves: detailed(`[{"instanceId":"i-unknown"}]`), sums: scansAre("t", 0, 1, 0, 0, 0), anomalies: "duplicate server_missing"},
		"names two servers":           {leaves: detailed(fmt.Sprintf(`[{"uuid":%q},{"uuid":%q}]`, uuid(1), uuid(2))), sums: started, anomalies: "server_ambiguous"},
		"denied":                      {answer: failing(403, "NoPermission"), anomalies: "list_incomplete"},
		"denied by the gateway":       {answer: failing(403, "Forbidden.RAM"), anomalies: "list_incomplete"},
		"unknown operation":           {answer: failing(404, "InvalidAction.NotFound"), anomalies: "list_incomplete"},
		"illegal":                     {answer: failing(400, "IllegalParam"), anomalies: "list_incomplete"},
		"fails":                       {answer: failing(500, "ServerError")},
		"empty":                       {leaves: []string{}, anomalies: "list_incomplete"},
		"not JSON":                    {answer: oddPage(200, "<html>")},
		"an error inside of a 200":    {answer: oddPage(200, `{"RequestId":"R","Code":"ServerError"}`)},
		"without a list":              {answer: oddPage(200, `{"RequestId":"R","PageInfo":{"TotalCount":3}}`), anomalies: "list_incomplete missing_list"},
		"repeats its page for ever":   {answer: page(1000, many(100)), anomalies: "list_incomplete"},
		"ends before it is complete":  {answer: page(500, nil), anomalies: "list_incomplete"},
		"one server has no name only": {leaves: append(detailed("[]")[:1], leafOf("t", 2, 1), leafOf("t", 3, 1)), sums: started + scanStatusIs(2, "t", 1) + scanStatusIs(3, "t", 1), anomalies: "server_missing", tells: true},
		"fails halfway": {answer: func(w http.ResponseWriter, r *simulator.Request, n int) {
			if n > 1 {
				r.Fail(w, 500, "ServerError", "m")
				return
			}
			leavesPage(w, 1, 150, many(100))
		}},
	}
}

// fare lets half an hour pass of three servers in all conditions, and returns when each was asked.
func fare(t *testing.T, c *taskCenter, config string) (w *world, polls string) {
	t.Helper()
	s := newScript()
	s.says(1, "t/cve/1")
	s.says(2, "t/cve/4/A")
	s.says(3, "t/cve/4")
	w = startListed(t, c, s, config)
	pass(31 * time.Minute)
	return w, fmt.Sprint(pollTimes(w, 1), pollTimes(w, 2), pollTimes(w, 3))
}

const fareSettings = "requests_per_second: 100\npoll_interval: 1m\nsettled_interval: 10m\nstall_after: 1d"

const fareStatuses = "subtask_status subtask_error subtask_errors_total"

func TestAListOfNoUseLeavesPollingAsItIsWithoutLists(t *testing.T) {
	t.Parallel()
	var want string
	inBubble(t, func(t *testing.T) {
		c := newTaskCenter(3)
		c.list(running("t", leavesOf("t", 1, 1, 1)...))
		_, want = fare(t, c, without(discovering(fareSettings)))
		wantEqual(t, "pages of lists", c.read("t"), 0)
	})
	inBubble(t, func(t *testing.T) {
		c := newTaskCenter(3)
		c.list(running("t", leavesOf("t", 1, 2, 2)...))
		if _, polls := fare(t, c, discovering(fareSettings)); polls == want {
			t.Error("a good list changes nothing: this test tests nothing")
		}
	})
	for name, odd := range oddTaskLists() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c := newTaskCenter(3)
				task := running("t", odd.leaves...)
				task.answer = odd.answer
				c.list(task)
				w, polls := fare(t, c, discovering(fareSettings))
				if odd.tells {
					if len(pollTimes(w, 1)) < 30 {
						t.Errorf("an unfinished server was polled at %v", pollTimes(w, 1))
					}
				} else {
					wantEqual(t, "polls", polls, want)
				}
				w.wants("server_scans server_scan_status", odd.sums)
				anomalies := w.counted("response_anomalies_total", "reason")
				for kind := range strings.FieldsSeq(odd.anomalies) {
					if anomalies[kind] == 0 {
						t.Errorf("anomalies %v, want %s among them", anomalies, kind)
					}
				}
				if odd.anomalies == "" {
					wantEqual(t, "anomalies", anomalies, "map[]")
				}
				w.wants(fareStatuses, statusIs(1, "t", "cve", 1)+statusIs(2, "t", "cve", 4)+statusIs(3, "t", "cve", 4)+errorIs(2, "t", "cve", "A")+
					labelled("subtask_errors_total", `,code="A",server="web-2",type="cve",uuid="`+uuid(2)+`"`, 1))
				wantEqual(t, "lines of log about it", len(linesWith(w.log.severe(), "kind=server_scans")), 1)
			})
		})
	}
}

func linesWith(lines []string, text string) (found []string) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// What a complete list said stays until another complete one says otherwise.
func TestNoOddListRemovesAnything(t *testing.T) {
	t.Parallel()
	for name, odd := range oddTaskLists() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c, s := newTaskCenter(3), newScript()
				for n := range 3 {
					s.says(n+1, "t/cve/1/A")
				}
				c.list(running("t", leavesOf("t", 1, 1, 1)...))
				w := startListed(t, c, s, discovering(fareSettings))
				pass(time.Minute)
				want := w.familiesOf("subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds server_scan_status server_up")
				task := running("t", odd.leaves...)
				task.answer = odd.answer
				c.list(task)
				pass(45 * time.Minute)
				got := w.familiesOf("subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds server_scan_status server_up")
				if odd.sums != "" { // it is complete: who is in the task is known anew
					want, got = withoutScans(want), withoutScans(got)
				} else {
					w.wants("server_scans", scansAre("t", 0, 3, 0, 0, 0))
				}
				if got != want {
					t.Errorf("published:\n%s\nbefore:\n%s", got, want)
				}
				for n := range 3 {
					if last := time.Since(w.questionsOf(uuid(n + 1))[len(w.questionsOf(uuid(n+1)))-1].Time); last > time.Minute {
						t.Errorf("server %d was last polled %v ago", n+1, last)
					}
				}
			})
		})
	}
}

func withoutScans(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "server_scan_status") {
			b.WriteString(line)
		}
	}
	return b.String()
}
