package poll

import (
	"context"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// findings are what discovery found and nobody has adopted yet.
type findings struct {
	found    *discovery.Found
	lists    []discovery.ServerScans
	retarget bool // an offline server is to be watched from now on, or not any more
}

// discover begins to discover, if the account is to. stop ends it, and returns when nothing of it
// runs any more.
func (a *account) discover(ctx context.Context) (stop func()) {
	c := a.config.Discovery
	if c.Tasks == nil && c.Servers == nil {
		return func() {}
	}
	paced := &pacedAPI{of: a}
	o := discovery.Options{ // of what is known now: adopt changes it
		Account: a.config.Name, Tasks: c.Tasks, Servers: c.Servers, Types: a.config.Types,
		API: paced, Logger: a.options.Logger, Known: a.found, Scans: a.scanOptions(paced),
		Found: func(found discovery.Found) { a.find(func(f *findings) { f.found = &found }) },
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { discovery.Run(ctx, o) })
	running.Go(func() { a.adopt(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// find adds to what is to be adopted.
func (a *account) find(add func(*findings)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	add(&a.findings)
	signal(a.someFound)
}

// lookForTargets has the account's targets be found out again. It is called with a.mu held.
func (a *account) lookForTargets() {
	a.findings.retarget = true
	signal(a.someFound)
}

// signal wakes who waits for a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// adopt takes over what is found, until the context ends. Reading the state for it may take long,
// which discovery must not wait for.
func (a *account) adopt(ctx context.Context) {
	confirm := time.NewTicker(a.confirmInterval())
	defer confirm.Stop()
	for replan := false; ; {
		a.mu.Lock()
		f := a.findings
		a.findings = findings{}
		a.mu.Unlock()
		if f.found != nil {
			a.discovered(*f.found)
		}
		if f.retarget {
			a.retarget(a.found)
		}
		a.mu.Lock()
		for _, r := range f.lists { // of tasks that were found before
			a.listRead(r)
		}
		a.lookForOffline()
		// Of a large fleet this takes a while: not whenever tasks were read.
		if now := a.now(); replan || len(f.lists) > 0 || a.listsComplete(now) != a.guided {
			a.replan(now)
		}
		a.unlock()
		signal(a.wake)
		select {
		case <-a.someFound:
			replan = false
		case <-confirm.C:
			replan = true
		case <-ctx.Done():
			return
		}
	}
}

// confirmInterval is how often it is confirmed that what is known of servers is not stale, however
// seldom tasks and lists are read.
func (a *account) confirmInterval() time.Duration {
	if a.config.StaleAfter == 0 {
		return listFresh
	}
	return max(a.config.StaleAfter/4, time.Second)
}

// discovered takes what was found: new servers and tasks are polled, those that went are not any
// more.
func (a *account) discovered(found discovery.Found) {
	if !sameTargets(a.found, found) {
		a.retarget(found)
		return
	}
	a.mu.Lock()
	defer a.unlock()
	// The servers known so far let the memory of the new list go.
	found.Servers.Items, found.Offline = a.found.Servers.Items, a.found.Offline
	a.found = found
}

// pacedAPI makes discovery's calls within the account's quota. The lists of tasks and of servers
// let polls go first, as long as they can still be read within half of their refresh interval.
type pacedAPI struct {
	of                     *account
	tasksWait, serversWait time.Time // until when
}

// OnceTasks implements discovery.API.
func (p *pacedAPI) OnceTasks(ctx context.Context, q sas.TaskQuery) (*sas.Page[sas.Task], error) {
	if q.Number <= 1 {
		p.tasksWait = p.of.now().Add(p.of.config.Discovery.Tasks.RefreshInterval / 2)
	}
	return listedPage(ctx, p.of, forTarget, p.tasksWait, func() (*sas.Page[sas.Task], error) { return p.of.api.OnceTasks(ctx, q) })
}

// Instances implements discovery.API.
func (p *pacedAPI) Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error) {
	if q.Number <= 1 && q.Token == "" {
		p.serversWait = p.of.now().Add(p.of.config.Discovery.Servers.RefreshInterval / 2)
	}
	return listedPage(ctx, p.of, forTarget, p.serversWait, func() (*sas.Page[sas.Instance], error) { return p.of.api.Instances(ctx, q) })
}

// ServerScans implements discovery.ScanAPI. While polls wait it takes at most every second call.
func (p *pacedAPI) ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	return listedPage(ctx, p.of, forList, time.Time{}, func() (*sas.Page[sas.ServerScan], error) { return p.of.api.ServerScans(ctx, q) })
}

// listedPage asks for a page of a list. Its failure says nothing of other operations: the account's
// polling goes on.
func listedPage[T any](ctx context.Context, a *account, what purpose, behindPolls time.Time, send func() (*sas.Page[T], error)) (*sas.Page[T], error) {
	page, failed := call(a, func() bool { return a.turn(ctx, what, behindPolls, false) }, send)
	if failed != nil {
		return nil, failed
	}
	a.options.Events.Anomalies(a.config.Name, page.Anomalies)
	return page, nil
}
