package sas

import (
	"errors"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// exampleTasks is composed of documented fields and values.
const exampleTasks = `{"RequestId":"7E0618A9-D5EF-4220-9471-C42B5E92719F",` +
	`"PageInfo":{"Count":1,"CurrentPage":1,"PageSize":20,"TotalCount":100},"TaskManageResponseList":[` +
	`{"TaskId":"e900f528f5a6229bb640ca27cb44c98e","TaskType":"VUL_CHECK_TASK","TaskName":"VUL_CHECK_TASK",` +
	`"TaskStatus":1,"TaskStatusText":"PROCESSING","Progress":"40%","TotalCount":9,"SuccessCount":7,"FailCount":2,` +
	`"TaskStartTime":1649732012000,"TaskEndTime":0,"Source":"schedule","DetailData":"[]"}]}`

// tasksPage puts tasks into an answer.
func tasksPage(tasks string) string {
	return `{"RequestId":"R","PageInfo":{"TotalCount":1},"TaskManageResponseList":[` + tasks + `]}`
}

func sameTask(a, b Task) bool {
	if math.IsNaN(a.Progress) && math.IsNaN(b.Progress) {
		a.Progress, b.Progress = 0, 0
	}
	startsAlike, endsAlike := a.Start.Equal(b.Start), a.End.Equal(b.End)
	a.Start, a.End, b.Start, b.End = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return startsAlike && endsAlike && a == b
}

func TestTaskPagesAreBelievedOrNot(t *testing.T) {
	checkPages(t, taskList, anomalyCounter.task)
}

func TestTasksAreReadWhateverTheirFields(t *testing.T) {
	start := time.UnixMilli(1649732012000)
	unknown := Task{ID: "t", Progress: math.NaN(), Total: -1, Success: -1, Fail: -1}
	with := func(change func(*Task)) []Task {
		task := unknown
		change(&task)
		return []Task{task}
	}
	progress := func(p float64) []Task { return with(func(t *Task) { t.Progress = p }) }
	field := func(f string) string { return tasksPage(`{"TaskId":"t",` + f + `}`) }
	odd, wrongType, invalid := map[Anomaly]int{ProgressInvalid: 1}, map[Anomaly]int{WrongType: 1}, map[Anomaly]int{TimeInvalid: 1}
	rows := []struct {
		name      string
		body      string
		tasks     []Task
		anomalies map[Anomaly]int
	}{
		{name: "the documented example", body: exampleTasks, tasks: []Task{{
			ID: "e900f528f5a6229bb640ca27cb44c98e", Source: "schedule", Status: "PROCESSING", Progress: 0.4,
			Total: 9, Success: 7, Fail: 2, Start: start,
		}}},
		{name: "nothing but an ID", body: tasksPage(`{"TaskId":"t"}`), tasks: []Task{unknown}},
		{name: "a number for the ID", body: tasksPage(`{"TaskId":16190385}`), tasks: with(func(t *Task) { t.ID = "16190385" }), anomalies: wrongType},
		{name: "null for the ID", body: tasksPage(`{"TaskId":null}`), anomalies: map[Anomaly]int{MissingID: 1}},
		{name: "a blank in the ID", body: tasksPage(`{"TaskId":"a b"}`), anomalies: map[Anomaly]int{InvalidID: 1}},
		{name: "an ID of 129 bytes", body: tasksPage(`{"TaskId":"` + strings.Repeat("a", 129) + `"}`), anomalies: map[Anomaly]int{InvalidID: 1}},
		{name: "a task twice", body: tasksPage(`{"TaskId":"t"},{"TaskId":"t","Progress":"1%"}`), tasks: []Task{unknown}, anomalies: map[Anomaly]int{Duplicate: 1}},
		{name: "a task of another type", body: field(`"TaskType":"IMAGE_SCAN"`), anomalies: map[Anomaly]int{TypeNotAsked: 1}},
		{name: "a status without text", body: field(`"TaskStatus":3`), tasks: with(func(t *Task) { t.Status = "3" })},
		{name: "a status of any length", body: field(`"TaskStatusText":"` + strings.Repeat("s", 200) + `"`), tasks: with(func(t *Task) { t.Status = strings.Repeat("s", 128) }), anomalies: map[Anomaly]int{TextClipped: 1}},
		{name: "progress of 0%", body: field(`"Progress":"0%"`), tasks: progress(0)},
		{name: "progress of 100%", body: field(`"Progress":"100%"`), tasks: progress(1)},
		{name: "progress of 140%", body: field(`"Progress":"140%"`), tasks: progress(1), anomalies: odd},
		{name: "progress of -1%", body: field(`"Progress":"-1%"`), tasks: progress(0), anomalies: odd},
		{name: "progress without a sign", body: field(`"Progress":"40"`), tasks: progress(0.4), anomalies: odd},
		{name: "progress as a number", body: field(`"Progress":40`), tasks: progress(0.4), anomalies: map[Anomaly]int{WrongType: 1, ProgressInvalid: 1}},
		{name: "progress with a fraction", body: field(`"Progress":"12.5%"`), tasks: progress(0.125)},
		{name: "progress empty", body: field(`"Progress":""`), tasks: []Task{unknown}},
		{name: "progress null", body: field(`"Progress":null`), tasks: []Task{unknown}},
		{name: "progress abc", body: field(`"Progress":"abc"`), tasks: []Task{unknown}, anomalies: odd},
		{name: "progress NaN%", body: field(`"Progress":"NaN%"`), tasks: []Task{unknown}, anomalies: odd},
		{name: "progress %", body: field(`"Progress":"%"`), tasks: []Task{unknown}, anomalies: odd},
		{name: "counts as strings", body: field(`"TotalCount":"9","SuccessCount":"0"`), tasks: with(func(t *Task) { t.Total, t.Success = 9, 0 }), anomalies: map[Anomaly]int{WrongType: 2}},
		{name: "counts that are none", body: field(`"TotalCount":-9,"SuccessCount":"x","FailCount":1.5`), tasks: []Task{unknown}, anomalies: map[Anomaly]int{CountInvalid: 3}},
		{name: "times as strings", body: field(`"TaskStartTime":"1649732012000","TaskEndTime":"0"`), tasks: with(func(t *Task) { t.Start = start }), anomalies: map[Anomaly]int{WrongType: 2}},
		{name: "a time with an exponent", body: field(`"TaskStartTime":1.649732012e12`), tasks: with(func(t *Task) { t.Start = start })},
		{name: "times empty or null", body: field(`"TaskStartTime":null,"TaskEndTime":""`), tasks: []Task{unknown}},
		{name: "seconds for milliseconds", body: field(`"TaskStartTime":1649732012`), tasks: []Task{unknown}, anomalies: invalid},
		{name: "a negative time", body: field(`"TaskStartTime":-1649732012000`), tasks: []Task{unknown}, anomalies: invalid},
		{name: "a time beyond all calendars", body: field(`"TaskStartTime":1e300`), tasks: []Task{unknown}, anomalies: invalid},
		{name: "a date for a time", body: field(`"TaskStartTime":"2022-04-12"`), tasks: []Task{unknown}, anomalies: map[Anomaly]int{WrongType: 1, TimeInvalid: 1}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := decodePage([]byte(row.body), taskList, anomalyCounter.task)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Items) != len(row.tasks) || len(row.tasks) == 1 && !sameTask(got.Items[0], row.tasks[0]) {
				t.Errorf("got\n%+v, want\n%+v", got.Items, row.tasks)
			}
			if !maps.Equal(got.Anomalies, row.anomalies) {
				t.Errorf("got anomalies %v, want %v", got.Anomalies, row.anomalies)
			}
		})
	}
}

