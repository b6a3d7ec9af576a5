package collector

import (
	"context"
	"errors"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// discover begins to discover, if the account is to. stop ends it, and returns
// when nothing of it runs any more.
func (a *account) discover(ctx context.Context) (stop func()) {
	if a.discoveredKinds() == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		discovery.Run(ctx, discovery.Options{
			Account: a.config.Name, Tasks: a.config.Discovery.Tasks, Servers: a.config.Discovery.Servers, Types: a.config.Types,
			API: &pacedDiscovery{account: a}, Logger: a.plainLogger, Known: a.found, Found: a.discovered,
		})
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// discoveredKinds is how many kinds of lists the account discovers.
func (a *account) discoveredKinds() (kinds int) {
	if a.config.Discovery.Tasks != nil {
		kinds++
	}
	if a.config.Discovery.Servers != nil {
		kinds++
	}
	return kinds
}

// undiscovered is how many lists were not yet tried to read. It is called with
// a.mu held.
func (a *account) undiscovered() (kinds int) {
	tasks, servers := a.found.Tasks, a.found.Servers
	if a.config.Discovery.Tasks != nil && tasks.At.IsZero() && tasks.Err == nil {
		kinds++
	}
	if a.config.Discovery.Servers != nil && servers.At.IsZero() && servers.Err == nil {
		kinds++
	}
	return kinds
}

// discovered takes what was found: new servers and tasks are polled, those that
// went are not any more.
func (a *account) discovered(found discovery.Found) {
	a.mu.Lock()
	before := a.found
	a.found = found
	known := byKey(a.servers)
	a.mu.Unlock()
	if !sameTargets(before, found) {
		list := targets(a.config, found, a.owns)
		a.retarget(list, a.keptState(list, known))
	}
	a.poke()
}

// pacedDiscovery makes discovery's calls within the account's quota. They come
// after polls that wait for it too, as long as the list can still be read
// within half of its refresh interval.
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
	return discoveredPage(ctx, d.account, patience, func() (*sas.Page[sas.Task], error) { return d.account.api.OnceTasks(ctx, q) })
}

// Instances implements discovery.API.
func (d *pacedDiscovery) Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error) {
	patience := d.patience(sas.ActionInstances, q.Number <= 1 && q.Token == "", d.account.config.Discovery.Servers.RefreshInterval)
	return discoveredPage(ctx, d.account, patience, func() (*sas.Page[sas.Instance], error) { return d.account.api.Instances(ctx, q) })
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

// discoveredPage makes a call, again where the failure says that this helps. Its
// failure says nothing of other operations: the account's polling goes on.
func discoveredPage[T any](ctx context.Context, a *account, patience time.Duration, send func() (*sas.Page[T], error)) (*sas.Page[T], error) {
	for attempt := 1; ; attempt++ {
		if a.quota.waitBehind(ctx, patience) != nil || a.isRefused() {
			return nil, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
		}
		sent := time.Now()
		page, err := send()
		if err == nil {
			a.quota.succeeded(time.Now())
			a.metrics.anomalies(a.config.Name, page.Anomalies)
			return page, nil
		}
		if !a.again(err, sent, attempt) {
			return nil, err
		}
	}
}

// again tells the quota of a failure, and says whether to try once more.
func (a *account) again(err error, sent time.Time, attempt int) bool {
	failed, ok := errors.AsType[*sas.Error](err)
	if !ok {
		return false
	}
	if failed.Class == sas.Throttled {
		a.quota.throttled(sent, time.Now(), failed.RetryAfter)
		return attempt < maxAttempts
	}
	return failed.Again && attempt == 1
}

func (a *account) isRefused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}
