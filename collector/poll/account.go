package poll

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/state"
)

const (
	// maxTaskIDs is the most task IDs that travel in one call. No limit is
	// documented; 50 IDs of 32 characters keep the URL well under 8 KB.
	maxTaskIDs = 50
	// maxCodes and maxTypes bound the distinct codes and types of an account
	// that become labels.
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
	heard     uint64       // the list that named it last, by number
	polling   bool         // it is not in the queue
	probe     bool         // the poll under way tries whether credentials are accepted again
	askedAnew bool         // while it is polled, it came to be asked something else
	gone      bool         // it is no server of the account any more

	savedAt scan.Instant // the last success that the state has; under the stateWriter's mu
	saving  bool         // a write of the server is under way; under the stateWriter's mu
}

// account is one account: its servers, its quota and its polling. Accounts share
// nothing, so that one that hangs or is refused delays no other.
type account struct {
	options   *Options
	published *scan.Account
	writer    *stateWriter // nil: nothing is kept over restarts
	limiter   *limiter
	policy    scan.CodePolicy
	logger    log.Logger
	wake      chan struct{} // look at the queue again
	retargets chan struct{} // look for targets again

	// These are set by configure and start, while nothing runs.
	config config.Account
	api    API
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	servers  map[string]*server // by key
	order    []*server          // the same, in the order of the configuration and the lists
	starts   map[string]scan.Instant
	found    discovery.Found
	lists    map[string]*taskList // by task ID
	statuses []scan.ListStatus    // what is published of lists
	heard    uint64               // how many complete lists there were
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
		retargets: make(chan struct{}, 1), lists: make(map[string]*taskList), servers: make(map[string]*server), failing: make(map[string]int),
	}
	// Results of calls that are no codes of the API's have labels in any case,
	// so that no flood of codes can hide a timeout, and so have documented types.
	a.policy.Codes = scan.NewLabelSet(maxCodes, sas.ResultOK, sas.ResultTimeout, sas.ResultConnection, sas.ResultCanceled,
		sas.ResultResponse, sas.ResultCredentials)
	a.policy.Types = scan.NewLabelSet(maxTypes, config.Types()...)
	a.policy.TaskStart = func(taskID string) scan.Instant { return a.starts[taskID] }
	a.policy.Bounded = func(limit sas.Anomaly) { o.Events.Anomalies(c.Name, map[sas.Anomaly]int{limit: 1}) }
	a.published = scan.NewAccount(&c, a.policy.Codes)
	a.limiter = newLimiter(o.Clock.Now, a.published.Calls.Count)
	if w != nil {
		w.open(c.Name, a.policy.Types.Label, o.Events)
	}
	return a
}

// configure makes c the account's configuration. The account must not run. What
// is known of servers that stay is kept, and so is what the limiter has seen.
func (a *account) configure(c config.Account) {
	a.limiter.configure(c.RequestsPerSecond)
	a.options.Events.Watch(&c)
	a.api = a.options.Connect(c, func(action, result string, took time.Duration) {
		a.options.Events.Call(c.Name, action, a.policy.Codes.Label(result), took)
	})
	a.mu.Lock()
	a.config, a.policy.SuccessCodes = c, c.SuccessCodes
	a.breaker = breaker{}
	a.queue.patience = max(c.SettledInterval, c.StaleAfter/2)
	found := stillDiscovered(c.Discovery, a.found)
	a.unlock()
	a.published.Update(func(s *scan.AccountStatus) { s.Config, s.Refused = &c, false })
	a.retarget(found)
}

// start begins to poll, until stop is called or, for a Poller that polls once,
// every server was tried.
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

// stop cancels the calls in flight and returns when nothing of the account runs
// any more.
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

// unlock ends what began with a.mu.Lock: it publishes how the account fares,
// and writes to the log what there is to say, which may take its time.
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

