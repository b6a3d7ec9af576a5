package config

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// Values of Settings.Series.
const (
	SeriesAll  = "all"  // a series for every subtask
	SeriesOpen = "open" // a series only for subtasks that are unfinished or failing
)

// Config is a valid configuration with all defaults filled in. It is never changed once it exists,
// so it may be read by any number of goroutines.
type Config struct {
	Global   Settings  // what accounts inherit; already merged into each
	Accounts []Account // at least one; names are unique

	labels   []string   // set by Share: the label names of the whole
	source   *source    // behind a pointer, so that no %v prints the file with its keys
	files    fileStamps // the server files that were read
	warnings Errors     // what is legal but odd
}

// source is the main file that a Config was made from.
type source struct {
	name    string
	content []byte
}

// Settings are the keys of `global`, which every account may override.
type Settings struct {
	PollInterval    time.Duration // between polls of a server with unfinished subtasks; at least 1 s
	SettledInterval time.Duration // between polls of a server whose subtasks are all complete; at least 1 s
	StaleAfter      time.Duration // age at which values of an unpolled server are withdrawn; 0 = never
	Timeout         time.Duration // of one API call, all of it; more than 0
	StallAfter      time.Duration // age at which an unchanged unfinished subtask counts as stalled; more than 0
	Series          string        // SeriesAll or SeriesOpen
	SuccessCodes    []string      // values of Code that mean "no error", besides the empty string
}

// Account is one Alibaba Cloud account (or a part of its servers) with a quota of its own.
type Account struct {
	Name              string   // value of the label `account`; at most 128 bytes of UTF-8
	Region            string   // may be empty when the file has an endpoint
	Endpoint          Endpoint // always set: the file's, else the region's
	Credentials       Credentials
	RequestsPerSecond float64 // more than 0
	Concurrency       int     // calls in flight; at least 1
	Types             []string
	TaskIDs           []string
	Servers           []Server // the file's, then the server files', defaults filled in; no UUID twice
	ServerFiles       []string // patterns as written
	Discovery         Discovery
	Settings

	// ResourceDirectoryAccountID is the member account that is asked about, in digits; empty = the
	// account itself. Never set together with Discovery.Tasks.
	ResourceDirectoryAccountID string

	listed int // the first so many Servers are the main file's own
}

// Endpoint is where an account's calls go.
type Endpoint struct {
	Scheme string // "https", or "http" for a loopback host
	Host   string // host or host:port
}

// String returns the endpoint as a URL without a path.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Host }

// Server is one watched server. Its slices and map may be shared with other servers; nobody writes
// to them.
type Server struct {
	UUID    string            // as written, maybe with the prefix `inet-`
	Name    string            // value of the label `server`; the UUID unless the file names it
	TaskIDs []string          // its own, else the account's; may be empty when tasks are discovered
	Types   []string          // its own, else the account's
	Labels  map[string]string // for aliyun_vulscan_server_info; nil when none
}

// Discovery says what an account finds by itself, in addition to what is configured.
type Discovery struct {
	Tasks   *TaskDiscovery   // nil = off
	Servers *ServerDiscovery // nil = off
}

// TaskDiscovery finds the account's scan tasks.
type TaskDiscovery struct {
	RefreshInterval     time.Duration // at least 1 s
	MaxAge              time.Duration // older tasks are not followed; more than 0
	MaxTasks            int           // at most so many, newest first; at least 1
	Sources             []string      // empty = all
	ServerScans         bool          // read which servers a task scans, and how far each is
	ServerScansInterval time.Duration // shortest pause between two readings of one running task; at least 1 s
}

// ServerDiscovery finds the account's servers.
type ServerDiscovery struct {
	RefreshInterval time.Duration // at least 1 s
	OnlineOnly      bool
	Regions         []string       // region IDs of servers; empty = all
	Include         *regexp.Regexp // over the whole instance name; nil = all
	Exclude         *regexp.Regexp // over the whole instance name; nil = none
	TypesByOS       bool           // narrow an account's types to those that exist for the server's system
}

// LabelNames returns the sorted union of the label names configured on all servers of all accounts.
func (c *Config) LabelNames() []string {
	if c.labels != nil {
		return c.labels
	}
	names := map[string]struct{}{}
	for _, a := range c.Accounts {
		for _, s := range a.Servers {
			for name := range s.Labels {
				names[name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Share returns the part of the configuration that one of several processes takes: the servers that
// it owns, and an equal part (parts is at least 1) of every account's quota. Label names stay those
// of the whole, so that the processes' series agree.
func (c *Config) Share(owns func(uuid string) bool, parts int) *Config {
	share := *c
	share.labels = c.LabelNames()
	share.Accounts = slices.Clone(c.Accounts)
	for i := range share.Accounts {
		a := &share.Accounts[i]
		a.RequestsPerSecond /= float64(parts)
		a.Servers = slices.DeleteFunc(slices.Clone(a.Servers), func(s Server) bool { return !owns(s.UUID) })
	}
	return &share
}

func defaultSettings() Settings {
	return Settings{
		PollInterval:    30 * time.Second,
		SettledInterval: 10 * time.Minute,
		StaleAfter:      time.Hour,
		Timeout:         10 * time.Second,
		StallAfter:      30 * time.Minute,
		Series:          SeriesAll,
	}
}

func defaultTaskDiscovery() TaskDiscovery {
	return TaskDiscovery{
		RefreshInterval: time.Minute, MaxAge: 24 * time.Hour, MaxTasks: 5,
		ServerScans: true, ServerScansInterval: 2 * time.Minute,
	}
}

func defaultServerDiscovery() ServerDiscovery {
	return ServerDiscovery{RefreshInterval: 10 * time.Minute, OnlineOnly: true, TypesByOS: true}
}
