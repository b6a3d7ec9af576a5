package poll

import (
	"context"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// maxTaskIDs is the most task IDs that travel in one call. No limit is documented; 50 IDs of 32
	// characters keep the URL well under 8 KB.
	maxTaskIDs = 50
	// maxCodes and maxTypes bound the distinct codes and types of an account that become labels.
	maxCodes, maxTypes = 200, 20
)

// server is one watched server and its place in the schedule.
type server struct {
	entry     *scan.Entry  // what is published of it
	latest    *scan.Record // what polls know
	covered   bool         // the lists of discovered tasks tell of all that it is asked for
	offline   bool         // online_only alone would keep it out
	due       time.Time
	dueAlone  time.Time    // when it is due as far as its own polls tell
	started   time.Time    // start of the last poll
	asking    *scan.Target // what the last poll asked for
	asked     *scan.Target // what the last one that succeeded did; nil: there was none yet
	news      rank         // what lists say that no poll has looked at; noNews: nothing
	newsAt    time.Time    // since when there is news of this rank
	began     time.Time    // when the scan began that the news is of; zero: not known
	newsRead  time.Time    // polls that started before have not looked at all of it
	failures  int          // failed polls in a row
	polling   bool         // it is not in the queue
	probe     bool         // the poll under way tries whether credentials are accepted again
	askedAnew bool         // while it is polled, it came to be asked something else
	gone      bool         // it is no server of the account any more
	savedAt   scan.Instant // the last success that the state has; -1: not all that is known was saved
}

// account is one account: its servers, its quota and its polling. Accounts share nothing, so that
// one that hangs or is refused delays no other.
type account struct {
	options   *Options
	published *scan.Account
	writer    *stateWriter // nil: nothing is kept over restarts
	limiter   *limiter
	policy    scan.CodePolicy
	logger    log.Logger
	wake      chan struct{} // look at the queue again
	someFound chan struct{} // there is something to adopt

	// These are set by configure and start, while nothing runs.
	config config.Account
	api    API
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	servers  map[string]*server // by key
	order    []*server          // the same, in the order of the configuration and the lists
	starts   map[string]scan.Instant
	found    discovery.Found // only who adopts changes it
	findings findings
	lists    map[string]*taskList // by task ID
	statuses []scan.ListStatus    // what is published of lists
	guided   bool                 // the lists say all that there is to say
	unnamed  bool                 // one of them names servers that are not known; it was logged
	kinds    taskIDKinds
	queue    queue
	inFlight int
	breaker  breaker
	failing  map[string]int // servers whose last poll failed, by result
	notices  []func(log.Logger)
}

func newAccount(c config.Account, o *Options, w *stateWriter) *account {
	a := &account{
		options: o, writer: w, logger: log.With(o.Logger, "account", c.Name), wake: make(chan struct{}, 1),
		someFound: make(chan struct{}, 1), lists: make(map[string]*taskList), servers: make(map[string]*server), failing: make(map[string]int),
	}
	// Results of calls that are no codes of the API's have labels in any case, so that no flood of
	// codes can hide a timeout, and so have documented types.
	a.policy.Codes = scan.NewLabelSet(maxCodes, sas.ResultOK, sas.ResultTimeout, sas.ResultConnection, sas.ResultCanceled,
		sas.ResultResponse, sas.ResultCredentials)
	a.policy.Types = scan.NewLabelSet(maxTypes, config.Types()...)
	a.policy.TaskStart = func(taskID string) scan.Instant { return a.starts[taskID] }
	a.policy.Bounded = func(limit sas.Anomaly) { o.Events.Anomalies(c.Name, map[sas.Anomaly]int{limit: 1}) }
	a.published = scan.NewAccount(&c)
	a.limiter = newLimiter(o.Clock.Now, a.published.Calls.Count)
	if w != nil {
		w.open(c.Name, a.policy.Types.Label, o.Events)
	}
	return a
}

// configure makes c the account's configuration. The account must not run. What is known of servers
// that stay is kept, and so is what the limiter has seen.
func (a *account) configure(c config.Account) {
	a.limiter.configure(c.RequestsPerSecond)
	a.options.Events.Watch(&c)
	a.api = a.options.Connect(c, func(action, result string, took time.Duration) {
		a.options.Events.Call(c.Name, action, a.policy.Codes.Label(result), took)
	})
	a.mu.Lock()
	a.config, a.policy.SuccessCodes = c, c.SuccessCodes
	a.breaker, a.kinds = breaker{}, taskIDKinds{} // other credentials may see another service
	a.queue.patience = max(c.SettledInterval, c.StaleAfter/2)
	a.findings = findings{}
	found := stillDiscovered(c.Discovery, a.found)
	a.published.Update(func(s *scan.AccountStatus) { s.Config = &c })
	a.unlock()
	a.retarget(found)
}

// start begins to poll, until stop is called or, for a Poller that polls once, every server was
// tried.
func (a *account) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel, a.done = cancel, make(chan struct{})
	go func() {
		defer close(a.done)
		stop := a.discover(ctx)
		defer stop()
		a.run(ctx)
	}()
}

// stop cancels the calls in flight and returns when nothing of the account runs any more.
func (a *account) stop() {
	a.cancel()
	<-a.done
	a.api.Close()
}

// now returns the time of the process.
func (a *account) now() time.Time { return a.options.Clock.Now() }

// notice has a line logged once a.mu is free. It is called with a.mu held.
func (a *account) notice(log func(log.Logger)) { a.notices = append(a.notices, log) }

// publish publishes how the account fares.
func (a *account) publish() {
	a.mu.Lock()
	a.unlock()
}

// unlock ends what began with a.mu.Lock: it publishes how the account fares, and writes to the log
// what there is to say, which may take its time.
func (a *account) unlock() {
	due, waits := a.queue.due()
	notices := a.notices
	a.notices = nil
	allowed, refused, lists := a.limiter.allowed(), a.breaker.open, unread(a.config.Discovery, a.found)
	a.published.Update(func(s *scan.AccountStatus) {
		s.Allowed, s.Refused, s.Found, s.Unread, s.DueAt = allowed, refused, a.found, lists, time.Time{}
		s.Lists, s.IDs = a.statuses, a.kinds.known()
		if waits {
			s.DueAt = due
		}
	})
	a.mu.Unlock()
	for _, log := range notices {
		log(a.logger)
	}
}
