package poll

import (
	"context"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// discover begins to discover, if the account is to. stop ends it, and returns when nothing of it
// runs any more.
func (a *account) discover(ctx context.Context) (stop func()) {
	if a.config.Discovery.Tasks == nil && a.config.Discovery.Servers == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	found, read := make(chan discovery.Found, 1), newReadings()
	var running sync.WaitGroup
	running.Go(func() {
		discovery.Run(ctx, discovery.Options{
			Account: a.config.Name, Tasks: a.config.Discovery.Tasks, Servers: a.config.Discovery.Servers, Types: a.config.Types,
			API: &pacedDiscovery{account: a}, Logger: a.options.Logger, Known: a.found,
			Found: func(f discovery.Found) { replace(found, f) },
			Scans: a.scanOptions(read.add),
		})
	})
	running.Go(func() {
		confirm := time.NewTicker(a.confirmInterval())
		defer confirm.Stop()
		for {
			select {
			case f := <-found:
				a.discovered(f)
			case <-read.some:
				select { // the tasks were found before their lists were read
				case f := <-found:
					a.discovered(f)
				default:
				}
				for _, r := range read.take() {
					a.listRead(r)
				}
			case <-a.retargets:
				a.retarget(a.lastFound())
				a.look()
			case <-confirm.C:
				a.mu.Lock()
				a.replan(a.now())
				a.unlock()
				a.look()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
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

// readings hold the results of reading lists until somebody takes them.
type readings struct {
	some chan struct{} // there are any

	mu   sync.Mutex
	list []discovery.ServerScans
}

func newReadings() *readings { return &readings{some: make(chan struct{}, 1)} }

func (r *readings) add(result discovery.ServerScans) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, result)
	select {
	case r.some <- struct{}{}:
	default:
	}
}

func (r *readings) take() []discovery.ServerScans {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// lookForTargets has the account's targets be found out again.
func (a *account) lookForTargets() {
	select {
	case a.retargets <- struct{}{}:
	default:
	}
}

func (a *account) lastFound() discovery.Found {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found
}

// replace puts what was found last into a channel that has room for one. Only one goroutine may
// call it.
func replace(c chan discovery.Found, f discovery.Found) {
	select {
	case <-c:
	default:
	}
	c <- f
}

// discovered takes what was found: new servers and tasks are polled, those that went are not any
// more.
func (a *account) discovered(found discovery.Found) {
	a.mu.Lock()
	same := sameTargets(a.found, found)
	if same { // the servers known so far let the memory of the new list go
		found.Servers.Items, found.Offline = a.found.Servers.Items, a.found.Offline
		a.found = found
		a.review(a.now())
		a.lookForOffline()
	}
	a.unlock()
	if !same {
		a.retarget(found)
	}
	a.look()
}

// pacedDiscovery makes discovery's calls within the account's quota. They come after polls that
// wait for it too, as long as the list can still be read within half of its refresh interval.
type pacedDiscovery struct {
	account *account

	mu    sync.Mutex
	pages map[string]*pageCount // by action
}

// pageCount is how many pages a list has.
type pageCount struct{ last, now int }

// OnceTasks implements discovery.API.
func (d *pacedDiscovery) OnceTasks(ctx context.Context, q sas.TaskQuery) (*sas.Page[sas.Task], error) {
	patience := d.patience(sas.ActionOnceTask, q.Number <= 1, d.account.config.Discovery.Tasks.RefreshInterval)
	return listedPage(ctx, d.account, forTarget, d.account.now().Add(patience), func() (*sas.Page[sas.Task], error) { return d.account.api.OnceTasks(ctx, q) })
}

// Instances implements discovery.API.
func (d *pacedDiscovery) Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error) {
	patience := d.patience(sas.ActionInstances, q.Number <= 1 && q.Token == "", d.account.config.Discovery.Servers.RefreshInterval)
	return listedPage(ctx, d.account, forTarget, d.account.now().Add(patience), func() (*sas.Page[sas.Instance], error) { return d.account.api.Instances(ctx, q) })
}

// patience is how long a page's call lets polls go first.
func (d *pacedDiscovery) patience(action string, first bool, interval time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pages == nil {
		d.pages = make(map[string]*pageCount)
	}
	n := d.pages[action]
	if n == nil {
		n = &pageCount{}
		d.pages[action] = n
	}
	if first {
		n.last, n.now = n.now, 0
	}
	n.now++
	return interval / 2 / time.Duration(max(n.last, n.now)+1)
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
