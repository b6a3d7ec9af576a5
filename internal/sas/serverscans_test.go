package sas

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// leafOf is a leaf task with DetailData as given in JSON.
func leafOf(detail string) string {
	return tasksPage(`{"TaskId":"leaf","TaskStatus":1,"DetailData":` + detail + `}`)
}

// leafAbout is a leaf task whose DetailData is a string with the given content.
func leafAbout(detail string) string { return leafOf(strconv.Quote(detail)) }

// shownScan is a server scan as text; "?" stands for what is not known.
func shownScan(s ServerScan) string {
	known := func(text string) string {
		if text == "" {
			return "?"
		}
		return text
	}
	status := "?"
	if !math.IsNaN(s.Status) {
		status = strconv.FormatFloat(s.Status, 'g', -1, 64)
	}
	return fmt.Sprintf("%s %s %s %s", known(s.TaskID), known(s.UUID), known(s.InstanceID), status)
}

func TestServerScanQuerysAreBelievedOrNot(t *testing.T) {
	checkPages(t, taskList, anomalyCounter.serverScan)
}

func TestServerScansAreReadWhateverTheirFields(t *testing.T) {
	const (
		other   = "5d55af3c-35f3-4d4d-8ccc-8c5443b00002"
		nobody  = "leaf ? ? 1"
		example = "leaf " + exampleUUID + " ? 1"
	)
	missing := map[Anomaly]int{ServerMissing: 1}
	uuid := func(text string) string { return `{"uuid":"` + text + `"}` }
	status := func(json string) string {
		return tasksPage(`{"TaskId":"leaf","TaskStatus":` + json + `,"DetailData":"[{\"instanceId\":\"i-1\"}]"}`)
	}
	rows := []struct {
		name      string
		body      string
		scans     []string
		anomalies map[Anomaly]int
	}{
		{"a server", leafAbout(`[{"uuid":"` + exampleUUID + `","instanceId":"i-1","instanceName":"web-1"}]`), []string{example}, nil},
		{"no DetailData", tasksPage(`{"TaskId":"leaf","TaskStatus":1}`), []string{nobody}, missing},
		{"null for DetailData", leafOf(`null`), []string{nobody}, missing},
		{"empty DetailData", leafOf(`""`), []string{nobody}, missing},
		{"blank DetailData", leafAbout(` `), []string{nobody}, missing},
		{"null inside DetailData", leafAbout(`null`), []string{nobody}, missing},
		{"an empty list", leafAbout(`[]`), []string{nobody}, missing},
		{"no JSON", leafAbout(`web-1`), []string{nobody}, map[Anomaly]int{DetailInvalid: 1, ServerMissing: 1}},
		{"JSON cut short", leafAbout(`[{"uuid":"` + exampleUUID + `"`), []string{nobody}, map[Anomaly]int{DetailInvalid: 1, ServerMissing: 1}},
		{"a number for the list", leafAbout(`7`), []string{nobody}, map[Anomaly]int{DetailInvalid: 1, ServerMissing: 1}},
		{"an object for the list", leafAbout(uuid(exampleUUID)), []string{example}, map[Anomaly]int{DetailInvalid: 1}},
		{"a list for the string", leafOf(`[` + uuid(exampleUUID) + `]`), []string{example}, map[Anomaly]int{WrongType: 1}},
		{"entries that are none", leafAbout(`[null,7,"x",[],` + uuid(exampleUUID) + `]`), []string{example}, map[Anomaly]int{MalformedEntry: 4}},
		{"a UUID in capitals", leafAbout(`[` + uuid(strings.ToUpper(exampleUUID)) + `]`), []string{example}, nil},
		{"a UUID with a prefix", leafAbout(`[` + uuid("inet-"+exampleUUID) + `]`), []string{example}, nil},
		{"a UUID with a prefix in capitals", leafAbout(`[` + uuid("INET-"+exampleUUID) + `]`), []string{example}, nil},
		{"no UUID but a text", leafAbout(`[` + uuid("web-1") + `]`), []string{nobody}, map[Anomaly]int{InvalidID: 1, ServerMissing: 1}},
		{"no UUID but a text, and an instance", leafAbout(`[{"uuid":"web-1","instanceId":"i-1"}]`), []string{"leaf ? i-1 1"}, map[Anomaly]int{InvalidID: 1}},
		{"a number for the UUID", leafAbout(`[{"uuid":7,"instanceId":8}]`), []string{"leaf ? 8 1"}, map[Anomaly]int{InvalidID: 1, WrongType: 2}},
		{"an empty UUID", leafAbout(`[{"uuid":"","instanceId":"i-1"}]`), []string{"leaf ? i-1 1"}, nil},
		{"only an instance", leafAbout(`[{"instanceId":"i-1"}]`), []string{"leaf ? i-1 1"}, nil},
		{"an instance of 200 bytes", leafAbout(`[{"instanceId":"` + strings.Repeat("i", 200) + `"}]`), []string{"leaf ? " + strings.Repeat("i", 128) + " 1"}, map[Anomaly]int{TextClipped: 1}},
		{"a server twice", leafAbout(`[` + uuid(exampleUUID) + `,` + uuid("inet-"+exampleUUID) + `]`), []string{example}, nil},
		{"a server, then with its instance", leafAbout(`[` + uuid(exampleUUID) + `,{"uuid":"` + exampleUUID + `","instanceId":"i-1"}]`), []string{example}, nil},
		{"an instance, then with its UUID", leafAbout(`[{"instanceId":"i-1"},{"uuid":"` + exampleUUID + `","instanceId":"i-1"}]`), []string{example}, nil},
		{"an instance twice, one without a name", leafAbout(`[{"instanceId":"i-1"},{},{"instanceId":"i-1"}]`), []string{"leaf ? i-1 1"}, nil},
		{"two servers", leafAbout(`[` + uuid(exampleUUID) + `,` + uuid(other) + `]`), []string{nobody}, map[Anomaly]int{ServerAmbiguous: 1}},
		{"two instances", leafAbout(`[{"instanceId":"i-1"},{"instanceId":"i-2"}]`), []string{nobody}, map[Anomaly]int{ServerAmbiguous: 1}},
		{"a server and an instance", leafAbout(`[` + uuid(exampleUUID) + `,{"instanceId":"i-1"}]`), []string{nobody}, map[Anomaly]int{ServerAmbiguous: 1}},
		{"two servers of one instance", leafAbout(`[{"uuid":"` + exampleUUID + `","instanceId":"i-1"},{"uuid":"` + other + `","instanceId":"i-1"}]`), []string{nobody}, map[Anomaly]int{ServerAmbiguous: 1}},
		{"status 0", status(`0`), []string{"leaf ? i-1 0"}, nil},
		{"status 4", status(`4`), []string{"leaf ? i-1 4"}, nil},
		{"status 5", status(`5`), []string{"leaf ? i-1 5"}, map[Anomaly]int{StatusUnknown: 1}},
		{"status -1", status(`-1`), []string{"leaf ? i-1 -1"}, map[Anomaly]int{StatusUnknown: 1}},
		{"status 1.5", status(`1.5`), []string{"leaf ? i-1 1.5"}, map[Anomaly]int{StatusUnknown: 1}},
		{"status 1e300", status(`1e300`), []string{"leaf ? i-1 1e+300"}, map[Anomaly]int{StatusUnknown: 1}},
		{"a status as a string", status(`"2"`), []string{"leaf ? i-1 2"}, map[Anomaly]int{WrongType: 1}},
		{"a word for the status", status(`"SUCCESS"`), []string{"leaf ? i-1 ?"}, map[Anomaly]int{StatusInvalid: 1}},
		{"a list for the status", status(`[2]`), []string{"leaf ? i-1 ?"}, map[Anomaly]int{StatusInvalid: 1}},
		{"null for the status", status(`null`), []string{"leaf ? i-1 ?"}, map[Anomaly]int{StatusInvalid: 1}},
		{"no ID but a server", tasksPage(`{"TaskStatus":1,"DetailData":"[{\"instanceId\":\"i-1\"}]"}`), []string{"? ? i-1 1"}, map[Anomaly]int{MissingID: 1}},
		{"neither ID nor server", tasksPage(`{"TaskStatus":1}`), nil, map[Anomaly]int{MissingID: 1}},
		{"no ID and two servers", tasksPage(`{"TaskStatus":1,"DetailData":"[{\"instanceId\":\"i-1\"},{\"instanceId\":\"i-2\"}]"}`), nil, map[Anomaly]int{MissingID: 1, ServerAmbiguous: 1}},
		{"a leaf of another type", tasksPage(`{"TaskId":"leaf","TaskType":"IMAGE_SCAN"}`), nil, map[Anomaly]int{TypeNotAsked: 1}},
		{"a leaf twice", tasksPage(`{"TaskId":"leaf","TaskStatus":1},{"TaskId":"leaf","TaskStatus":2}`), []string{nobody}, map[Anomaly]int{Duplicate: 1, ServerMissing: 2}},
		{
			"one ID for the leaves of all servers",
			tasksPage(`{"TaskId":"leaf","TaskStatus":1,"DetailData":"[{\"instanceId\":\"i-1\"}]"},{"TaskId":"leaf","TaskStatus":2,"DetailData":"[{\"instanceId\":\"i-2\"}]"}`),
			[]string{"leaf ? i-1 1", "leaf ? i-2 2"},
			nil,
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			page, err := decodePage([]byte(row.body), taskList, anomalyCounter.serverScan)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range page.Items {
				got = append(got, shownScan(s))
			}
			if strings.Join(got, ", ") != strings.Join(row.scans, ", ") {
				t.Errorf("got %q, want %q", got, row.scans)
			}
			if !maps.Equal(page.Anomalies, row.anomalies) {
				t.Errorf("got anomalies %v, want %v", page.Anomalies, row.anomalies)
			}
		})
	}
}

