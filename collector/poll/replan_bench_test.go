package poll

import (
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// BenchmarkListRead takes what the list of a task says of 100,000 servers, of which one in a
// hundred has got further since the list before.
func BenchmarkListRead(b *testing.B) {
	a, list := guidedAccount(100_000)
	b.ReportAllocs()
	for b.Loop() {
		moved := (int(list.Scans[0].Status) + 1) % 100
		for i := range list.Scans {
			if i%100 == moved {
				list.Scans[i].Status = float64((int(list.Scans[i].Status) + 1) % 5)
			}
		}
		list.Began, list.At = time.Now(), time.Now()
		readList(a, list)
	}
}

// BenchmarkReplan puts 100,000 servers into the queue anew.
func BenchmarkReplan(b *testing.B) {
	a, _ := guidedAccount(100_000)
	b.ReportAllocs()
	for b.Loop() {
		replan(a)
	}
}

// guidedAccount returns an account that does not run, with servers that have been polled while a
// task scans all of them, and the last list of that task.
func guidedAccount(servers int) (*account, discovery.ServerScans) {
	service := newSimulatedService(servers, 10)
	task := service.begin(1)
	c := simulatedAccount(service, true)
	a := newAccount(c, &Options{
		Store: scan.NewStore(), Clock: scan.NewClock(time.Now), Events: noEvents{}, Logger: log.NewNopLogger(),
		Connect: func(config.Account, func(string, string, time.Duration)) API { return service },
	}, nil)
	a.configure(c)
	running := sas.Task{ID: task.root, Status: "PROCESSING", Start: task.begin}
	a.retarget(discovery.Found{Tasks: discovery.List[sas.Task]{Items: []sas.Task{running}, At: time.Now()}})
	list := discovery.ServerScans{Task: running, Began: time.Now(), At: time.Now()}
	for i, uuid := range service.uuids {
		list.Scans = append(list.Scans, sas.ServerScan{TaskID: task.leaves[i], UUID: uuid, Status: sas.ScanStarted})
	}
	readList(a, list)
	for i, s := range a.order {
		s.polling, s.asking = true, s.latest.Target
		a.inFlight++
		answer := &sas.Answer{RequestID: "R", Subtasks: task.subtasks(i), TotalCount: 4}
		a.finish(s, time.Now(), []scan.CallResult{{Answer: answer}}, nil)
	}
	return a, list
}

// readList has an account that does not run adopt the list of a task.
func readList(a *account, list discovery.ServerScans) {
	a.mu.Lock()
	a.listRead(list)
	a.unlock()
	replan(a)
}

func replan(a *account) {
	a.mu.Lock()
	defer a.unlock()
	a.replan(time.Now())
}
