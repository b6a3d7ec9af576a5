package collector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// oddAnswer is an answer that no documentation foresees, and what may come of it.
type oddAnswer struct {
	name      string
	reply     reply
	published []string // subtasks of the server: task/type/status/code as text, an empty status is none
	anomalies string   // reason:count ...
	result    string   // of the call; empty: ok
}

// before is what the server answered last, and all that is published of it where the odd answer is
// none.
var before = []string{"t1/cve/3", "t1/sca/4/old"}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	rows := append(append(oddStatuses(), oddCodes()...), oddLists()...)
	rows = append(append(rows, oddFields()...), oddFailures()...)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) { tryOddAnswer(t, row) })
		})
	}
}

func tryOddAnswer(t *testing.T, row oddAnswer) {
	s := newScript()
	s.says(1, before...)
	s.says(2, "t2/cve/2/other_code")
	w := startWorld(t, simulator.Options{Intercept: s.intercept},
		yamlOf(yamlAccount("main", "types: [cve, sca]\npoll_interval: 1m", serversYAML(2)...)))
	pass(time.Second)
	begin := w.value("subtask_last_change_timestamp_seconds", "server=web-2")
	s.set(1, row.reply)
	pass(time.Minute)

	published, up, results := row.published, 1, "map[ok:4]"
	if row.result != "" {
		published, up, results = before, 0, fmt.Sprintf("map[%s:1 ok:3]", row.result)
		if row.result > "ok" {
			results = fmt.Sprintf("map[ok:3 %s:1]", row.result)
		}
	}
	w.wants("subtask_status subtask_error server_up", shown(1, published)+upIs(1, up)+shown(2, []string{"t2/cve/2/other_code"})+upIs(2, 1))
	w.wants("response_anomalies_total", anomaliesAre(row.anomalies))
	wantEqual(t, "results of calls", w.counted("api_requests_total", "result"), results)
	wantEqual(t, "last change of the other server", w.value("subtask_last_change_timestamp_seconds", "server=web-2"), begin)
	wantEqual(t, "errors of the other server", w.value("subtask_errors_total", "server=web-2"), 1)
}

// shown is the exposition of subtasks of a server.
func shown(server int, list []string) string {
	var b strings.Builder
	for _, text := range list {
		part := append(strings.SplitN(text, "/", 4), "")
		if part[2] != "" {
			b.WriteString(statusIs(server, part[0], part[1], part[2]))
		}
		if part[3] != "" {
			b.WriteString(errorIs(server, part[0], part[1], part[3]))
		}
	}
	return b.String()
}

// anomaliesAre is the exposition of all anomalies, those not named at 0.
func anomaliesAre(text string) string {
	counts := map[string]string{}
	for field := range strings.FieldsSeq(text) {
		reason, n, _ := strings.Cut(field, ":")
		counts[reason] = n
	}
	var b strings.Builder
	for _, reason := range []string{
		"code_limit", "count_invalid", "detail_invalid", "duplicate", "invalid_id", "invalid_utf8", "list_incomplete", "malformed_entry", "missing_id", "missing_list", "null_list",
		"progress_invalid", "server_ambiguous", "server_missing", "status_invalid", "status_unknown", "text_clipped", "time_invalid", "total_count_invalid", "type_limit", "type_not_asked", "wrong_type",
	} {
		n := "0"
		if counts[reason] != "" {
			n = counts[reason]
		}
		b.WriteString(labelled("response_anomalies_total", `,reason="`+reason+`"`, n))
	}
	return b.String()
}

// tasks is an answer with TaskStatuses as given.
func tasks(list string) reply {
	return reply{body: `{"RequestId":"R","TotalCount":1,"TaskStatuses":` + list + `}`}
}

// entries is an answer of task t1 with TaskStatusList as given.
func entries(list string) reply { return tasks(`[{"TaskId":"t1","TaskStatusList":` + list + `}]`) }

// status is an answer with one subtask, of which the JSON of Status is given.
func status(json string) reply { return entries(`[{"Type":"cve","Status":` + json + `}]`) }

// code is an answer with one complete subtask, of which the JSON of Code is given.
func code(json string) reply { return entries(`[{"Type":"cve","Status":"4","Code":` + json + `}]`) }

func ok(body string) reply { return reply{body: body} }