// retarget makes what was found, and the configuration, the account's servers.
// Those that stay keep what is known of them; those that are new get what the
// state has. It is not called twice at once.
func (a *account) retarget(found discovery.Found) {
	stored := a.restore(found)
	now := a.now()
	a.mu.Lock()
	defer a.unlock()
	a.found, a.starts = found, taskStarts(found)
	a.forgetTasks()
	a.identify()
	list := targets(a.config, found, a.options.Owns, func(key string) bool { return a.keepsOffline(key, stored) })
	gone, covered := a.servers, covers(found)
	a.servers, a.order = make(map[string]*server, len(list)), make([]*server, 0, len(list))
	var added []*scan.Entry
	var types []string
	for _, t := range list {
		s := gone[t.Key()]
		if s == nil {
			s = a.newServer(t.Target, stored, now)
			added = append(added, s.entry)
		} else {
			delete(gone, t.Key())
			a.renew(s, t.Target, now)
		}
		s.covered, s.offline = covered(t.Target), t.offline
		a.servers[t.Key()], a.order = s, append(a.order, s)
		types = withTypes(types, t.Types)
	}
	left := make([]*scan.Entry, 0, len(gone))
	for _, s := range gone {
		s.gone = true
		a.unhear(s)
		left = append(left, s.entry)
		a.noLongerFailing(s.latest.Failure)
	}
	a.published.Arrange(added, left)
	a.published.Update(func(s *scan.AccountStatus) { s.Types = types })
	a.options.Events.WatchTypes(a.config.Name, types)
	a.hearOfNew()
	a.replan(now)
	a.lookForOffline()
}

// withTypes returns a list of types with those of more that it lacks.
func withTypes(types, more []string) []string {
	for _, typ := range more {
		if !slices.Contains(types, typ) {
			types = append(types, typ)
		}
	}
	return types
}

// keepsOffline reports whether a server stays watched that online_only alone
// would keep out: a subtask of it is unfinished or failing, or an unfinished
// task lists it. It is called with a.mu held.
func (a *account) keepsOffline(key string, stored map[string]state.Server) bool {
	if s := a.servers[key]; s != nil && s.latest.Troubled() || a.listed(key) {
		return true
	}
	return a.servers[key] == nil && slices.ContainsFunc(stored[key].Subtasks, func(s state.Subtask) bool {
		return s.Status != sas.StatusComplete || s.Code != ""
	})
}

func taskStarts(found discovery.Found) map[string]scan.Instant {
	starts := make(map[string]scan.Instant, len(found.Tasks.Items))
	for _, t := range found.Tasks.Items {
		starts[t.ID] = scan.InstantOf(t.Start)
	}
	return starts
}

// newServer returns a server that was not watched so far; stored is what the
// state has.
func (a *account) newServer(t *scan.Target, stored map[string]state.Server, now time.Time) *server {
	s := &server{dueAlone: now, news: noNews, latest: &scan.Record{Target: t, Total: -1}}
	if from, known := stored[t.Key()]; known {
		s.latest = restored(t, from, &a.policy, scan.InstantOf(now))
		s.savedAt = s.latest.LastSuccess
	}
	s.entry = scan.NewEntry(s.latest)
	return s
}

// renew gives a server that stays what is now said of it. It is called with
// a.mu held.
func (a *account) renew(s *server, t *scan.Target, now time.Time) {
	before := s.latest.Target
	if before.Same(t) {
		return
	}
	left := slices.DeleteFunc(slices.Clone(before.TaskIDs), func(id string) bool { return slices.Contains(t.TaskIDs, id) })
	if len(t.TaskIDs) == 0 { // no answer will take what came under other IDs
		for i := range s.latest.Subtasks {
			left = append(left, s.latest.Subtasks[i].TaskID)
		}
	}
	a.amend(s, func(r *scan.Record) {
		r.DropTasks(left)
		r.Target = t
	})
	if !slices.Equal(before.TaskIDs, t.TaskIDs) || !slices.Equal(before.Types, t.Types) {
		s.dueAlone, s.askedAnew = now, true
	}
}

// amend changes what is known of a server apart from what polls find. It is
// called with a.mu held.
func (a *account) amend(s *server, change func(*scan.Record)) {
	shown := *s.entry.Record()
	change(&shown)
	if s.latest == s.entry.Record() {
		s.latest = &shown // mostly: then nothing is held twice
	} else {
		latest := *s.latest
		change(&latest)
		s.latest = &latest
	}
	a.published.Publish(s.entry, &shown)
}

// enqueue puts a server that is not being polled back into the queue. One that
// there is nothing to ask about is not polled, nor is one twice by a Poller that
// polls once. It is called with a.mu held.
func (a *account) enqueue(s *server, now time.Time) {
	if len(s.latest.Target.TaskIDs) > 0 && !s.gone && (!a.options.Once || !s.latest.Polled) {
		a.queue.push(s, a.plan(s, now))
	}
}

// noLongerFailing takes note that a server does not fail in some way any more;
// "": it did not. It is called with a.mu held.
func (a *account) noLongerFailing(failure string) {
	if failure == "" {
		return
	}
	a.failing[failure]--
	if a.failing[failure] == 0 {
		delete(a.failing, failure)
		a.notice(func(l log.Logger) {
			level.Info(l).Log("msg", "no server's poll fails in this way any more", "result", failure)
		})
	}
}
