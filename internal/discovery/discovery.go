package discovery

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// Kinds of lists, as logs name them.
const (
	KindTasks   = "tasks"
	KindServers = "servers"
)

// API is what discovery needs of Security Center; *sas.Client implements it. A caller that has to
// keep a quota wraps it. Errors should be *sas.Error: their class says when to try again. A call
// that is held back, because the account's calls are refused, fails with the class sas.Canceled,
// which is not logged.
type API interface {
	// OnceTasks makes one attempt to read a page of tasks, newest first.
	OnceTasks(ctx context.Context, q sas.TaskQuery) (*sas.Page[sas.Task], error)
	// Instances makes one attempt to read a page of servers.
	Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error)
}

// Server is a discovered server.
type Server struct {
	// Instance is as the service lists it; its Name is the UUID where it has none.
	sas.Instance
	// Types are those of the account that exist for the server's system; at least one. Other
	// servers may share the slice.
	Types []string
}

// Same reports whether two servers are polled and shown alike.
func (s *Server) Same(as *Server) bool {
	return s.Instance == as.Instance && slices.Equal(s.Types, as.Types)
}

// List is what is known of one kind. Its items must not be changed.
type List[T any] struct {
	// Items are the entries of the last complete list that pass the filters, and those that a
	// doubtful list has added since. Each is there once.
	Items []T
	// LeftOut is how many running tasks are not followed because so many others are; always 0 for
	// servers.
	LeftOut int
	// At is when the last complete refresh ended; zero if there was none yet.
	At time.Time
	// Err is why the last refresh was not complete; nil if it was.
	Err error
}

// Tried reports whether the list was read, or tried to read.
func (l List[T]) Tried() bool { return !l.At.IsZero() || l.Err != nil }

// Complete reports whether the last refresh was complete.
func (l List[T]) Complete() bool { return !l.At.IsZero() && l.Err == nil }

// Found is all that is known of an account.
type Found struct {
	Tasks   List[sas.Task] // newest first
	Servers List[Server]
	// Offline are the servers that online_only alone keeps out of Servers, of the same refresh. The
	// caller may go on to watch some of them.
	Offline []Server
}

// Options say what to discover, and which functions receive the results.
type Options struct {
	// Account is the name that logs and errors carry.
	Account string
	// Tasks and Servers are the account's settings; nil leaves the kind out.
	Tasks   *config.TaskDiscovery
	Servers *config.ServerDiscovery
	// Types are the account's.
	Types  []string
	API    API
	Logger log.Logger
	// Scans says how the lists of the tasks' servers are read; nil: they are not. They are not read
	// without Tasks either.
	Scans *ScanOptions
	// Known is what an earlier Run found, for instance before a reload. Entries of a kind that is
	// still discovered stay until a complete list lacks them.
	Known Found
	// Found is called with all that is known after every refresh of either list, complete or not.
	// Calls do not overlap. It must not block.
	Found func(Found)
}

// Run discovers until the context ends. It begins at once, with both lists at the same time.
// Nothing of it runs any more when it returns.
func Run(ctx context.Context, o Options) {
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		found   Found
	)
	if o.Tasks != nil {
		found.Tasks = o.Known.Tasks
	}
	if o.Servers != nil {
		found.Servers, found.Offline = o.Known.Servers, o.Known.Offline
	}
	tell := func(change func()) {
		mu.Lock()
		defer mu.Unlock()
		change()
		o.Found(found)
	}
	if o.Tasks != nil {
		scans := newScanLoop(o)
		l := newTaskList(o)
		l.tell = func(known List[sas.Task]) {
			tell(func() { found.Tasks = known })
			scans.follow(known.Items)
		}
		running.Go(func() { l.run(ctx) })
		if o.Scans != nil {
			running.Go(func() { scans.run(ctx) })
		}
	}
	if o.Servers != nil {
		l := newServerList(o)
		l.tell = func(known List[Server]) {
			tell(func() { found.Servers, found.Offline = byAgent(known, o.Servers.OnlineOnly) })
		}
		running.Go(func() { l.run(ctx) })
	}
	running.Wait()
}
