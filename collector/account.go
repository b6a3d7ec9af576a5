package collector

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/state"
)

// maxTaskIDs is the most task IDs that travel in one call. No limit is
// documented; 50 IDs of 32 characters keep the URL well under 8 KB.
const maxTaskIDs = 50

// API is what the collector needs of Security Center; *sas.Client is one.
type API interface {
	// VulCheckTaskStatusDetail makes one attempt. Its error is a *sas.Error.
	VulCheckTaskStatusDetail(ctx context.Context, q sas.Query) (*sas.Answer, error)
	// Close frees idle connections.
	Close()
}

// server is one watched server and its place in the schedule.
type server struct {
	questions []sas.Query
	latest    *record   // what polls know
	record    *record   // what scrapes see; replaced by account.publish
	stamped   time.Time // of the state: the last success that it has
	chunk     *chunk
	due       time.Time
	failures  int  // failed polls in a row
	probe     bool // the poll under way tries whether credentials are accepted again
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
	logger  log.Logger
	once    bool
	chunks  []*chunk
	types   []string // that any server is asked for
	totals  *cache[totals]

	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // a poll ended: look at the queue again

	mu        sync.Mutex
	servers   []*server // in the configuration's order
	queue     queue
	inFlight  int
	refused   bool      // the credentials are not accepted
	probeAt   time.Time // while refused: when the next probe may start
	failingBy map[string]int
}

// newAccount makes an account that has yet to be started. before is the
// account of the same name in the last configuration, or nil; what it knows of
// servers that stay is kept, and so is what its quota has seen.
func newAccount(c config.Account, before *account, o Options, m *metrics, k *keeper) *account {
	a := &account{
		config:    c,
		metrics:   m,
		keeper:    k,
		logger:    log.With(o.Logger, "account", c.Name),
		once:      o.Once,
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		failingBy: make(map[string]int),
		queue:     queue{patience: max(c.SettledInterval, c.StaleAfter/2)},
	}
	known := make(map[string]*server)
	if before == nil {
		a.quota, a.codes = newQuota(c.RequestsPerSecond), newCodeLabels()
	} else {
		a.quota, a.codes = before.quota, before.codes
		a.quota.configure(c.RequestsPerSecond)
		for _, s := range before.servers {
			known[s.record.server.UUID] = s
		}
	}
	now := time.Now()
	var kept map[string]state.Server
	if k != nil && slices.ContainsFunc(c.Servers, func(s config.Server) bool { return known[s.UUID] == nil }) {
		kept, _ = k.state.Restore(c.Name) // the state tells of its troubles
	}
	for _, target := range c.Servers {
		from, restorable := kept[target.UUID]
		if known[target.UUID] == nil && restorable {
			r := restored(target, from, a.interpretation())
			known[target.UUID] = &server{latest: r, record: r, stamped: r.lastSuccess, due: now}
		}
		a.add(target, known[target.UUID], now)
	}
	a.chunks, a.types = chunked(a.servers), typesOf(c.Servers)
	a.totals = newCache(a, func() builder[totals] {
		return func(records []*record, now time.Time, _ *totals) *totals { return totalsOf(records, c.Settings, now) }
	})
	a.metrics.addAccount(c.Name)
	a.api = o.Connect(c, a.metrics.observer(c.Name, a.codes))
	return a
}

// add puts a server into the account. A server that was known stays due when
// it was, unless it is asked something else now.
func (a *account) add(target config.Server, known *server, now time.Time) {
	s := &server{questions: questions(target), due: now, record: &record{server: target, total: -1}}
	if known != nil {
		kept := *known.latest
		kept.server = target
		s.record, s.failures, s.stamped = &kept, known.failures, known.stamped
		if slices.EqualFunc(s.questions, known.questions, sameQuestion) {
			s.due = known.due
		}
	}
	s.latest = s.record
	if s.record.failure != "" {
		a.failingBy[s.record.failure]++
	}
	a.servers = append(a.servers, s)
	if len(s.questions) > 0 {
		a.queue.push(s, urgent(s.record, a.config.Settings, now))
	}
}

// questions gives the calls that a poll of a server takes: its tasks share
// their types, so they travel together, in chunks.
func questions(target config.Server) []sas.Query {
	var list []sas.Query
	for ids := range slices.Chunk(target.TaskIDs, maxTaskIDs) {
		list = append(list, sas.Query{UUID: target.UUID, TaskIDs: ids, Types: target.Types})
	}
	return list
}

func sameQuestion(a, b sas.Query) bool {
	return a.UUID == b.UUID && slices.Equal(a.TaskIDs, b.TaskIDs) && slices.Equal(a.Types, b.Types)
}

// interpretation gives what the account's settings make of codes.
func (a *account) interpretation() interpretation {
	return interpretation{successCodes: a.config.SuccessCodes, label: func(code string) string {
		label := a.codes.label(code)
		if label != code {
			a.metrics.anomaly(a.config.Name, codeLimit)
		}
		return label
	}}
}

// pace is how an account's polling keeps up.
type pace struct {
	allowed float64 // calls a second
	lag     time.Duration
	refused bool
}

func (a *account) pace(now time.Time) pace {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pace{allowed: a.quota.allowed(), lag: a.queue.lag(now), refused: a.refused}
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
