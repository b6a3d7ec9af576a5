package collector_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// leafID is the ID of a server's part of a task.
func leafID(task string, server int) string { return fmt.Sprintf("%s-leaf-%d", task, server) }

// listedTask is a task as the account's list has it, and the list of its servers.
type listedTask struct {
	id      string
	running bool
	start   time.Time
	leaves  []string // entries, as leafOf returns them
	// answer, if set, answers a call for a page of its servers in their place.
	answer func(w http.ResponseWriter, r *simulator.Request, page int)
}

// taskCenter answers the calls of discovery as it is told.
type taskCenter struct {
	mu      sync.Mutex
	tasks   []listedTask
	servers map[int]bool // numbers, as uuid takes them; true: its agent is online
	reads   map[string]int
}

// newTaskCenter lists servers 1 to n, all online.
func newTaskCenter(n int) *taskCenter {
	c := &taskCenter{servers: make(map[int]bool), reads: make(map[string]int)}
	for i := range n {
		c.servers[i+1] = true
	}
	return c
}

// list makes tasks those that there are.
func (c *taskCenter) list(tasks ...listedTask) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tasks = tasks
}

// online reports whether a server's agent is.
func (c *taskCenter) online(server int, online bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[server] = online
}

// read is how many pages of a task's list were asked for.
func (c *taskCenter) read(task string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads[task]
}

// leafOf is an entry of a task's list of servers; status is JSON.
func leafOf(task string, server int, status any) string {
	return leafWith(leafID(task, server), fmt.Sprintf(`[{"uuid":%q}]`, uuid(server)), status)
}

// leafWith is one with any ID and DetailData.
func leafWith(id, detail string, status any) string {
	return fmt.Sprintf(`{"TaskId":%q,"TaskType":"VUL_CHECK_TASK","TaskStatus":%v,"DetailData":%q,"TaskStartTime":0,"TaskEndTime":0}`, id, status, detail)
}

// leavesOf are the entries of servers 1, 2 and so on.
func leavesOf(task string, statuses ...int) []string {
	var list []string
	for i, status := range statuses {
		list = append(list, leafOf(task, i+1, status))
	}
	return list
}

// leavesPage is the answer to a call for a page of entries.
func leavesPage(w http.ResponseWriter, page, total int, entries []string) {
	fmt.Fprintf(w, `{"RequestId":"R","PageInfo":{"Count":%d,"CurrentPage":%d,"PageSize":100,"TotalCount":%d},"TaskManageResponseList":[%s]}`,
		len(entries), page, total, strings.Join(entries, ","))
}

func (c *taskCenter) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	page, _ := strconv.Atoi(r.Params.Get("CurrentPage"))
	switch root := r.Params.Get("RootTaskId"); {
	case r.Action == sas.ActionInstances:
		c.listServers(w)
	case r.Action != sas.ActionOnceTask:
		return false
	case root == "":
		c.listTasks(w)
	default:
		c.reads[root]++
		for _, t := range c.tasks {
			if t.id == root {
				t.listLeaves(w, r, page)
				return true
			}
		}
		leavesPage(w, page, 0, nil)
	}
	return true
}

func (t listedTask) listLeaves(w http.ResponseWriter, r *simulator.Request, page int) {
	if t.answer != nil {
		t.answer(w, r, page)
		return
	}
	from := min((page-1)*100, len(t.leaves))
	leavesPage(w, page, len(t.leaves), t.leaves[from:min(from+100, len(t.leaves))])
}

func (c *taskCenter) listTasks(w http.ResponseWriter) {
	var list []string
	for _, t := range c.tasks {
		status, text, end := 2, "SUCCESS", t.start.Add(time.Minute).UnixMilli()
		if t.running {
			status, text, end = 1, "PROCESSING", 0
		}
		list = append(list, fmt.Sprintf(`{"TaskId":%q,"TaskType":"VUL_CHECK_TASK","TaskStatus":%d,"TaskStatusText":%q,"Progress":"50%%",`+
			`"TaskStartTime":%d,"TaskEndTime":%d,"Source":"console","TotalCount":1,"SuccessCount":0,"FailCount":0}`, t.id, status, text, t.start.UnixMilli(), end))
	}
	leavesPage(w, 1, len(list), list)
}

func (c *taskCenter) listServers(w http.ResponseWriter) {
	var list []string
	for n := range 10000 {
		online, listed := c.servers[n]
		if !listed {
			continue
		}
		status := "offline"
		if online {
			status = "online"
		}
		list = append(list, fmt.Sprintf(`{"Uuid":%q,"InstanceName":"web-%d","InstanceId":"i-%d","Os":"linux","RegionId":"cn-hangzhou","ClientStatus":%q}`, uuid(n), n, n, status))
	}
	fmt.Fprintf(w, `{"Success":true,"RequestId":"R","PageInfo":{"Count":%d,"CurrentPage":1,"PageSize":100,"NextToken":""},"Instances":[%s]}`, len(list), strings.Join(list, ","))
}

// running is a task that runs since the test began, with entries.
func running(id string, leaves ...string) listedTask {
	return listedTask{id: id, running: true, start: time.Unix(epoch, 0), leaves: leaves}
}

// ended is one that has ended.
func ended(id string, leaves ...string) listedTask {
	return listedTask{id: id, start: time.Unix(epoch, 0).Add(-time.Hour), leaves: leaves}
}

// scanStatusIs is what is published of a server's scan by a task.
func scanStatusIs(server int, task string, value any) string {
	return labelled("server_scan_status", fmt.Sprintf(`,server="web-%d",task_id="%s",uuid="%s"`, server, task, uuid(server)), value)
}

// scansAre returns the servers of a task by status, from not started to timed out.
func scansAre(task string, counts ...int) string {
	var b strings.Builder
	for i, n := range counts {
		b.WriteString(labelled("server_scans", fmt.Sprintf(`,status=%q,task_id=%q`, scan.ServerScanNames()[i], task), n))
	}
	return b.String()
}

// startListed starts a world whose tasks, servers and subtasks are told, with an account that
// discovers.
func startListed(t *testing.T, c *taskCenter, s *script, config string) *world {
	t.Helper()
	return startWorld(t, simulator.Options{Intercept: both(c.intercept, s.intercept)}, config)
}

// detailCalls counts the calls about servers so far.
func (w *world) detailCalls() (n int) {
	for _, c := range w.observed() {
		if c.Action == sas.ActionVulCheckTaskStatusDetail {
			n++
		}
	}
	return n
}

// polled returns the servers of the calls after the first n, in their order, by number.
func (w *world) polled(after int) (servers []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.asked {
		if r.UUID == "" {
			continue
		}
		if after--; after < 0 {
			n, _ := strconv.Atoi(r.UUID[len(r.UUID)-5:])
			servers = append(servers, n)
		}
	}
	return servers
}

// without is a configuration that reads no list of tasks' servers.
func without(config string) string {
	return strings.Replace(config, "max_tasks: 10", "max_tasks: 10, server_scans: \"off\"", 1)
}
