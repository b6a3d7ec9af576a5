package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// KnownIDs says which task IDs DescribeVulCheckTaskStatusDetail knows. Alibaba's documentation does
// not.
type KnownIDs int

// A task's own ID is that of the root; a leaf is the part of one server.
const (
	RootIDs KnownIDs = iota
	LeafIDs
	BothIDs
)

// leafDetail is an entry of a leaf's DetailData.
type leafDetail struct {
	UUID         string `json:"uuid"`
	InstanceID   string `json:"instanceId"`
	InstanceName string `json:"instanceName"`
	InternetIP   string `json:"internetIp"`
	IntranetIP   string `json:"intranetIp"`
}

// describeLeaves lists the leaf tasks of a root, a server each, in the order of the servers.
func describeLeaves(f Fleet, r *Request, p page, requestID string) (any, *apiError) {
	if f.ServerListsDenied {
		return nil, &apiError{status: http.StatusForbidden, code: "NoPermission", message: "caller has no permission"}
	}
	if f.ServerListFailsAt > 0 && p.number >= f.ServerListFailsAt {
		return nil, &apiError{status: http.StatusInternalServerError, code: "ServerError", message: "ServerError"}
	}
	kind := r.Params.Get("TaskType")
	root, known := f.task(r.Params.Get("RootTaskId"), r.Time)
	places, count := f.pinnedPlaces(), 0
	if known && (kind == "" || kind == vulCheckTask) {
		count = f.Size - len(places)
	}
	out := &onceTasks{RequestID: requestID, Tasks: []onceTask{}}
	var from, to int
	from, to, out.PageInfo = p.cut(count)
	for n := from; n < to; n++ {
		server := n
		for _, pinned := range places {
			if pinned <= server {
				server++
			}
		}
		out.Tasks = append(out.Tasks, f.leaf(root, server, r.Time))
	}
	return out, nil
}

// pinnedPlaces returns the places of the servers that no task scans, ascending.
func (f Fleet) pinnedPlaces() []int {
	var places []int
	for _, p := range f.Pinned {
		if p.Server < f.Size {
			places = append(places, p.Server)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// LeafID returns the ID of a server's part of a task.
func (f Fleet) LeafID(t Task, server int) string {
	return fmt.Sprintf("%016x%016x", mix(t.key, uint64(server), saltLeaf), f.draw(server, saltLeaf))
}

// leafTask finds the task of which a server's part has the ID.
func (f Fleet) leafTask(server int, id string, now time.Time) (Task, bool) {
	for _, t := range f.Tasks(now) {
		if f.LeafID(t, server) == id {
			return t, true
		}
	}
	return Task{}, false
}

// leaf renders a server's part of a task.
func (f Fleet) leaf(t Task, server int, now time.Time) onceTask {
	p := f.serverProgress(server, t, now)
	out := onceTask{
		TaskID: f.LeafID(t, server), TaskType: vulCheckTask, TaskName: vulCheckTask, Source: t.Source,
		Progress: strconv.Itoa(p.percent()) + "%", TotalCount: p.total, SuccessCount: p.success, FailCount: p.fail,
		TaskStartTime: t.Start.UnixMilli(), Context: `{"types":"cve,sys,cms,sca"}`, DetailData: f.detailData(server),
	}
	deadline := f.deadline(t)
	switch {
	case !p.end.IsZero() && p.fail > 0:
		out.ends(3, "FAIL", "failed", p.end)
	case !p.end.IsZero():
		out.ends(2, "SUCCESS", "successful", p.end)
	case now.After(deadline):
		out.ends(4, "TIMEOUT", "timeout", deadline)
	case f.elapsed(server, t, now) < 0:
		out.TaskStatus, out.TaskStatusText = 0, "INIT"
	default:
		out.TaskStatus, out.TaskStatusText = 1, "PROCESSING"
	}
	return out
}

// detailData is JSON in a string that says which server a leaf is about.
func (f Fleet) detailData(server int) string {
	if f.BlankDetailData {
		return "[]"
	}
	s := f.server(server)
	text, _ := json.Marshal([]leafDetail{{s.UUID, s.InstanceID, s.Name, s.PublicIP, s.IP}}) // of strings only: cannot fail
	return string(text)
}

// ends sets the fields of a task, or a leaf, that has ended.
func (t *onceTask) ends(status int, text, result string, at time.Time) {
	t.TaskStatus, t.TaskStatusText, t.ResultInfo, t.TaskEndTime = status, text, result, at.UnixMilli()
}

// deadline returns when a task times out the scans that have not ended.
func (f Fleet) deadline(t Task) time.Time {
	if f.ScanTimeout > 0 {
		return t.Start.Add(f.ScanTimeout)
	}
	return t.Start.Add(10 * f.typical()) // stalled scans end, too
}
