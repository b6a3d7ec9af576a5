package simulator

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const vulCheckTask = "VUL_CHECK_TASK"

// onceTasks is the answer of DescribeOnceTask.
type onceTasks struct {
	RequestID string     `json:"RequestId"`
	PageInfo  pageInfo   `json:"PageInfo"`
	Tasks     []onceTask `json:"TaskManageResponseList"`
}

type onceTask struct {
	TaskID         string `json:"TaskId"`
	TaskType       string `json:"TaskType"`
	TaskName       string `json:"TaskName"`
	TaskStatus     int    `json:"TaskStatus"` // 0 not started, 1 started, 2 completed, 3 failed, 4 timed out
	TaskStatusText string `json:"TaskStatusText"`
	Progress       string `json:"Progress"`   // "40%"
	TotalCount     int    `json:"TotalCount"` // servers, like the next two
	SuccessCount   int    `json:"SuccessCount"`
	FailCount      int    `json:"FailCount"`
	TaskStartTime  int64  `json:"TaskStartTime"` // Unix ms, as is TaskEndTime
	TaskEndTime    int64  `json:"TaskEndTime"`   // 0 while running
	Source         string `json:"Source"`
	Context        string `json:"Context"`    // JSON text
	DetailData     string `json:"DetailData"` // JSON text
	ResultInfo     string `json:"ResultInfo,omitempty"`
}

// describeOnceTask lists the tasks, newest first, or with RootTaskId the leaf tasks of one, a
// server each.
func describeOnceTask(f Fleet, r *Request, requestID string) (any, *apiError) {
	p, err := pageByNumber(r.Params)
	if err != nil {
		return nil, err
	}
	kind, root := r.Params.Get("TaskType"), r.Params.Get("RootTaskId")
	if kind == "" && root == "" {
		return nil, missing("TaskType")
	}
	if !knownTaskType(kind) {
		return nil, illegalParam()
	}
	if root != "" {
		return describeLeaves(f, r, p, requestID)
	}
	out := &onceTasks{RequestID: requestID, Tasks: []onceTask{}}
	var tasks []Task
	if kind == vulCheckTask {
		if tasks, err = f.selected(r.Params, r.Time); err != nil {
			return nil, err
		}
	}
	var from, to int
	from, to, out.PageInfo = p.cut(len(tasks))
	for _, t := range tasks[from:to] {
		out.Tasks = append(out.Tasks, f.describe(t, f.taskProgress(t, r.Time), r.Time))
	}
	return out, nil
}

// knownTaskType accepts the documented types. Only vulnerability scans exist here.
func knownTaskType(kind string) bool {
	switch kind {
	case "", vulCheckTask, "CLIENT_PROBLEM_CHECK", "CLIENT_DEV_OPS", "ASSET_SECURITY_CHECK":
		return true
	}
	return false
}

// selected applies the filters. How the API reads StartTimeQuery and EndTimeQuery is not spelled
// out; here they bound the start of the task.
func (f Fleet) selected(params url.Values, now time.Time) ([]Task, *apiError) {
	after, err := milliseconds(params.Get("StartTimeQuery"), 0)
	if err != nil {
		return nil, err
	}
	before, err := milliseconds(params.Get("EndTimeQuery"), math.MaxInt64)
	if err != nil {
		return nil, err
	}
	id, source := params.Get("TaskId"), params.Get("Source")
	return slices.DeleteFunc(f.Tasks(now), func(t Task) bool {
		start := t.Start.UnixMilli()
		return start < after || start > before || id != "" && t.ID != id || source != "" && t.Source != source
	}), nil
}

func milliseconds(text string, absent int64) (int64, *apiError) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, illegalParam()
	}
	return n, nil
}

// describe renders a task from how it fares.
func (f Fleet) describe(t Task, p progress, now time.Time) onceTask {
	out := onceTask{
		TaskID: t.ID, TaskType: vulCheckTask, TaskName: vulCheckTask, Source: t.Source,
		TaskStatus: 1, TaskStatusText: "PROCESSING", Progress: strconv.Itoa(p.percent()) + "%",
		TotalCount: p.total, SuccessCount: p.success, FailCount: p.fail,
		TaskStartTime: t.Start.UnixMilli(), Context: `{"types":"cve,sys,cms,sca"}`, DetailData: "[]",
	}
	deadline := f.deadline(t)
	switch {
	case !p.end.IsZero() && p.success == 0 && p.fail > 0:
		out.ends(3, "FAIL", "failed", p.end)
	case !p.end.IsZero():
		out.ends(2, "SUCCESS", "successful", p.end)
	case now.After(deadline):
		out.ends(4, "TIMEOUT", "timeout", deadline)
	case now.Sub(t.Start) < f.typical()/20:
		out.TaskStatus, out.TaskStatusText = 0, "INIT"
	}
	return out
}
