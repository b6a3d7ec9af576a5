package collector

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/state"
)

// Options configure a Collector.
type Options struct {
	// Connect makes the client of an account. observe is to be told the
	// result and duration of every request that it sends.
	Connect func(account config.Account, observe func(action, result string, took time.Duration)) API
	Logger  log.Logger
	// State keeps what is known over restarts; nil: nothing does. The Collector
	// does not close it.
	State State
	// Owns says which discovered servers are this process's; nil: all.
	Owns func(uuid string) bool
	// Once makes the collector try every server once and then stop polling.
	Once bool
}

// Collector polls the servers of a configuration. As a prometheus.Collector it
// gives what concerns accounts as a whole; Fleet and Families give what it
// knows of servers.
type Collector struct {
	options Options
	metrics *metrics
	descs   accountDescs
	kept    texts
	keeper  *keeper // nil without a State

	overviews overviews

	applying sync.Mutex // one Apply or Close at a time
	closed   bool

	mu         sync.RWMutex
	accounts   []*account
	labelNames []string // configured labels of all servers
}

// New makes a Collector without accounts: Apply gives it some.
func New(o Options) *Collector {
	c := &Collector{options: o, metrics: newMetrics(), descs: newAccountDescs()}
	if o.State != nil {
		c.keeper = newKeeper(o.State, c.keys)
	}
	return c
}

// Apply makes a configuration the running one. Accounts that did not change go
// on undisturbed; of those that did, what stays configured keeps its values
// and counters; what left is gone from the next scrape on. After Close it does
// nothing.
func (c *Collector) Apply(cfg *config.Config) {
	c.applying.Lock()
	defer c.applying.Unlock()
	if c.closed {
		return
	}
	before := make(map[string]*account)
	for _, a := range c.accounts {
		before[a.config.Name] = a
	}
	var accounts, fresh []*account
	for _, ac := range cfg.Accounts {
		old := before[ac.Name]
		delete(before, ac.Name)
		if old != nil && reflect.DeepEqual(old.config, ac) {
			accounts = append(accounts, old)
			continue
		}
		if old != nil {
			old.stop()
		}
		c.flush() // so that all is known that was found
		a := newAccount(ac, old, c.options, c.metrics, c.keeper)
		accounts, fresh = append(accounts, a), append(fresh, a)
	}
	c.mu.Lock()
	c.accounts, c.labelNames = accounts, cfg.LabelNames()
	c.mu.Unlock()
	c.kept.retain(accounts, cfg.LabelNames())
	for name, gone := range before {
		gone.stop()
		c.flush()
		c.metrics.removeAccount(name)
	}
	if c.keeper != nil {
		c.keeper.start()
	}
	for _, a := range fresh {
		a.start()
	}
}

// flush publishes everything that was found.
func (c *Collector) flush() {
	if c.keeper != nil {
		c.keeper.flush()
	}
}

// keys are the watched servers, as the state knows them.
func (c *Collector) keys() map[state.Key]bool {
	keys := make(map[state.Key]bool)
	for _, a := range c.running() {
		for _, r := range a.records() {
			keys[state.Key{Account: a.config.Name, UUID: r.server.UUID}] = true
		}
	}
	return keys
}

// Close stops polling for good: it cancels the calls in flight and waits for
// them. What is known can still be collected.
func (c *Collector) Close() {
	c.applying.Lock()
	defer c.applying.Unlock()
	c.closed = true
	for _, a := range c.running() {
		a.cancel()
	}
	for _, a := range c.running() {
		a.stop()
	}
	if c.keeper == nil {
		return
	}
	for _, a := range c.running() {
		c.keeper.restamp(a)
	}
	c.keeper.close()
}

// Wait returns when polling has ended by itself, which it does only with
// Options.Once, and everything that it found can be collected.
func (c *Collector) Wait() {
	for _, a := range c.running() {
		<-a.done
	}
	c.flush()
}

func (c *Collector) running() []*account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.accounts
}

// watched gives the running accounts, and the label names that their servers
// are configured with.
func (c *Collector) watched() ([]*account, []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.accounts, c.labelNames
}

// Summary counts the watched servers, of one account or of all.
type Summary struct {
	Account string
	// OK and Failing servers are told apart by their last poll, Pending ones
	// were not polled yet.
	OK, Failing, Pending int
	// Waiting are the Pending servers that polling will still come to: not
	// those of refused accounts, nor those without a task to ask for.
	Waiting int
	// Undiscovered are the lists, of servers and of tasks, that were not yet
	// tried to read; Incomplete those that could not be read completely.
	Undiscovered, Incomplete int
	// Refused says that the account's credentials are not accepted.
	Refused bool
}

// Servers is the number of servers watched.
func (s Summary) Servers() int { return s.OK + s.Failing + s.Pending }

// Summaries gives a Summary of each account, in the configuration's order.
func (c *Collector) Summaries() []Summary {
	now := time.Now()
	accounts := c.running()
	list := make([]Summary, 0, len(accounts))
	for _, a := range accounts {
		list = append(list, a.summary(now))
	}
	return list
}

func (a *account) summary(now time.Time) Summary {
	return a.summaryOf(a.sum(slices.Values(a.totals.current(now))))
}

func (a *account) summaryOf(t *totals) Summary {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Summary{Account: a.config.Name, OK: t.ok, Failing: t.failing, Pending: t.pending, Refused: a.refused}
	if !a.refused {
		s.Waiting, s.Undiscovered = t.askable, a.undiscovered()
	}
	for _, err := range []error{a.found.Tasks.Err, a.found.Servers.Err} {
		if err != nil {
			s.Incomplete++
		}
	}
	return s
}
