package poll

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// simulatedLatency is how long every call to the simulated service takes.
const simulatedLatency = 100 * time.Millisecond

var simulatedTypes = []string{"cve", "sys", "cms", "sca"}

// simulatedService is a Security Center without HTTP, for simulations of large fleets on fake time.
// It knows tasks by their root's ID only.
type simulatedService struct {
	rate  float64
	uuids []string
	place map[string]int // of a server, by UUID

	mu    sync.Mutex
	scans []*simulatedScan // the newest first
	calls callLog
}

// simulatedScan is a task that scans all servers. Each begins within the first ten minutes and
// takes a log-normal time with a median of 15 minutes, at most two hours. One in twenty fails at
// its end.
type simulatedScan struct {
	root       string
	leaves     []string
	begin      time.Time
	start, end []time.Duration // of each server, from the task's begin
	last       time.Duration   // of the ends
}

func newSimulatedService(servers int, rate float64) *simulatedService {
	s := &simulatedService{rate: rate, place: make(map[string]int, servers)}
	s.calls.most = make([]time.Time, int(math.Ceil(rate)))
	for i := range servers {
		uuid := fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-%012x", i)
		s.uuids, s.place[uuid] = append(s.uuids, uuid), i
	}
	return s
}

// begin begins a scan of all servers.
func (s *simulatedService) begin(number int) *simulatedScan {
	random := rand.New(rand.NewPCG(7, uint64(number)))
	scan := &simulatedScan{root: fmt.Sprintf("%032x", number), begin: time.Now()}
	for i := range s.uuids {
		start := time.Duration(random.Float64() * float64(10*time.Minute))
		end := start + time.Duration(min(120, 15*math.Exp(0.8*random.NormFloat64()))*float64(time.Minute))
		scan.start, scan.end = append(scan.start, start), append(scan.end, end)
		scan.leaves = append(scan.leaves, fmt.Sprintf("%016x%016x", number, i+1))
		scan.last = max(scan.last, end)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scans = slices.Insert(s.scans, 0, scan)
	return scan
}

// made returns how many calls there were, and how many of them were too many.
func (s *simulatedService) made() (calls, tooMany int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.total, s.calls.tooMany
}

// failures returns how many servers' scans fail in each task.
func (s *simulatedService) failures() (servers int) {
	for i := range s.uuids {
		if failsInSimulation(i) {
			servers++
		}
	}
	return servers
}

func failsInSimulation(server int) bool { return server%20 == 7 }

// called counts a call and lets its time pass.
func (s *simulatedService) called(ctx context.Context) ([]*simulatedScan, error) {
	s.mu.Lock()
	s.calls.add(time.Now())
	s.mu.Unlock()
	if !sleep(ctx, simulatedLatency) {
		return nil, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scans, nil
}

// OnceTasks implements discovery.API.
func (s *simulatedService) OnceTasks(ctx context.Context, _ sas.TaskQuery) (*sas.Page[sas.Task], error) {
	scans, err := s.called(ctx)
	if err != nil {
		return nil, err
	}
	page := &sas.Page[sas.Task]{Entries: len(scans), Total: int64(len(scans))}
	for _, scan := range scans {
		task := sas.Task{ID: scan.root, Status: "PROCESSING", Start: scan.begin, Total: int64(len(s.uuids))}
		if ended := scan.begin.Add(scan.last); !ended.After(time.Now()) {
			task.Status, task.End = "SUCCESS", ended
		}
		page.Items = append(page.Items, task)
	}
	return page, nil
}

// Instances implements discovery.API.
func (s *simulatedService) Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error) {
	if _, err := s.called(ctx); err != nil {
		return nil, err
	}
	first, _ := strconv.Atoi(cmp.Or(q.Token, "0"))
	last := min(first+q.Size, len(s.uuids))
	page := &sas.Page[sas.Instance]{Entries: last - first, Total: -1}
	for i := first; i < last; i++ {
		page.Items = append(page.Items, sas.Instance{UUID: s.uuids[i]})
	}
	if last < len(s.uuids) {
		page.NextToken = strconv.Itoa(last)
	}
	return page, nil
}

// ServerScans implements discovery.ScanAPI.
func (s *simulatedService) ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	scans, err := s.called(ctx)
	if err != nil {
		return nil, err
	}
	page := &sas.Page[sas.ServerScan]{Total: int64(len(s.uuids))}
	for _, scan := range scans {
		if scan.root == q.TaskID {
			first := min((q.Number-1)*q.Size, len(s.uuids))
			for i := first; i < min(first+q.Size, len(s.uuids)); i++ {
				page.Items = append(page.Items, sas.ServerScan{TaskID: strings.Clone(scan.leaves[i]), UUID: s.uuids[i], Status: scan.status(i)})
			}
		}
	}
	page.Entries = len(page.Items)
	return page, nil
}

// status returns how far the scan of a server is now.
func (s *simulatedScan) status(server int) float64 {
	switch at := time.Since(s.begin); {
	case at < s.start[server]:
		return sas.ScanNotStarted
	case at < s.end[server]:
		return sas.ScanStarted
	case failsInSimulation(server):
		return sas.ScanFailed
	}
	return sas.ScanCompleted
}

// VulCheckTaskStatusDetail implements API.
func (s *simulatedService) VulCheckTaskStatusDetail(ctx context.Context, q sas.Query) (*sas.Answer, error) {
	scans, err := s.called(ctx)
	if err != nil {
		return nil, err
	}
	answer, server := &sas.Answer{RequestID: "R"}, s.place[q.UUID]
	for _, scan := range scans {
		if slices.Contains(q.TaskIDs, scan.root) {
			answer.Subtasks = append(answer.Subtasks, scan.subtasks(server)...)
		}
	}
	answer.TotalCount = int64(len(answer.Subtasks))
	return answer, nil
}

func (s *simulatedScan) subtasks(server int) []sas.Subtask {
	list := make([]sas.Subtask, len(simulatedTypes))
	at, start, end := time.Since(s.begin), s.start[server], s.end[server]
	for i, typ := range simulatedTypes {
		list[i] = sas.Subtask{TaskID: s.root, Type: typ}
		switch {
		case at >= end:
			list[i].Status = sas.StatusComplete
		case at >= start:
			list[i].Status = 1 + math.Floor(3*float64(at-start)/float64(end-start))
		}
	}
	if at >= end && failsInSimulation(server) {
		list[0].Code = "push_command_failed"
	}
	return list
}

// Close implements API.
func (s *simulatedService) Close() {}

// callLog sees how many calls there are in a second.
type callLog struct {
	total   int
	most    []time.Time // the last calls, as many as one second may see: a ring
	tooMany int         // calls that were one too many in their second
}

func (l *callLog) add(now time.Time) {
	if first := l.most[l.total%len(l.most)]; !first.IsZero() && now.Sub(first) < time.Second {
		l.tooMany++
	}
	l.most[l.total%len(l.most)] = now
	l.total++
}
