package poll

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/state"
)

// API is what polling needs of Security Center; *sas.Client is one.
type API interface {
	discovery.API
	discovery.ScanAPI
	// VulCheckTaskStatusDetail makes one attempt. Its error is a *sas.Error.
	VulCheckTaskStatusDetail(ctx context.Context, q sas.Query) (*sas.Answer, error)
	// Close frees idle connections.
	Close()
}

// Events is told what happens, for counters, and of accounts and types before anything does. It must
// be safe for concurrent use; collector.Events says more.
type Events interface {
	Watch(c *config.Account)
	WatchTypes(account string, types []string)
	Forget(account string)
	Call(account, action, result string, took time.Duration)
	Anomalies(account string, counts map[sas.Anomaly]int)
	ScanFailures(account, typ string, count float64)
	ScanEnded(account, typ, taskID string, took time.Duration)
}

// State keeps what is known over restarts; *state.Store is one. It logs its own troubles.
type State interface {
	Restore(account string) (map[string]scan.Record, error)
	Save(batch []state.Entry, step time.Duration) error
	Sweep(watched func(state.Key) bool, now scan.Instant) (dropped int, err error)
}

// Options configure a Poller.
type Options struct {
	Store  *scan.Store
	Clock  *scan.Clock
	Events Events
	Logger log.Logger
	// Connect makes the client of an account. observe is to be told the result and duration of
	// every request that it sends.
	Connect func(account config.Account, observe func(action, result string, took time.Duration)) API
	// State keeps what is known over restarts; nil: nothing does. The Poller does not close it.
	State State
	// Owns says which servers are this process's; nil: all.
	Owns func(uuid string) bool
	// Once makes the Poller try every server once and then stop polling.
	Once bool
}

// Poller polls the servers of a configuration.
type Poller struct {
	options Options
	writer  *stateWriter // nil without a State

	applying sync.Mutex // one Apply or Close at a time
	closed   bool

	mu       sync.Mutex
	accounts []*account
}

// New returns a Poller without accounts: Apply gives it some.
func New(o Options) *Poller {
	p := &Poller{options: o}
	if o.State != nil {
		p.writer = newStateWriter(o.State, o.Clock, p.running)
	}
	return p
}

// Apply makes a configuration the running one. Accounts that did not change go on undisturbed; of
// those that did, what stays configured keeps its values and counters; what left is gone from the
// next scrape on. After Close it does nothing.
func (p *Poller) Apply(cfg *config.Config) {
	p.applying.Lock()
	defer p.applying.Unlock()
	if p.closed {
		return
	}
	before := make(map[string]*account)
	for _, a := range p.running() {
		before[a.config.Name] = a
	}
	var accounts, fresh []*account
	content := &scan.Content{Labels: cfg.LabelNames()}
	for _, c := range cfg.Accounts {
		a := before[c.Name]
		delete(before, c.Name)
		if a == nil || !reflect.DeepEqual(a.config, c) {
			if a == nil {
				a = newAccount(c, &p.options, p.writer)
			} else {
				p.stop(a)
			}
			a.configure(c)
			fresh = append(fresh, a)
		}
		accounts, content.Accounts = append(accounts, a), append(content.Accounts, a.published)
	}
	p.mu.Lock()
	p.accounts = accounts
	p.mu.Unlock()
	p.options.Store.Replace(content)
	for _, gone := range before {
		p.stop(gone)
		p.options.Events.Forget(gone.config.Name)
	}
	if p.writer != nil {
		p.writer.start()
	}
	for _, a := range fresh {
		a.start()
	}
}

// stop ends the polling of an account, and publishes all that it found.
func (p *Poller) stop(a *account) {
	a.stop()
	p.flush()
}

// flush publishes everything that was found.
func (p *Poller) flush() {
	if p.writer != nil {
		p.writer.flush()
	}
}

func (p *Poller) running() []*account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accounts
}

// Close stops polling for good: it cancels the calls in flight and waits for them. What is known
// stays in the Store.
func (p *Poller) Close() {
	p.applying.Lock()
	defer p.applying.Unlock()
	p.closed = true
	for _, a := range p.running() {
		a.cancel()
	}
	for _, a := range p.running() {
		a.stop()
	}
	if p.writer != nil {
		p.writer.close()
	}
}

// Wait returns when polling has ended by itself, which it does only with Options.Once, and
// everything that it found is published.
func (p *Poller) Wait() {
	for _, a := range p.running() {
		a.running.Wait()
	}
	p.flush()
}
