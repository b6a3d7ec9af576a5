package collector

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// maxTaskIDs is the most task IDs that travel in one call. No limit is
// documented; 50 IDs of 32 characters keep the URL well under 8 KB.
const maxTaskIDs = 50

// API is what the collector needs of Security Center; *sas.Client is one.
type API interface {
	discovery.API
	// VulCheckTaskStatusDetail makes one attempt. Its error is a *sas.Error.
	VulCheckTaskStatusDetail(ctx context.Context, q sas.Query) (*sas.Answer, error)
	// Close frees idle connections.
	Close()
}

// server is one watched server and its place in the schedule.
type server struct {
	questions []sas.Query // replaced with the account's mu held
	latest    *record     // what polls know
	record    *record     // what scrapes see; replaced by account.publish
	stamped   instant     // of the state: the last success that it has
	chunk     *chunk
	due       time.Time
	failures  int  // failed polls in a row
	probe     bool // the poll under way tries whether credentials are accepted again
	polling   bool // it is not in the queue
	askedAnew bool // while it is polled, it came to be asked something else
	gone      bool // it is no server of the account any more
}

// account is one account: its servers, its quota and its poller. Accounts
// share nothing, so that one that hangs or is refused delays no other.
type account struct {
	config  config.Account
	api     API
	quota   *quota
	codes   *codeLabels
	metrics *metrics
	keeper  *keeper // nil: nothing is kept over restarts
	owns    func(uuid string) bool
	logger  log.Logger
	once    bool
	totals  *cache[totals]

	plainLogger log.Logger // without the account's name

	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // a poll ended: look at the queue again

	mu        sync.Mutex
	servers   []*server // in the configuration's order, then discovered ones
	chunks    []*chunk  // of servers
	layout    int       // raised whenever chunks come or go
	types     []string  // that any server is asked for
	found     discovery.Found
	queue     queue
	inFlight  int
	refused   bool      // the credentials are not accepted
	probeAt   time.Time // while refused: when the next probe may start
	trouble   *Trouble  // the last failed call; nil: none
	failingBy map[string]int
}

// newAccount makes an account that has yet to be started. before is the
// account of the same name in the last configuration, or nil; what it knows of
// servers that stay is kept, and so is what its quota has seen.
func newAccount(c config.Account, before *account, o Options, m *metrics, k *keeper) *account {
	a := &account{
		config:      c,
		metrics:     m,
		keeper:      k,
		owns:        o.Owns,
		logger:      log.With(o.Logger, "account", c.Name),
		plainLogger: o.Logger,
		once:        o.Once,
		done:        make(chan struct{}),
		wake:        make(chan struct{}, 1),
		failingBy:   make(map[string]int),
		queue:       queue{patience: max(c.SettledInterval, c.StaleAfter/2)},
	}
	known := make(map[string]*server)
	if before == nil {
		a.quota, a.codes = newQuota(c.RequestsPerSecond), newCodeLabels()
	} else {
		a.quota, a.codes = before.quota, before.codes
		a.quota.configure(c.RequestsPerSecond)
		known, a.found = byKey(before.servers), stillDiscovered(c.Discovery, before.found)
		a.trouble = before.trouble
	}
	now := time.Now()
	list := targets(c, a.found, a.owns)
	kept := a.keptState(list, known)
	for _, t := range list {
		s := known[t.key()]
		if s == nil {
			s = a.fromState(t, kept)
		}
		a.servers = append(a.servers, a.newServer(t, s, now))
	}
	a.requeue(now)
	a.chunks, a.types = chunked(a.servers), typesOf(a.servers)
	a.totals = newCache(a, func() builder[totals] {
		return func(records []*record, now time.Time, _ *totals) (*totals, time.Time) {
			return totalsOf(records, c.Settings, now)
		}
	})
	a.metrics.addAccount(c)
	a.api = o.Connect(c, a.metrics.observer(c.Name, a.codes))
	return a
}

// newServer makes a server of an account. One that was known stays due when it
// was, unless it is asked something else now.
func (a *account) newServer(t *target, known *server, now time.Time) *server {
	s := &server{questions: questions(t), due: now, record: &record{server: t, total: -1}}
	if known != nil {
		kept := *known.latest
		kept.server = t
		s.record, s.failures, s.stamped = &kept, known.failures, known.stamped
		if slices.EqualFunc(s.questions, known.questions, sameQuestion) {
			s.due = known.due
		}
	}
	s.latest = s.record
	if s.record.failure != "" {
		a.failingBy[s.record.failure]++
	}
	return s
}

// questions gives the calls that a poll of a server takes: its tasks share
// their types, so they travel together, in chunks.
func questions(t *target) []sas.Query {
	var list []sas.Query
	for ids := range slices.Chunk(t.TaskIDs, maxTaskIDs) {
		list = append(list, sas.Query{UUID: t.UUID, TaskIDs: ids, Types: t.Types})
	}
	return list
}

func sameQuestion(a, b sas.Query) bool {
	return a.UUID == b.UUID && slices.Equal(a.TaskIDs, b.TaskIDs) && slices.Equal(a.Types, b.Types)
}

// interpretation gives what the account's settings make of codes.
func (a *account) interpretation() interpretation {
	label := func(code string) string {
		label := a.codes.label(code)
		if label != code {
			a.metrics.anomaly(a.config.Name, codeLimit)
		}
		return label
	}
	return interpretation{successCodes: a.config.SuccessCodes, label: label, number: a.codes.number}
}

// pace is how an account's polling keeps up, and what was discovered.
type pace struct {
	allowed float64 // calls a second
	lag     time.Duration
	found   discovery.Found
}

func (a *account) pace(now time.Time) pace {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pace{allowed: a.quota.allowed(), lag: a.queue.lag(now), found: a.found}
}

// records copies pointers to what is known of each server at one moment:
// whoever reads them takes what time it needs, and no poll waits for it.
func (a *account) records() []*record {
	a.mu.Lock()
	defer a.mu.Unlock()
	records := make([]*record, len(a.servers))
	for i, s := range a.servers {
		records[i] = s.record
	}
	return records
}
