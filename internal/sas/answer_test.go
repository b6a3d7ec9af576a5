package sas

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// decodeRow is an answer to a question about cve and sca, and what becomes of it.
type decodeRow struct {
	name      string
	body      string
	subtasks  []Subtask
	anomalies map[Anomaly]int
	err       string // instead of an answer
	total     int64  // 0 stands for the usual 1
}

func checkDecoding(t *testing.T, rows []decodeRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			answer, err := decodeAnswer([]byte(row.body), []string{"cve", "sca"})
			if row.err != "" {
				if answer != nil || err == nil || err.Error() != row.err {
					t.Fatalf("got %+v, %v, want the error %q", answer, err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if answer.RequestID == "" {
				t.Error("no request ID")
			}
			if want := max(row.total, 1); answer.TotalCount != want && row.total >= 0 || row.total < 0 && answer.TotalCount != -1 {
				t.Errorf("total count %d, want %d", answer.TotalCount, row.total)
			}
			if !slices.EqualFunc(answer.Subtasks, row.subtasks, sameSubtask) {
				t.Errorf("got subtasks\n%+v, want\n%+v", answer.Subtasks, row.subtasks)
			}
			if !maps.Equal(answer.Anomalies, row.anomalies) {
				t.Errorf("got anomalies %v, want %v", answer.Anomalies, row.anomalies)
			}
		})
	}
}

func sameSubtask(a, b Subtask) bool {
	bothNaN := math.IsNaN(a.Status) && math.IsNaN(b.Status)
	if bothNaN {
		a.Status, b.Status = 0, 0
	}
	return a == b
}

// with puts a TaskStatuses into an answer.
func with(statuses string) string {
	return `{"RequestId":"R","TotalCount":1,"TaskStatuses":` + statuses + `}`
}

// list puts a TaskStatusList into an answer.
func list(subtasks string) string { return with(`[{"TaskId":"t","TaskStatusList":` + subtasks + `}]`) }

// status puts a Status into an answer.
func status(value string) string { return list(`[{"Type":"cve","Status":` + value + `}]`) }

// code puts a Code into an answer.
func code(value string) string { return list(`[{"Type":"cve","Status":"4","Code":` + value + `}]`) }

// cve is the one subtask of most rows.
func cve(status float64, code string) []Subtask {
	return []Subtask{{TaskID: "t", Type: "cve", Status: status, Code: code}}
}

func TestStatusesAreNumbersOrNothing(t *testing.T) {
	unknown := map[Anomaly]int{StatusUnknown: 1}
	invalid := map[Anomaly]int{StatusInvalid: 1}
	wrongType := map[Anomaly]int{WrongType: 1}
	none := cve(math.NaN(), "")
	checkDecoding(t, []decodeRow{
		{name: "a string", body: status(`"3"`), subtasks: cve(3, "")},
		{name: "a number", body: status(`3`), subtasks: cve(3, ""), anomalies: wrongType},
		{name: "a number in a wrong way", body: status(`9`), subtasks: cve(9, ""), anomalies: map[Anomaly]int{WrongType: 1, StatusUnknown: 1}},
		{name: "an unknown one", body: status(`"5"`), subtasks: cve(5, ""), anomalies: unknown},
		{name: "negative", body: status(`"-1"`), subtasks: cve(-1, ""), anomalies: unknown},
		{name: "minus nought", body: status(`"-0"`), subtasks: cve(0, "")},
		{name: "a fraction", body: status(`"2.5"`), subtasks: cve(2.5, ""), anomalies: unknown},
		{name: "a whole number with a point", body: status(`"4.0"`), subtasks: cve(4, "")},
		{name: "an exponent", body: status(`"4e0"`), subtasks: cve(4, "")},
		{name: "twenty digits", body: status(`"99999999999999999999"`), subtasks: cve(1e20, ""), anomalies: unknown},
		{name: "larger than a float", body: status(`"1e400"`), subtasks: none, anomalies: invalid},
		{name: "a number larger than a float", body: status(`1e400`), subtasks: none, anomalies: invalid},
		{name: "a word", body: status(`"complete"`), subtasks: none, anomalies: invalid},
		{name: "empty", body: status(`""`), subtasks: none, anomalies: invalid},
		{name: "null", body: status(`null`), subtasks: none, anomalies: invalid},
		{name: "absent", body: list(`[{"Type":"cve"}]`), subtasks: none, anomalies: invalid},
		{name: "with a space", body: status(`" 4"`), subtasks: none, anomalies: invalid},
		{name: "with a newline", body: status(`"4\n"`), subtasks: none, anomalies: invalid},
		{name: "Infinity", body: status(`"Infinity"`), subtasks: none, anomalies: invalid},
		{name: "NaN", body: status(`"NaN"`), subtasks: none, anomalies: invalid},
		{name: "hexadecimal", body: status(`"0x4"`), subtasks: none, anomalies: invalid},
		{name: "underscores", body: status(`"1_0"`), subtasks: none, anomalies: invalid},
		{name: "other digits", body: status(`"٤"`), subtasks: none, anomalies: invalid},
		{name: "only signs", body: status(`"+-e."`), subtasks: none, anomalies: invalid},
		{name: "true", body: status(`true`), subtasks: none, anomalies: invalid},
		{name: "an object", body: status(`{"a":4}`), subtasks: none, anomalies: invalid},
		{name: "a list", body: status(`[4]`), subtasks: none, anomalies: invalid},
		{name: "twice in an entry: the last", body: list(`[{"Type":"cve","Status":"1","Status":"2"}]`), subtasks: cve(2, "")},
		{name: "name in another case", body: list(`[{"Type":"cve","status":"4"}]`), subtasks: none, anomalies: invalid},
	})
}

