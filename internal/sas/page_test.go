package sas

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

// pageRow is an answer with a page of a list, and what becomes of the page.
type pageRow struct {
	name      string
	body      string
	err       string // instead of a page
	entries   int
	total     int64
	token     string
	anomalies map[Anomaly]int
}

// pageRows are answers whose list has the given name, all without an entry that can be used.
func pageRows(list string) []pageRow {
	const none = `"PageInfo":{"TotalCount":0}`
	with := func(rest string) string { return `{"RequestId":"R",` + rest + `}` }
	info := func(fields string) string { return with(`"` + list + `":[],"PageInfo":` + fields) }
	long := strings.Repeat("t", 3000)
	return []pageRow{
		{name: "nothing", body: "", err: "the answer is not one JSON object"},
		{name: "null", body: "null", err: "the answer is not one JSON object"},
		{name: "HTML", body: "<html>", err: "the answer is not one JSON object"},
		{name: "no request ID", body: `{"` + list + `":[]}`, err: "the answer has no RequestId"},
		{name: "an error inside", body: with(`"Code":"ServerError","` + list + `":[]`), err: "an error code in a 2xx answer"},
		{name: "no success", body: with(`"Success":false,"` + list + `":[]`), err: "the answer says that it is no success"},
		{name: "success", body: with(`"Success":true,"` + list + `":[],` + none)},
		{name: "an object for the list", body: with(`"` + list + `":{},` + none), err: list + " is not a list"},
		{name: "a string for the list", body: with(`"` + list + `":"",` + none), err: list + " is not a list"},
		{name: "null for the list", body: with(`"` + list + `":null,` + none), anomalies: map[Anomaly]int{NullList: 1}},
		{name: "absent list", body: with(none), anomalies: map[Anomaly]int{MissingList: 1}},
		{
			name: "entries that are none", body: with(`"` + list + `":[null,7,"x",[],{}],` + none), entries: 5,
			anomalies: map[Anomaly]int{MalformedEntry: 4, MissingID: 1},
		},
		{
			name: "invalid UTF-8", body: with("\"New\":\"\xff\",\"" + list + `":[],` + none),
			anomalies: map[Anomaly]int{InvalidUTF8: 1},
		},
		{name: "no page info", body: with(`"` + list + `":[]`), total: -1, anomalies: map[Anomaly]int{TotalInvalid: 1}},
		{name: "null for the page info", body: info(`null`), total: -1, anomalies: map[Anomaly]int{TotalInvalid: 1}},
		{name: "no total, as with tokens", body: info(`{"NextToken":"abc="}`), total: -1, token: "abc="},
		{name: "null for total and token", body: info(`{"TotalCount":null,"NextToken":null}`), total: -1},
		{name: "a total", body: info(`{"TotalCount":12,"NextToken":""}`), total: 12},
		{name: "a total as a string", body: info(`{"TotalCount":"12"}`), total: 12, anomalies: map[Anomaly]int{WrongType: 1}},
		{name: "a negative total", body: info(`{"TotalCount":-1}`), total: -1, anomalies: map[Anomaly]int{TotalInvalid: 1}},
		{name: "a number for the token", body: info(`{"NextToken":10}`), total: -1, token: "10", anomalies: map[Anomaly]int{WrongType: 1}},
		{name: "a long token is not clipped", body: info(`{"NextToken":"` + long + `"}`), total: -1, token: long},
	}
}

func checkPages[T any](t *testing.T, list string, entry entryDecoder[T]) {
	t.Helper()
	for _, row := range pageRows(list) {
		t.Run(row.name, func(t *testing.T) {
			page, err := decodePage([]byte(row.body), list, entry)
			if row.err != "" {
				if err == nil || err.Error() != row.err {
					t.Fatalf("got the error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) != 0 || page.Entries != row.entries || page.Total != row.total || page.NextToken != row.token {
				t.Errorf("got %+v, want %+v", page, row)
			}
			if !maps.Equal(page.Anomalies, row.anomalies) {
				t.Errorf("got anomalies %v, want %v", page.Anomalies, row.anomalies)
			}
		})
	}
}

// checkDecodedPage checks what must be so whatever was decoded.
func checkDecodedPage[T any](t *testing.T, page *Page[T]) {
	t.Helper()
	if page.Total < -1 || len(page.Items) > page.Entries {
		t.Errorf("got %+v", page)
	}
	listed := make(map[Anomaly]bool)
	for _, a := range Anomalies() {
		listed[a] = true
	}
	for a, n := range page.Anomalies {
		if !listed[a] || n < 1 {
			t.Errorf("anomaly %q %d times", a, n)
		}
	}
}

func checkFits(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if len(s) > maxTextBytes || !utf8.ValidString(s) {
			t.Errorf("%q is no label", s)
		}
	}
}

func addPageSeeds(f *testing.F, list string) {
	f.Helper()
	for _, row := range pageRows(list) {
		f.Add([]byte(row.body))
	}
}
