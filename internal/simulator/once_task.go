package simulator

import (
	"fmt"
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

// describeOnceTask lists the tasks, newest first, or with RootTaskId the leaf
// tasks of one, a server each.
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
	out := &onceTasks{RequestID: requestID, Tasks: []onceTask{}}
	if root != "" {
		parent, ok := f.task(root, r.Time)
		var from, to int
		from, to, out.PageInfo = p.cut(leafCount(f, ok && (kind == "" || kind == vulCheckTask)))
		for i := from; i < to; i++ {
			id := fmt.Sprintf("%016x%016x", mix(parent.key, uint64(i), saltLeaf), f.draw(i, saltLeaf))
			out.Tasks = append(out.Tasks, f.describe(parent, id, f.serverProgress(i, parent, r.Time), r.Time))
		}
		return out, nil
	}
	var tasks []Task
	if kind == vulCheckTask {
		if tasks, err = f.selected(r.Params, r.Time); err != nil {
			return nil, err
		}
	}
	var from, to int
	from, to, out.PageInfo = p.cut(len(tasks))
	for _, t := range tasks[from:to] {
		out.Tasks = append(out.Tasks, f.describe(t, t.ID, f.taskProgress(t, r.Time), r.Time))
	}
	return out, nil
}

func leafCount(f Fleet, known bool) int {
	if !known {
		return 0
	}
	return f.Size
}

// knownTaskType accepts the documented types. Only vulnerability scans exist here.
func knownTaskType(kind string) bool {
	switch kind {
	case "", vulCheckTask, "CLIENT_PROBLEM_CHECK", "CLIENT_DEV_OPS", "ASSET_SECURITY_CHECK":
		return true
	}
	return false
}

// selected applies the filters. How the API reads StartTimeQuery and EndTimeQuery
// is not spelled out; here they bound the start of the task.
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

// describe renders a task, or the leaf of one, from how it fares.
func (f Fleet) describe(t Task, id string, p progress, now time.Time) onceTask {
	out := onceTask{
		TaskID: id, TaskType: vulCheckTask, TaskName: vulCheckTask, Source: t.Source,
		TaskStatus: 1, TaskStatusText: "PROCESSING", Progress: strconv.Itoa(p.percent()) + "%",
		TotalCount: p.total, SuccessCount: p.success, FailCount: p.fail,
		TaskStartTime: t.Start.UnixMilli(), Context: `{"types":"cve,sys,cms,sca"}`, DetailData: "[]",
	}
	// After ten times the usual duration nobody waits for the stalled any more.
	deadline := t.Start.Add(10 * f.typical())
	switch {
	case !p.end.IsZero() && p.success == 0 && p.fail > 0:
		out.TaskStatus, out.TaskStatusText, out.ResultInfo = 3, "FAIL", "failed"
		out.TaskEndTime = p.end.UnixMilli()
	case !p.end.IsZero():
		out.TaskStatus, out.TaskStatusText, out.ResultInfo = 2, "SUCCESS", "successful"
		out.TaskEndTime = p.end.UnixMilli()
	case now.After(deadline):
		out.TaskStatus, out.TaskStatusText, out.ResultInfo = 4, "TIMEOUT", "timeout"
		out.TaskEndTime = deadline.UnixMilli()
	case now.Sub(t.Start) < f.typical()/20:
		out.TaskStatus, out.TaskStatusText = 0, "INIT"
	}
	return out
}