func TestListsAreListsOrCounted(t *testing.T) {
	malformed := map[Anomaly]int{MalformedEntry: 1}
	checkDecoding(t, []decodeRow{
		{
			name: "the documented example", body: exampleBody,
			subtasks: []Subtask{{"16190385", "cve", 4, "push_command_failed"}},
		},
		{name: "no task", body: with(`[]`)},
		{name: "null for the tasks", body: with(`null`), anomalies: map[Anomaly]int{NullList: 1}},
		{name: "an object for the tasks", body: with(`{}`), err: "TaskStatuses is not a list"},
		{name: "a string for the tasks", body: with(`""`), err: "TaskStatuses is not a list"},
		{name: "absent tasks", body: `{"RequestId":"R","TotalCount":1}`, err: "the answer has no TaskStatuses"},
		{name: "tasks in another case", body: `{"RequestId":"R","TotalCount":1,"taskStatuses":[]}`, err: "the answer has no TaskStatuses"},
		{
			name: "odd tasks", body: with(`[null,7,"t",[],{"TaskId":"t","TaskStatusList":[{"Type":"cve","Status":"1"}]}]`),
			subtasks: cve(1, ""), anomalies: map[Anomaly]int{MalformedEntry: 4},
		},
		{name: "no subtask", body: list(`[]`)},
		{name: "null for the subtasks", body: list(`null`), anomalies: map[Anomaly]int{NullList: 1}},
		{name: "absent subtasks", body: with(`[{"TaskId":"t"}]`), anomalies: map[Anomaly]int{MissingList: 1}},
		{name: "an object for the subtasks", body: list(`{"Type":"cve","Status":"4"}`), anomalies: malformed},
		{name: "a string for the subtasks", body: list(`"cve"`), anomalies: malformed},
		{name: "a null subtask", body: list(`[null,{"Type":"cve","Status":"1"}]`), subtasks: cve(1, ""), anomalies: malformed},
		{name: "a list for a subtask", body: list(`[["cve","4"]]`), anomalies: malformed},
		{
			name: "one bad task spoils no other", body: with(`[{"TaskId":"a","TaskStatusList":{}},{"TaskId":"t","TaskStatusList":[{"Type":"cve","Status":"1"}]}]`),
			subtasks: cve(1, ""), anomalies: malformed,
		},
		{
			name: "a subtask twice: the last", body: list(`[{"Type":"cve","Status":"1","Code":"x"},{"Type":"cve","Status":"2"}]`),
			subtasks: cve(2, ""), anomalies: map[Anomaly]int{Duplicate: 1},
		},
		{
			name: "a subtask twice, over two entries of its task", body: with(`[{"TaskId":"t","TaskStatusList":[{"Type":"cve","Status":"1"}]},` +
				`{"TaskId":"t","TaskStatusList":[{"Type":"sca","Status":"0"},{"Type":"cve","Status":"3"}]}]`),
			subtasks:  []Subtask{{"t", "cve", 3, ""}, {"t", "sca", 0, ""}},
			anomalies: map[Anomaly]int{Duplicate: 1},
		},
		{
			name: "a type of two tasks", body: with(`[{"TaskId":"a","TaskStatusList":[{"Type":"cve","Status":"1"}]},{"TaskId":"b","TaskStatusList":[{"Type":"cve","Status":"2"}]}]`),
			subtasks: []Subtask{{"a", "cve", 1, ""}, {"b", "cve", 2, ""}},
		},
		{
			name: "task and type that join alike", body: with(`[{"TaskId":"a","TaskStatusList":[{"Type":"bcve","Status":"1"}]},{"TaskId":"ab","TaskStatusList":[{"Type":"cve","Status":"2"}]}]`),
			subtasks: []Subtask{{"a", "bcve", 1, ""}, {"ab", "cve", 2, ""}}, anomalies: map[Anomaly]int{TypeNotAsked: 1},
		},
		{
			name: "a type that was not asked for", body: list(`[{"Type":"emg","Status":"1"}]`),
			subtasks: []Subtask{{"t", "emg", 1, ""}}, anomalies: map[Anomaly]int{TypeNotAsked: 1},
		},
		{
			name: "a type in capitals", body: list(`[{"Type":"CVE","Status":"1"}]`),
			subtasks: []Subtask{{"t", "CVE", 1, ""}}, anomalies: map[Anomaly]int{TypeNotAsked: 1},
		},
		{
			name: "no type", body: list(`[{"Status":"1"}]`),
			subtasks: []Subtask{{"t", "", 1, ""}}, anomalies: map[Anomaly]int{MissingID: 1},
		},
		{
			name: "no task ID", body: with(`[{"TaskStatusList":[{"Type":"cve","Status":"1"}]}]`),
			subtasks: []Subtask{{"", "cve", 1, ""}}, anomalies: map[Anomaly]int{MissingID: 1},
		},
		{name: "null for the task ID", body: with(`[{"TaskId":null,"TaskStatusList":[]}]`), anomalies: map[Anomaly]int{MissingID: 1}},
		{
			name: "a number for the task ID", body: with(`[{"TaskId":16190385,"TaskStatusList":[{"Type":"cve","Status":"1"}]}]`),
			subtasks: []Subtask{{"16190385", "cve", 1, ""}}, anomalies: map[Anomaly]int{WrongType: 1},
		},
		{
			name: "an empty object", body: list(`[{}]`), subtasks: []Subtask{{"t", "", math.NaN(), ""}},
			anomalies: map[Anomaly]int{MissingID: 1, StatusInvalid: 1},
		},
		{name: "unknown fields", body: list(`[{"Type":"cve","Status":"1","New":{"a":[1]}}]`), subtasks: cve(1, "")},
	})
}

