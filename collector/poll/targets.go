package poll

import (
	"slices"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// targets returns the servers of an account: those of its configuration, and
// after them those that were only discovered and that owns says are this
// process's. What the configuration says of a server counts; every server is
// asked for discovered tasks too.
func targets(c config.Account, found discovery.Found, owns func(uuid string) bool) []*scan.Target {
	discovered := make(map[string]*discovery.Server, len(found.Servers.Items))
	for i := range found.Servers.Items {
		s := &found.Servers.Items[i]
		discovered[scan.KeyOf(s.UUID)] = s
	}
	with := taskAdder{found: taskIDs(found)}
	list := make([]*scan.Target, 0, len(c.Servers))
	for _, s := range c.Servers {
		t := &scan.Target{Server: s}
		t.TaskIDs = with.to(s.TaskIDs)
		t.AssetInfo = discovered[t.Key()]
		list = append(list, t)
		delete(discovered, t.Key())
	}
	for i := range found.Servers.Items {
		s := &found.Servers.Items[i]
		if discovered[scan.KeyOf(s.UUID)] != nil && (owns == nil || owns(s.UUID)) {
			delete(discovered, scan.KeyOf(s.UUID))
			list = append(list, &scan.Target{
				Server:    config.Server{UUID: s.UUID, Name: s.Name, TaskIDs: with.to(c.TaskIDs), Types: s.Types},
				AssetInfo: s,
			})
		}
	}
	return list
}

func taskIDs(found discovery.Found) []string {
	ids := make([]string, len(found.Tasks.Items))
	for i, t := range found.Tasks.Items {
		ids[i] = t.ID
	}
	return ids
}

// taskAdder adds discovered tasks to configured ones. Servers that are
// configured alike share the result.
type taskAdder struct {
	found             []string
	configured, added []string // of the last server
}

func (a *taskAdder) to(configured []string) []string {
	if len(a.found) == 0 {
		return configured
	}
	if a.added == nil || !slices.Equal(a.configured, configured) {
		a.configured, a.added = configured, slices.Clone(configured)
		for _, id := range a.found {
			if !slices.Contains(configured, id) {
				a.added = append(a.added, id)
			}
		}
	}
	return a.added
}

// sameTargets reports whether two findings lead to the same targets.
func sameTargets(a, b discovery.Found) bool {
	return slices.Equal(taskIDs(a), taskIDs(b)) &&
		slices.EqualFunc(a.Servers.Items, b.Servers.Items, func(a, b discovery.Server) bool { return a.Same(&b) })
}

// stillDiscovered returns what was found of the kinds that are discovered.
func stillDiscovered(c config.Discovery, found discovery.Found) discovery.Found {
	if c.Tasks == nil {
		found.Tasks = discovery.List[sas.Task]{}
	}
	if c.Servers == nil {
		found.Servers = discovery.List[discovery.Server]{}
	}
	return found
}

// unread is how many of the lists that an account discovers were not yet tried
// to read.
func unread(c config.Discovery, found discovery.Found) (lists int) {
	if c.Tasks != nil && found.Tasks.At.IsZero() && found.Tasks.Err == nil {
		lists++
	}
	if c.Servers != nil && found.Servers.At.IsZero() && found.Servers.Err == nil {
		lists++
	}
	return lists
}

// readCompletely reports whether the last reading of every list that an account
// discovers was complete.
func readCompletely(c config.Discovery, found discovery.Found) bool {
	return (c.Tasks == nil || !found.Tasks.At.IsZero() && found.Tasks.Err == nil) &&
		(c.Servers == nil || !found.Servers.At.IsZero() && found.Servers.Err == nil)
}

// questions returns the calls that a poll of a server takes: its tasks share
// their types, so they travel together, in chunks.
func questions(t *scan.Target) []sas.Query {
	var list []sas.Query
	for ids := range slices.Chunk(t.TaskIDs, maxTaskIDs) {
		list = append(list, sas.Query{UUID: t.UUID, TaskIDs: ids, Types: t.Types})
	}
	return list
}

func sameQuestion(a, b sas.Query) bool {
	return a.UUID == b.UUID && slices.Equal(a.TaskIDs, b.TaskIDs) && slices.Equal(a.Types, b.Types)
}
