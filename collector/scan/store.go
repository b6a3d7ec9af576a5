package scan

import (
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
)

// Store holds what is published of all accounts. Polls replace it piece by piece; readers load it
// and wait for nobody: whatever they loaded never changes.
type Store struct{ atomic.Pointer[Content] }

// Content is what a Store holds as a whole.
type Content struct {
	Accounts []*Account // in the configuration's order
	Labels   []string   // names of the labels that the configuration gives to servers, sorted
}

// NewStore returns an empty store.
func NewStore() *Store {
	s := &Store{}
	s.Store(&Content{})
	return s
}

// Replace makes other accounts and labels the store's.
func (s *Store) Replace(c *Content) { s.Store(c) }

// Account holds what is published of one account. Only one goroutine at a time may write to it;
// readers wait for nobody.
type Account struct {
	Name  string
	Calls *CallCounter // of its calls to the API

	status atomic.Pointer[AccountStatus]
	groups atomic.Pointer[[]*Group]
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
	At       time.Time     // when it was last read to its end; zero: never
	Err      error         // why the last reading was not complete; nil if it was
	ByStatus [statuses]int // servers, in the order of ServerScanNames
}

// Lag returns how long the most overdue server has been due at a moment.
func (s *AccountStatus) Lag(now time.Time) time.Duration {
	if s.DueAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.DueAt))
}

// groupServers is how many servers share a Group. Smaller groups are encoded less often for a
// neighbour's sake; larger ones compress better.
const groupServers = 16

// Group is a place for some servers' records, which are replaced together.
type Group struct {
	account *Account
	records atomic.Pointer[[]*Record] // of entries
	entries []*Entry                  // only for those who write
}

// Records are the records of a group at one moment, and what all of the account are read by. They
// are never changed, and equal (==) those of another moment if nothing has changed since.
type Records struct {
	Account  string
	Settings *config.Settings
	Refused  bool
	list     *[]*Record
}

// Load returns the group's records.
func (g *Group) Load() Records {
	status := g.account.Status()
	return Records{g.account.Name, &status.Config.Settings, status.Refused, g.records.Load()}
}

// List returns the records.
func (r Records) List() []*Record { return *r.list }

// Views yields each record as of a moment.
func (r Records) Views(now Instant, step time.Duration) iter.Seq[View] {
	return func(yield func(View) bool) {
		for _, record := range *r.list {
			if !yield(View{Record: record, Settings: r.Settings, Refused: r.Refused, Now: now, Step: step}) {
				return
			}
		}
	}
}

// Entry is the place of one server in an Account. Only those who write use it.
type Entry struct {
	Record *Record // the published one; only Publish replaces it
	group  *Group  // nil before Arrange has placed it, and after it has left
}

// NewAccount returns an account without servers.
func NewAccount(c *config.Account) *Account {
	a := &Account{Name: c.Name, Calls: &CallCounter{}}
	a.status.Store(&AccountStatus{Config: c, Allowed: c.RequestsPerSecond})
	a.groups.Store(new([]*Group))
	return a
}

// Status returns how the account fares.
func (a *Account) Status() *AccountStatus { return a.status.Load() }

// Groups returns the groups of the account's servers.
func (a *Account) Groups() []*Group { return *a.groups.Load() }

// Update changes the status: change is given a copy of the present one.
func (a *Account) Update(change func(*AccountStatus)) {
	status := *a.status.Load()
	change(&status)
	a.status.Store(&status)
}

// Publish makes a record the one that readers see.
func (a *Account) Publish(e *Entry, r *Record) {
	if e.Record == r {
		return
	}
	e.Record = r
	if e.group != nil {
		e.group.publish()
	}
}

// publish has readers see the entries' records.
func (g *Group) publish() {
	list := make([]*Record, len(g.entries))
	for i, e := range g.entries {
		list[i] = e.Record
	}
	g.records.Store(&list)
}

// Arrange lets servers join the account and others leave it. Those that join fill the groups that
// others have left. All other groups stay as they are, so that they need not be encoded again.
func (a *Account) Arrange(added, gone []*Entry) {
	changed := make(map[*Group]bool)
	for _, e := range gone {
		at := slices.Index(e.group.entries, e)
		e.group.entries = slices.Delete(e.group.entries, at, at+1)
		changed[e.group] = true
		e.group = nil
	}
	groups := slices.DeleteFunc(slices.Clone(a.Groups()), func(g *Group) bool { return len(g.entries) == 0 })
	room := 0 // the first group that may have room
	for _, e := range added {
		for room < len(groups) && len(groups[room].entries) == groupServers {
			room++
		}
		if room == len(groups) {
			groups = append(groups, &Group{account: a})
		}
		e.group = groups[room]
		e.group.entries = append(e.group.entries, e)
		changed[e.group] = true
	}
	for g := range changed {
		g.publish()
	}
	a.groups.Store(&groups)
}
