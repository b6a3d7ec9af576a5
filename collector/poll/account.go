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

// server is one watched server and its place in the schedule. The account's mu guards it.
type server struct {
	entry    *scan.Entry  // what is published of it
	latest   *scan.Record // what polls know
	covered  bool         // the lists of discovered tasks tell of all that it is asked for
	offline  bool         // online_only alone would keep it out
	due      time.Time
	dueAlone time.Time    // when it is due as far as its own polls tell
	started  time.Time    // start of the last poll
	asking   *scan.Target // what the last poll asked for
	asked    *scan.Target // what the last one that succeeded did; nil: there was none yet
	news     rank         // what lists say that no poll has looked at; noNews: nothing
	newsAt   time.Time    // since when there is news of this rank
	began    time.Time    // when the scan began that the news is of; zero: not known
	newsRead time.Time    // polls that started before have not looked at all of it
	failures int          // failed polls in a row
	polling  bool         // it is not in the queue
	savedAt  scan.Instant // the last success that the state has; -1: not all that is known was saved
}

// account is one account: its servers, its quota and its polling. Accounts share nothing, so that
// one that hangs or is refused delays no other.
type account struct {
	options   *Options
	published *scan.Account
	writer    *stateWriter // nil: nothing is kept over restarts
	limiter   *limiter
	policy    scan.CodePolicy
	wake      chan struct{} // look at the queue again
	someFound chan struct{} // there is something to adopt

	// These are set by configure and start, while nothing runs.
	config  config.Account
	api     API
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	servers  map[string]*server // by key
	order    []*server          // the same, in the order of the configuration and the lists
	found    discovery.Found    // only who adopts changes it
	findings findings
	lists    map[string]*taskList // by task ID
	statuses []scan.ListStatus    // what is published of lists
	guided   bool                 // the lists say all that there is to say
	unnamed  bool                 // one of them names servers that are not known; it was logged
	kinds    taskIDKinds
	queue    queue
	inFlight int
	refused  bool           // the credentials are: only a probe calls now and then
	probeAt  time.Time      // while refused: when the next probe may start
	failing  map[string]int // servers whose last poll failed, by result
	log      log.Logger     // keeps lines in unlogged, as none is written while mu is held
	unlogged [][]any
}

func newAccount(c config.Account, o *Options, w *stateWriter) *account {
	a := &account{
		options: o, writer: w, wake: make(chan struct{}, 1), someFound: make(chan struct{}, 1),
		lists: make(map[string]*taskList), servers: make(map[string]*server), failing: make(map[string]int),
	}
	a.log = log.With(log.LoggerFunc(func(keyvals ...any) error {
		a.unlogged = append(a.unlogged, keyvals)
		return nil
	}), "account", c.Name)
	// Results of calls that are no codes of the API's have labels in any case, so that no flood of
	// codes can hide a timeout, and so have documented types.
	a.policy.Codes = scan.NewLabelSet(maxCodes, sas.ResultOK, sas.ResultTimeout, sas.ResultConnection, sas.ResultCanceled,
		sas.ResultResponse, sas.ResultCredentials)
	a.policy.Types = scan.NewLabelSet(maxTypes, config.Types()...)
	a.policy.TaskStart = func(id string) scan.Instant {
		for i := range a.found.Tasks.Items {
			if t := &a.found.Tasks.Items[i]; t.ID == id {
				return scan.InstantOf(t.Start)
			}
		}
		return 0
	}
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
	a.refused, a.kinds = false, taskIDKinds{} // other credentials may see another service
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
	a.cancel = cancel
	a.running.Go(func() {
		stop := a.discover(ctx)
		defer stop()
		a.run(ctx)
	})
}

// stop cancels the calls in flight and returns when nothing of the account runs any more.
func (a *account) stop() {
	a.cancel()
	a.running.Wait()
	a.api.Close()
}

// now returns the time of the process.
func (a *account) now() time.Time { return a.options.Clock.Now() }

// owns reports whether a discovered server is this process's.
func (a *account) owns(uuid string) bool { return a.options.Owns == nil || a.options.Owns(uuid) }

// unlock ends what began with a.mu.Lock: it publishes how the account fares, and then writes to the
// log what there is to say, which may take its time.
func (a *account) unlock() {
	a.published.Update(func(s *scan.AccountStatus) {
		s.Allowed, s.Refused, s.DueAt = a.limiter.allowed(), a.refused, a.queue.due()
		s.Found, s.Unread, s.Lists, s.IDs = a.found, unread(a.config.Discovery, a.found), a.statuses, a.kinds.known()
	})
	unlogged := a.unlogged
	a.unlogged = nil
	a.mu.Unlock()
	for _, line := range unlogged {
		_ = a.options.Logger.Log(line...) // there is nowhere else to say it
	}
}