// serveFleet starts a Security Center with a fleet and returns a client of it.
func serveFleet(t *testing.T, fleet simulator.Fleet, intercept func(http.ResponseWriter, *simulator.Request) bool) *Client {
	t.Helper()
	server := quietServer(t, simulator.New(simulator.Options{Intercept: intercept, Accounts: []simulator.Account{{
		AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: testToken, Fleet: fleet,
	}}}), (*httptest.Server).Start)
	return newTestClient(t, optionsFor(server.URL))
}

func TestAFleetsTasksAreRead(t *testing.T) {
	fleet := simulator.Fleet{Seed: 3, Size: 20, Start: time.Now().Add(-time.Hour), TaskEvery: time.Minute, TaskIDs: []string{"fixed"}}
	c := serveFleet(t, fleet, nil)
	tasks, err := c.OnceTasks(t.Context(), TaskQuery{Source: "schedule", Number: 2, Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks.Items) != 10 || tasks.Entries != 10 || tasks.Total != 61 || tasks.NextToken != "" || len(tasks.Anomalies) != 0 {
		t.Fatalf("got %+v", tasks)
	}
	for _, task := range tasks.Items {
		if task.Source != "schedule" || task.Total != 20 || task.Progress < 0 || task.Start.IsZero() || task.Status == "" {
			t.Errorf("got %+v", task)
		}
	}
	console, err := c.OnceTasks(t.Context(), TaskQuery{Source: "console", Number: 1, Size: 10})
	if err != nil || len(console.Items) != 1 || console.Items[0].ID != "fixed" {
		t.Errorf("got %+v, %v", console, err)
	}
}

func TestTasksRefusedNameThePermission(t *testing.T) {
	c := serveFleet(t, simulator.Fleet{}, func(w http.ResponseWriter, r *simulator.Request) bool {
		r.Fail(w, http.StatusForbidden, "NoPermission", "caller has no permission")
		return true
	})
	_, err := c.OnceTasks(t.Context(), TaskQuery{Number: 1, Size: 10})
	var failed *Error
	if !errors.As(err, &failed) || failed.Class != Refused || !strings.Contains(err.Error(), "grant the RAM action yundun-sas:DescribeOnceTask") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeTasks(f *testing.F) {
	addPageSeeds(f, taskList)
	f.Add([]byte(exampleTasks))
	f.Add([]byte(tasksPage(`{"TaskId":"t","TaskStartTime":-1e15,"Progress":"1e400%","FailCount":"9e9"}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		tasks, err := decodePage(body, taskList, anomalyCounter.task)
		if (tasks == nil) == (err == nil) {
			t.Fatalf("tasks %v and error %v", tasks, err)
		}
		if err != nil {
			return
		}
		checkDecodedPage(t, tasks)
		seen := make(map[string]bool)
		for _, task := range tasks.Items {
			checkFits(t, task.ID, task.Source, task.Status)
			if task.ID == "" || seen[task.ID] || task.Progress < 0 || task.Progress > 1 || min(task.Total, task.Success, task.Fail) < -1 {
				t.Errorf("got %+v", task)
			}
			seen[task.ID] = true
			for _, at := range []time.Time{task.Start, task.End} {
				if !at.IsZero() && (at.Year() < 1990 || at.Year() > 2100) {
					t.Errorf("got %+v", task)
				}
			}
		}
	})
}
