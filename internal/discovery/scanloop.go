package discovery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/internal/sas"
)

// resultUnnamed stands for a list that was read to its end and names no server.
const resultUnnamed = "no_servers_named"

// ScanOptions say how the lists of the tasks' servers are read.
type ScanOptions struct {
	API ScanAPI
	// Interval is the shortest time between the beginnings of two readings of one task's list.
	Interval time.Duration
	// Known are the results of an earlier Run, for instance before a reload. A list that was read
	// after its task's end is not read again.
	Known []ServerScans
	// Told is called with the result of every reading. Its calls do not overlap each other, but may
	// overlap those of Options.Found. It must not block.
	Told func(ServerScans)
}

// ServerScans is the result of one reading of a task's list of servers.
type ServerScans struct {
	// Task is as it was listed when the reading began.
	Task sas.Task
	// Scans are all scans of the task; nil if Err is set. They must not be changed.
	Scans []sas.ServerScan
	// Began and At are when the reading began and ended. The state of a scan is that of some moment
	// between them.
	Began, At time.Time
	// Anomalies counts what was odd about the list as a whole, not what the pages count themselves.
	Anomalies map[sas.Anomaly]int
	// Err says why the list cannot be relied upon; it then tells nothing.
	Err error
}

// Final reports whether the list is complete and cannot change any more.
func (r ServerScans) Final() bool { return r.Err == nil && r.Task.Ended() }

// scanLoop reads the lists of the tasks that are followed: those of running tasks again and again,
// and every one once after its task's end.
type scanLoop struct {
	account string
	options ScanOptions
	logger  log.Logger
	logged  string // the condition that was logged last

	wake chan struct{} // the tasks have changed

	mu     sync.Mutex
	latest []sas.Task // that are followed

	tasks []scanState // used by the loop alone
}

func newScanLoop(o Options) *scanLoop {
	l := &scanLoop{
		account: o.Account, logger: log.With(o.Logger, "account", o.Account, "kind", "server_scans"),
		wake: make(chan struct{}, 1), latest: o.Known.Tasks.Items,
	}
	if o.Scans == nil {
		return l
	}
	l.options = *o.Scans
	l.options.Interval = max(l.options.Interval, leastPause)
	for _, r := range l.options.Known {
		l.tasks = append(l.tasks, scanState{task: r.Task, began: r.Began, err: r.Err, final: r.Final()})
	}
	return l
}

// follow tells the loop which tasks there are.
func (l *scanLoop) follow(tasks []sas.Task) {
	l.mu.Lock()
	l.latest = tasks
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run reads lists until the context ends, one after the other.
func (l *scanLoop) run(ctx context.Context) {
	for ctx.Err() == nil {
		l.adopt()
		next, at := nextReading(l.tasks, l.options.Interval, time.Now())
		if next != nil && !at.After(time.Now()) {
			l.read(ctx, next)
			continue
		}
		l.wait(ctx, next != nil, at)
	}
}

// wait waits for the tasks to change or, if something is due, until then.
func (l *scanLoop) wait(ctx context.Context, something bool, at time.Time) {
	var due <-chan time.Time
	if something {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-l.wake:
	case <-ctx.Done():
	}
}

// adopt takes over the tasks that are followed now.
func (l *scanLoop) adopt() {
	l.mu.Lock()
	latest := l.latest
	l.mu.Unlock()
	before := make(map[string]scanState, len(l.tasks))
	for _, s := range l.tasks {
		before[s.task.ID] = s
	}
	tasks := make([]scanState, len(latest))
	for i, t := range latest {
		tasks[i] = before[t.ID]
		tasks[i].task = t
	}
	l.tasks = tasks
}

// read reads one list and tells its result.
func (l *scanLoop) read(ctx context.Context, s *scanState) {
	r := ServerScans{Task: s.task, Began: time.Now()}
	r.Scans, r.Anomalies, r.Err = ReadServerScans(ctx, l.options.API, l.account, s.task.ID)
	if ctx.Err() != nil {
		return
	}
	r.At = time.Now()
	s.began, s.err, s.final = r.Began, r.Err, r.Final()
	if class, _ := failureOf(r.Err); r.Err != nil && s.task.Ended() && class != sas.Canceled {
		s.attempts++
	}
	if r.Err == nil && !slices.ContainsFunc(r.Scans, sas.ServerScan.NamesServer) {
		s.err = &incomplete{resultUnnamed, "the list names no server"}
		s.unnamed++
	} else {
		s.unnamed = 0
	}
	l.report(r, s.err)
	l.options.Told(r)
}

// report logs when the lists begin and cease to be of use. Several tasks may fail in different
// ways: the condition is the set of all these ways.
func (l *scanLoop) report(r ServerScans, err error) {
	logger := log.With(l.logger, "task_id", r.Task.ID)
	if class, _ := failureOf(err); err != nil && class == sas.Canceled {
		level.Debug(logger).Log("msg", "the list of a task's servers was not read", "err", brief(err))
		return
	}
	var ways []string
	for _, s := range l.tasks {
		if class, result := failureOf(s.err); s.err != nil && class != sas.Canceled && !slices.Contains(ways, result) {
			ways = append(ways, result)
		}
	}
	slices.Sort(ways)
	now := strings.Join(ways, ",")
	changed := now != l.logged
	l.logged = now
	switch {
	case now == "" && changed:
		level.Info(logger).Log("msg", "the lists of the tasks' servers are of use again", "servers", len(r.Scans))
	case err == nil:
		level.Debug(logger).Log("msg", "the list of a task's servers is complete", "servers", len(r.Scans), "took", r.At.Sub(r.Began))
	case changed:
		level.Warn(logger).Log("msg", "the list of a task's servers is of no use: its servers are polled as without it", "result", now, "err", brief(err))
	default:
		level.Debug(logger).Log("msg", "the list of a task's servers is of no use", "result", now, "err", brief(err))
	}
}