func TestCodesOfAnyBytesBecomeLabels(t *testing.T) {
	clipped := map[Anomaly]int{TextClipped: 1}
	wrongType := map[Anomaly]int{WrongType: 1}
	checkDecoding(t, []decodeRow{
		{name: "empty", body: code(`""`), subtasks: cve(4, "")},
		{name: "null", body: code(`null`), subtasks: cve(4, "")},
		{name: "quotes and newlines", body: code(`"a\"b\\\r\nc"`), subtasks: cve(4, "a\"b\\\r\nc")},
		{name: "NUL", body: code(`"a\u0000b"`), subtasks: cve(4, "a\x00b")},
		{name: "half a surrogate pair", body: code(`"\ud800x"`), subtasks: cve(4, "\uFFFDx")},
		{name: "invalid UTF-8", body: code("\"a\xffb\""), subtasks: cve(4, "a\uFFFDb"), anomalies: map[Anomaly]int{InvalidUTF8: 1}},
		{
			name: "an object with invalid UTF-8", body: code("{\"a\":\"\xff\"}"), subtasks: cve(4, "{\"a\":\"\uFFFD\"}"),
			anomalies: map[Anomaly]int{InvalidUTF8: 1, WrongType: 1},
		},
		{name: "128 bytes", body: code(`"` + strings.Repeat("x", 128) + `"`), subtasks: cve(4, strings.Repeat("x", 128))},
		{name: "5,000 bytes", body: code(`"` + strings.Repeat("x", 5000) + `"`), subtasks: cve(4, strings.Repeat("x", 128)), anomalies: clipped},
		{
			name: "clipped between characters", body: code(`"x` + strings.Repeat("é", 100) + `"`),
			subtasks: cve(4, "x"+strings.Repeat("é", 63)), anomalies: clipped,
		},
		{name: "a number", body: code(`-1.50`), subtasks: cve(4, "-1.50"), anomalies: wrongType},
		{name: "false", body: code(`false`), subtasks: cve(4, "false"), anomalies: wrongType},
		{name: "an object", body: code(`{"a": 1}`), subtasks: cve(4, `{"a": 1}`), anomalies: wrongType},
		{name: "a list", body: code(`[]`), subtasks: cve(4, `[]`), anomalies: wrongType},
		{
			name: "a long type", body: list(`[{"Type":"` + strings.Repeat("t", 200) + `","Status":"1"}]`),
			subtasks:  []Subtask{{"t", strings.Repeat("t", 128), 1, ""}},
			anomalies: map[Anomaly]int{TextClipped: 1, TypeNotAsked: 1},
		},
	})
}
