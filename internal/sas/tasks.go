package sas

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// ActionOnceTask is the operation that lists the account's tasks, and the only one that tells a
// vulnerability scan's ID.
const ActionOnceTask = "DescribeOnceTask"

// vulCheckTask is the type of vulnerability scans, of the values that Alibaba publishes.
const vulCheckTask = "VUL_CHECK_TASK"

// TaskQuery asks for one page of the account's vulnerability scan tasks.
type TaskQuery struct {
	// Source is what started the tasks: "schedule" or "console" are published; empty asks for all.
	Source string
	// Number is the page's, from 1, and Size how many entries it may have. The largest size is not
	// documented; Alibaba's own templates use 100.
	Number, Size int
}

// Task is a vulnerability scan of many servers. Its texts are valid UTF-8 of at most 128 bytes.
type Task struct {
	// ID is what VulCheckTaskStatusDetail takes: 1 to 128 printable ASCII characters without
	// spaces.
	ID string
	// Source is what started the task; empty if the service did not say, as by the newest published
	// models.
	Source string
	// Status is such as INIT, PROCESSING, SUCCESS, FAIL or TIMEOUT; its number if the service sent
	// no text.
	Status string
	// Progress is from 0 to 1, NaN if it is not known.
	Progress float64
	// Total, Success and Fail are numbers of servers, -1 if not known.
	Total, Success, Fail int64
	// Start and End are zero if not known; End is while the task runs.
	Start, End time.Time
}

// Ended reports whether the task is over, with success or without, by any field of the answer.
func (t Task) Ended() bool {
	switch strings.ToUpper(t.Status) {
	case "SUCCESS", "FAIL", "TIMEOUT", "2", "3", "4":
		return true
	}
	return !t.End.IsZero() || t.Progress >= 1
}

// onceTaskRequest is the operation's request, by Alibaba's published model of the operation; only
// the parameters used.
type onceTaskRequest struct {
	*requests.RpcRequest
	TaskType    string           `position:"Query" name:"TaskType"`
	RootTaskID  string           `position:"Query" name:"RootTaskId"`
	Source      string           `position:"Query" name:"Source"`
	CurrentPage requests.Integer `position:"Query" name:"CurrentPage"`
	PageSize    requests.Integer `position:"Query" name:"PageSize"`
}

// taskList is the field of the answer that holds the tasks.
const taskList = "TaskManageResponseList"

// OnceTasks calls DescribeOnceTask once. The tasks are the newest first, by Alibaba's
// documentation. The error, if any, is an *Error.
func (c *Client) OnceTasks(ctx context.Context, q TaskQuery) (*Page[Task], error) {
	r := &onceTaskRequest{
		RpcRequest: &requests.RpcRequest{}, TaskType: vulCheckTask, Source: q.Source,
		CurrentPage: requests.NewInteger(q.Number), PageSize: requests.NewInteger(q.Size),
	}
	r.InitWithApiInfo(product, version, ActionOnceTask, "sas", "openAPI")
	return askPage(ctx, c, r, taskList, anomalyCounter.task)
}

func (t anomalyCounter) task(o object) (task Task, id string) {
	if kind := t.text(o["TaskType"]); kind != "" && kind != vulCheckTask {
		t.count(TypeNotAsked)
		return task, ""
	}
	task = Task{
		ID:       t.taskID(o["TaskId"]),
		Source:   t.text(o["Source"]),
		Status:   t.text(o["TaskStatusText"]),
		Progress: t.progress(o["Progress"]),
		Total:    t.servers(o["TotalCount"]),
		Success:  t.servers(o["SuccessCount"]),
		Fail:     t.servers(o["FailCount"]),
		Start:    t.milliseconds(o["TaskStartTime"]),
		End:      t.milliseconds(o["TaskEndTime"]),
	}
	if task.Status == "" {
		number, _ := text(o["TaskStatus"])
		task.Status, _ = clip(number)
	}
	return task, task.ID
}

// taskID returns an ID that can be asked about, or nothing.
func (t anomalyCounter) taskID(raw []byte) string {
	id, exact := text(raw)
	if !exact {
		t.count(WrongType)
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case id == "":
		t.count(MissingID)
	case len(id) > maxTextBytes || strings.ContainsFunc(id, odd):
		t.count(InvalidID)
		return ""
	}
	return id
}

// progress reads a text such as "40%"; empty means not known.
func (t anomalyCounter) progress(raw []byte) float64 {
	s := strings.TrimSpace(t.text(raw))
	if s == "" {
		return math.NaN()
	}
	number, percent := strings.CutSuffix(s, "%")
	p, ok := decimal(number)
	if !ok {
		t.count(ProgressInvalid)
		return math.NaN()
	}
	if !percent || p < 0 || p > 100 {
		t.count(ProgressInvalid)
	}
	return min(max(p, 0), 100) / 100
}

// servers reads a number of servers; an older service may not have it.
func (t anomalyCounter) servers(raw []byte) int64 {
	if len(raw) == 0 || isNull(raw) {
		return -1
	}
	return t.wholeNumber(raw, CountInvalid)
}

// milliseconds reads a Unix time; absent, null, empty and 0 are none.
func (t anomalyCounter) milliseconds(raw []byte) time.Time {
	s, exact := text(raw)
	if s == "" {
		return time.Time{}
	}
	if exact { // a JSON string, where a number is documented
		t.count(WrongType)
	}
	ms, ok := decimal(s)
	at := time.UnixMilli(int64(ms))
	switch {
	case ok && ms == 0:
		return time.Time{}
	case !ok || math.Abs(ms) > 1e15 || at.Year() < 1990 || at.Year() > 2100:
		t.count(TimeInvalid)
		return time.Time{}
	}
	return at
}
