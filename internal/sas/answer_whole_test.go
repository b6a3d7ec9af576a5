package sas

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTotalCountIsAWholeNumberOrUnknown(t *testing.T) {
	invalid := map[Anomaly]int{TotalInvalid: 1}
	total := func(value string) string { return `{"RequestId":"R","TaskStatuses":[],"TotalCount":` + value + `}` }
	checkDecoding(t, []decodeRow{
		{name: "a number", body: total(`7`), total: 7},
		{name: "a string", body: total(`"7"`), total: 7, anomalies: map[Anomaly]int{WrongType: 1}},
		{name: "a string that begins with a number", body: total(`"12abc"`), total: -1, anomalies: invalid},
		{name: "a string that is empty", body: total(`""`), total: -1, anomalies: invalid},
		{name: "negative", body: total(`-1`), total: -1, anomalies: invalid},
		{name: "a fraction", body: total(`1.9`), total: -1, anomalies: invalid},
		{name: "an exponent", body: total(`1e2`), total: -1, anomalies: invalid},
		{name: "larger than 64 bits", body: total(`9223372036854775808`), total: -1, anomalies: invalid},
		{name: "the largest", body: total(`9223372036854775807`), total: math.MaxInt64},
		{name: "null", body: total(`null`), total: -1, anomalies: invalid},
		{name: "true", body: total(`true`), total: -1, anomalies: invalid},
		{name: "an object", body: total(`{}`), total: -1, anomalies: invalid},
		{name: "absent", body: `{"RequestId":"R","TaskStatuses":[]}`, total: -1, anomalies: invalid},
	})
}

func TestAnAnswerIsBelievedOrNot(t *testing.T) {
	const (
		noObject    = "the answer is not one JSON object"
		noRequestID = "the answer has no RequestId"
		inDisguise  = "an error code in a 2xx answer"
		rest        = `,"TotalCount":1,"TaskStatuses":[]}`
	)
	deep := strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000)
	checkDecoding(t, []decodeRow{
		{name: "nothing", body: "", err: noObject},
		{name: "blanks", body: " \r\n\t", err: noObject},
		{name: "null", body: "null", err: noObject},
		{name: "a list", body: "[]", err: noObject},
		{name: "a list of the answer", body: "[" + exampleBody + "]", err: noObject},
		{name: "a string", body: `"ok"`, err: noObject},
		{name: "HTML", body: "<html><body>502 Bad Gateway</body></html>", err: noObject},
		{name: "cut short", body: exampleBody[:len(exampleBody)-1], err: noObject},
		{name: "bytes behind it", body: exampleBody + "x", err: noObject},
		{name: "two objects", body: exampleBody + exampleBody, err: noObject},
		{name: "a byte order mark", body: "\xef\xbb\xbf" + exampleBody, err: noObject},
		{name: "blanks around it", body: "\r\n\t " + with(`[]`) + "\n"},
		{name: "a NUL byte", body: "{\x00}", err: noObject},
		{name: "empty object", body: "{}", err: noRequestID},
		{name: "deep nesting", body: with(deep), err: noObject},
		{name: "nesting that is not read", body: with(`[{"TaskId":"t","TaskStatusList":[],"New":` + deep[19000:21000] + `}]`)},
		{name: "RequestId missing", body: with(`[]`)[:1] + `"TotalCount":1,"TaskStatuses":[]}`, err: noRequestID},
		{name: "RequestId null", body: `{"RequestId":null` + rest, err: noRequestID},
		{name: "RequestId empty", body: `{"RequestId":""` + rest, err: noRequestID},
		{name: "RequestId in another case", body: `{"requestId":"R"` + rest, err: noRequestID},
		{name: "RequestId a number", body: `{"RequestId":12` + rest, anomalies: map[Anomaly]int{WrongType: 1}},
		{name: "RequestId very long", body: `{"RequestId":"` + strings.Repeat("r", 300) + `"` + rest, anomalies: map[Anomaly]int{TextClipped: 1}},
		{name: "an error inside", body: `{"RequestId":"R","Code":"ServerError"` + rest, err: inDisguise},
		{name: "an error inside, without a request ID", body: `{"Code":"ServerError","Message":"x"}`, err: inDisguise},
		{name: "a number as error inside", body: `{"RequestId":"R","Code":500` + rest, err: inDisguise},
		{name: "an object as error inside", body: `{"RequestId":"R","Code":{}` + rest, err: inDisguise},
		{name: "no error inside: empty", body: `{"RequestId":"R","Code":""` + rest},
		{name: "no error inside: null", body: `{"RequestId":"R","Code":null` + rest},
		{name: "a code in another case is none", body: `{"RequestId":"R","code":"x"` + rest},
	})
}

func TestEveryAnomalyIsListedOnce(t *testing.T) {
	seen := make(map[Anomaly]bool)
	for _, a := range Anomalies() {
		if seen[a] || a == "" {
			t.Errorf("%q twice or empty", a)
		}
		seen[a] = true
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{
		exampleBody, with(`null`), with(`[null]`), list(`null`), list(`[{"Type":"cve","Status":4},{"Type":"cve","Status":"1e400"}]`),
		code("\"\xff\""), code(`{"a":"` + strings.Repeat("é", 200) + `"}`), status(`"-0"`), status(`[[]]`), status("1e999"),
		`{"RequestId":1,"TaskStatuses":[{}],"TotalCount":"7","Code":""}`, `null`, `[]`, ``, `<html>`, `{"Code":[]}`,
	} {
		f.Add([]byte(seed))
	}
	listed := make(map[Anomaly]bool)
	for _, a := range Anomalies() {
		listed[a] = true
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		errorFields(body)
		answer, err := decodeAnswer(body, allTypes())
		if (answer == nil) == (err == nil) {
			t.Fatalf("answer %v and error %v", answer, err)
		}
		if err != nil {
			return
		}
		fits := func(s string) {
			if len(s) > maxTextBytes || !utf8.ValidString(s) {
				t.Errorf("%q is no label", s)
			}
		}
		fits(answer.RequestID)
		if answer.RequestID == "" || answer.TotalCount < -1 {
			t.Errorf("request ID %q, total count %d", answer.RequestID, answer.TotalCount)
		}
		seen := make(map[[2]string]bool)
		for _, s := range answer.Subtasks {
			fits(s.TaskID)
			fits(s.Type)
			fits(s.Code)
			if math.IsInf(s.Status, 0) || s.Status == 0 && math.Signbit(s.Status) {
				t.Errorf("status %v", s.Status)
			}
			if key := [2]string{s.TaskID, s.Type}; seen[key] {
				t.Errorf("%v twice", key)
			} else {
				seen[key] = true
			}
		}
		for a, n := range answer.Anomalies {
			if !listed[a] || n < 1 {
				t.Errorf("anomaly %q %d times", a, n)
			}
		}
	})
}
