package discovery

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// service answers both operations with lists of any JSON.
type service struct {
	mu             sync.Mutex
	tasks, servers []string            // entries
	leaves         map[string][]string // by task
	noTokens       bool
	// bend changes the answer to the n-th call since it was set, counted from 1.
	bend  func(n int, p *pageOf)
	calls int
}

// pageOf is the answer with one page.
type pageOf struct {
	first   bool // page of its list
	ofTasks bool
	root    string // the task whose list of servers it is of
	entries []string
	info    string // PageInfo
	status  int    // other than 200: a failure
	code    string
	whole   string // instead of all that
}

// refuseTasks makes the page a refusal if it is one of tasks.
func (p *pageOf) refuseTasks() {
	if p.ofTasks {
		p.status, p.code = http.StatusForbidden, "NoPermission"
	}
}

func (s *service) set(change func(*service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.bend = 0, nil
	change(s)
}

// answer is an Intercept for the simulator.
func (s *service) answer(w http.ResponseWriter, r *simulator.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	p := s.page(r)
	if s.bend != nil {
		s.bend(s.calls, &p)
	}
	if p.status != 0 {
		r.Fail(w, p.status, p.code, "m")
		return true
	}
	list := "Instances"
	if r.Action == sas.ActionOnceTask {
		list = "TaskManageResponseList"
	}
	if p.whole == "" {
		p.whole = fmt.Sprintf(`{"RequestId":"R","PageInfo":%s,"%s":[%s]}`, p.info, list, strings.Join(p.entries, ","))
	}
	_, _ = w.Write([]byte(p.whole))
	return true
}

// page returns the page that a call asks for.
func (s *service) page(r *simulator.Request) pageOf {
	entries, byToken := s.servers, !s.noTokens && r.Params.Get("UseNextToken") == "true"
	if r.Action == sas.ActionOnceTask {
		entries = s.tasks
	}
	root := r.Params.Get("RootTaskId")
	if root != "" {
		entries = s.leaves[root]
	}
	size, _ := strconv.Atoi(r.Params.Get("PageSize"))
	number, _ := strconv.Atoi(r.Params.Get("CurrentPage"))
	from := size * (max(number, 1) - 1)
	if byToken && r.Params.Get("NextToken") != "" {
		text, _ := base64.StdEncoding.DecodeString(r.Params.Get("NextToken"))
		from, _ = strconv.Atoi(string(text))
	}
	from = min(from, len(entries))
	to := min(from+size, len(entries))
	p := pageOf{first: from == 0, ofTasks: r.Action == sas.ActionOnceTask, root: root, entries: slices.Clone(entries[from:to]), info: totalOf(len(entries))}
	if byToken {
		p.info = tokenOf("")
		if to < len(entries) {
			p.info = tokenOf(base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to))))
		}
	}
	return p
}

func totalOf(n int) string        { return fmt.Sprintf(`{"TotalCount":%d}`, n) }
func tokenOf(token string) string { return fmt.Sprintf(`{"NextToken":%q}`, token) }
func uuidOf(n int) string         { return fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-8c54%08d", n) }
func serverEntry(n int) string    { return fmt.Sprintf(`{"Uuid":%q,"ClientStatus":"online"}`, uuidOf(n)) }
func taskIDOf(n int) string       { return fmt.Sprintf("task-%d", n) }
func times[T any](n int, f func(int) T) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = f(i)
	}
	return list
}

// taskEntry is a running task that began so many minutes ago.
func taskEntry(minutes int) string {
	start := time.Now().Add(-time.Duration(minutes) * time.Minute).UnixMilli()
	return fmt.Sprintf(`{"TaskId":%q,"Source":"schedule","TaskStatusText":"PROCESSING","Progress":"40%%","TaskStartTime":%d}`, taskIDOf(minutes), start)
}

func uuidsOf(servers []Server) []string {
	return times(len(servers), func(i int) string { return servers[i].UUID })
}

func idsOf(tasks []sas.Task) []string {
	return times(len(tasks), func(i int) string { return tasks[i].ID })
}