func TestServerScansKnowWhenTheyBeganAndEnded(t *testing.T) {
	rows := map[string]struct{ times, want string }{
		"both":       {`,"TaskStartTime":1649732012999,"TaskEndTime":1649732612000`, "1649732012 1649732612"},
		"no end yet": {`,"TaskStartTime":1649732012000,"TaskEndTime":0`, "1649732012 -"},
		"neither":    {``, "- -"},
		"too early":  {`,"TaskStartTime":1649732012`, "- -"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			page, err := decodePage([]byte(tasksPage(`{"TaskId":"leaf","TaskStatus":1`+row.times+`}`)), taskList, anomalyCounter.serverScan)
			if err != nil || len(page.Items) != 1 {
				t.Fatalf("got %+v, %v", page, err)
			}
			text := func(at time.Time) string {
				if at.IsZero() {
					return "-"
				}
				return strconv.FormatInt(at.Unix(), 10)
			}
			if got := text(page.Items[0].Start()) + " " + text(page.Items[0].End()); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestEndedSaysWhetherSomethingGoesOn(t *testing.T) {
	for status, want := range map[float64]bool{0: false, 1: false, 2: true, 3: true, 4: true, 5: false, -1: false, math.NaN(): false} {
		if got := (ServerScan{Status: status}).Ended(); got != want {
			t.Errorf("status %g: %t, want %t", status, got, want)
		}
	}
	for _, row := range []struct {
		task Task
		want bool
	}{
		{Task{Status: "PROCESSING", Progress: math.NaN()}, false},
		{Task{Status: "INIT"}, false},
		{Task{Status: "1", Progress: 0.99}, false},
		{Task{Status: "PROCESSING", Progress: 1}, true},
		{Task{Status: "PROCESSING", End: time.Unix(1, 0)}, true},
		{Task{Status: "success"}, true},
		{Task{Status: "FAIL"}, true},
		{Task{Status: "TIMEOUT"}, true},
		{Task{Status: "4"}, true},
	} {
		if got := row.task.Ended(); got != row.want {
			t.Errorf("%+v: %t, want %t", row.task, got, row.want)
		}
	}
}

func TestUUIDsAreComparedByTheirKey(t *testing.T) {
	for _, spelling := range []string{exampleUUID, "inet-" + exampleUUID, strings.ToUpper(exampleUUID), "INET-" + strings.ToUpper(exampleUUID)} {
		if got := UUIDKey(spelling); got != exampleUUID {
			t.Errorf("%s has the key %s", spelling, got)
		}
	}
}

// A task of the largest fleets has a list of 100,000 server scans.
func TestServerScansAreSmall(t *testing.T) {
	const n = 10_000
	var body strings.Builder
	for i := range n {
		fmt.Fprintf(&body, `{"TaskId":"%032x","TaskType":"VUL_CHECK_TASK","TaskStatus":1,"TaskStartTime":1649732012000,`+
			`"DetailData":"[{\"uuid\":\"5d55af3c-35f3-4d4d-8ccc-%012x\",\"instanceId\":\"i-m5%016x\"}]"},`, i, i, i)
	}
	leaves := []byte(tasksPage(strings.TrimSuffix(body.String(), ",")))
	decoded := func() []ServerScan {
		page, err := decodePage(leaves, taskList, anomalyCounter.serverScan)
		if err != nil || len(page.Items) != n {
			t.Fatalf("got %v, %v", page, err)
		}
		return append(make([]ServerScan, 0, n), page.Items...)
	}
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	items := decoded()
	if each := (held() - before) / n; each > 150 {
		t.Errorf("%d bytes each, want at most 150", each)
	}
	runtime.KeepAlive(items)
	runtime.KeepAlive(leaves)
}

func TestMemberAccountsAreNamedInCallsThatKnowThem(t *testing.T) {
	asked := map[string]string{}
	o := optionsFor(serveSimulator(t, func(w http.ResponseWriter, r *simulator.Request) {
		asked[r.Action+" "+r.Params.Get("RootTaskId")] = r.Params.Get("ResourceDirectoryAccountId")
		r.Fail(w, http.StatusInternalServerError, "ServerError", "m")
	}).URL)
	o.ResourceDirectoryAccountID = "1234567890123456"
	c := newTestClient(t, o)
	_, _ = ask(t.Context(), c)
	_, _ = c.Instances(t.Context(), InstanceQuery{Size: 1})
	_, _ = c.OnceTasks(t.Context(), TaskQuery{Number: 1, Size: 1})
	_, _ = c.ServerScans(t.Context(), ServerScanQuery{TaskID: "root", Number: 1, Size: 1})
	want := map[string]string{
		ActionVulCheckTaskStatusDetail + " ": o.ResourceDirectoryAccountID, ActionInstances + " ": o.ResourceDirectoryAccountID,
		ActionOnceTask + " ": "", ActionOnceTask + " root": "",
	}
	if !maps.Equal(asked, want) {
		t.Errorf("got %v, want %v", asked, want)
	}
}

// Whatever stands in DetailData, it names one server or none, and fits labels.
func FuzzServerScans(f *testing.F) {
	addPageSeeds(f, taskList)
	for _, detail := range []string{
		"", "[]", "null", `{"uuid":"` + exampleUUID + `"}`, `[{"uuid":"inet-` + exampleUUID + `","instanceId":"i-1"},{"instanceId":"i-2"}]`,
		`[{"uuid":7,"instanceId":[]}]`, "[[[", "\xff",
	} {
		f.Add([]byte(leafAbout(detail)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := decodePage(body, taskList, anomalyCounter.serverScan)
		if (page == nil) == (err == nil) {
			t.Fatalf("page %v and error %v", page, err)
		}
		if err != nil {
			return
		}
		checkDecodedPage(t, page)
		for _, s := range page.Items {
			checkFits(t, s.TaskID, s.UUID, s.InstanceID)
			if s.UUID != "" && (s.InstanceID != "" || !uuidShape.MatchString(s.UUID) || UUIDKey(s.UUID) != s.UUID) ||
				s.TaskID == "" && !s.NamesServer() || math.IsInf(s.Status, 0) {
				t.Errorf("got %+v", s)
			}
		}
	})
}
