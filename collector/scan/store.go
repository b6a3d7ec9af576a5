package scan

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
)

// groupServers is how many servers share a Group. Smaller groups are encoded less often for a
// neighbour's sake; larger ones compress better.
const groupServers = 16

// Store holds what is published of all accounts. Polls replace it piece by piece; readers load it
// and wait for nobody: whatever they loaded never changes.
type Store struct {
	content atomic.Pointer[Content]
}

// Content is what a Store holds as a whole.
type Content struct {
	Accounts []*Account // in the configuration's order
	Labels   []string   // names of the labels that the configuration gives to servers, sorted
}

// NewStore returns an empty store.
func NewStore() *Store {
	s := &Store{}
	s.content.Store(&Content{})
	return s
}

// Load returns what the store holds now.
func (s *Store) Load() *Content { return s.content.Load() }

// Replace makes other accounts and labels the store's.
func (s *Store) Replace(c *Content) { s.content.Store(c) }

// Account holds what is published of one account. One goroutine at a time writes to it; any number
// may read.
type Account struct {
	Name  string
	Codes *LabelSet    // that its records' changes refer to
	Calls *CallCounter // of its calls to the API

	status atomic.Pointer[AccountStatus]
	groups atomic.Pointer[[]*Group]

	mu     sync.Mutex // held while groups and their records are replaced
	shared shared
}

// AccountStatus is how an account fares as a whole.
type AccountStatus struct {
	Config  *config.Account
	Allowed float64   // calls a second allowed now
	DueAt   time.Time // when the most overdue server was due; zero: none waits
	Refused bool      // the account's calls are refused
	Problem *Problem  // the last failed call of a poll; nil: none yet
	Found   discovery.Found
	Unread  int // lists of servers and tasks that were not yet tried to read
	Types   []string
	Lists   []ListStatus // of running tasks
	IDs     string       // which IDs the service answers: "root", "leaf", "both", or "" while unknown
}

// ListStatus is what the list of one task's servers says in sum.
type ListStatus struct {
	TaskID   string
	At       time.Time                 // when it was last read to its end; zero: never
	Err      error                     // why the last reading was not complete; nil if it was
	ByStatus [len(serverScanNames)]int // servers, in the order of ServerScanNames
}

// Lag returns how long the most overdue server has been due at a moment.
func (s *AccountStatus) Lag(now time.Time) time.Duration {
	if s.DueAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.DueAt))
}

// Group is a place for some servers' records, which are replaced together.
type Group struct {
	records atomic.Pointer[Records]
	entries []*Entry // as records; only for the account's writer
}

// Load returns the group's records.
func (g *Group) Load() *Records { return g.records.Load() }

// Records are the records of a group at one moment. They are never changed.
type Records struct {
	shared
	List []*Record
}

// shared is what all records of an account are read by.
type shared struct {
	Account  string
	Settings *config.Settings
	Refused  bool
}

// Views yields each record as of a moment.
func (r *Records) Views(now Instant, step time.Duration) iter.Seq[View] {
	return func(yield func(View) bool) {
		for _, record := range r.List {
			if !yield(View{Record: record, Settings: r.Settings, Refused: r.Refused, Now: now, Step: step}) {
				return
			}
		}
	}
}

// Entry is the place of one server in an Account. Only the account's writer uses it.
type Entry struct {
	record *Record // the published one
	group  *Group  // nil before Arrange has placed it, and after it has left
}

// NewEntry returns the place of a server that has yet to be given to Arrange.
func NewEntry(r *Record) *Entry { return &Entry{record: r} }

// Record returns the published record.
func (e *Entry) Record() *Record { return e.record }

// NewAccount returns an account without servers.
func NewAccount(c *config.Account, codes *LabelSet) *Account {
	a := &Account{Name: c.Name, Codes: codes, Calls: &CallCounter{}}
	a.status.Store(&AccountStatus{Config: c, Allowed: c.RequestsPerSecond})
	a.groups.Store(new([]*Group))
	a.shared = shared{Account: c.Name, Settings: &c.Settings}
	return a
}

// Status returns how the account fares.
func (a *Account) Status() *AccountStatus { return a.status.Load() }

// Groups returns the groups of the account's servers.
func (a *Account) Groups() []*Group { return *a.groups.Load() }

// Update changes the status: change is given a copy of the present one.
func (a *Account) Update(change func(*AccountStatus)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := *a.status.Load()
	change(&status)
	a.status.Store(&status)
	if now := (shared{a.Name, &status.Config.Settings, status.Refused}); now != a.shared {
		a.shared = now
		for _, g := range a.Groups() {
			g.records.Store(&Records{a.shared, g.Load().List})
		}
	}
}

// Publish makes a record the one that readers see.
func (a *Account) Publish(e *Entry, r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.record = r
	if e.group == nil {
		return
	}
	list := slices.Clone(e.group.Load().List)
	list[slices.Index(e.group.entries, e)] = r
	e.group.records.Store(&Records{a.shared, list})
}

// Arrange lets servers join the account and others leave it. The groups of all others stay as they
// are, so that they need not be encoded again.
func (a *Account) Arrange(added, gone []*Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := make(map[*Group]bool)
	for _, e := range gone {
		e.group.entries = slices.DeleteFunc(e.group.entries, func(other *Entry) bool { return other == e })
		changed[e.group] = true
		e.group = nil
	}
	groups := slices.DeleteFunc(slices.Clone(a.Groups()), func(g *Group) bool { return len(g.entries) == 0 })
	if sparse(groups) {
		var all []*Entry
		for _, g := range groups {
			all = append(all, g.entries...)
		}
		groups, added = nil, append(all, added...)
	}
	for _, e := range added {
		if n := len(groups); n == 0 || len(groups[n-1].entries) == groupServers {
			groups = append(groups, &Group{})
		}
		e.group = groups[len(groups)-1]
		e.group.entries = append(e.group.entries, e)
		changed[e.group] = true
	}
	for g := range changed {
		list := make([]*Record, len(g.entries))
		for i, e := range g.entries {
			list[i] = e.record
		}
		g.records.Store(&Records{a.shared, list})
	}
	a.groups.Store(&groups)
}

// sparse reports whether half as many groups would do.
func sparse(groups []*Group) bool {
	servers := 0
	for _, g := range groups {
		servers += len(g.entries)
	}
	return len(groups) > 2*(servers/groupServers+1)
}
