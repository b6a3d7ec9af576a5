package poll

import (
	"iter"
	"slices"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// target is a server to be polled.
type target struct {
	*scan.Target
	offline bool // online_only alone would keep it out
	covered bool // all tasks that it is asked for are discovered ones
}

// targets returns the servers of an account: those of its configuration, and after them those that
// were only discovered and that owns says are this process's. Of those that online_only keeps out
// there are those that keep says are to stay. What the configuration says of a server counts; every
// server is asked for discovered tasks too.
func targets(c config.Account, found discovery.Found, owns func(key string) bool, keep func(*discovery.Server) bool) []target {
	discovered := make(map[string]*discovery.Server, len(found.Servers.Items)+len(found.Offline))
	for s := range serversOf(found) {
		if key := scan.KeyOf(s.UUID); discovered[key] == nil {
			discovered[key] = s
		}
	}
	tasks := taskAdder{found: taskIDs(found)}
	list := make([]target, 0, len(c.Servers)+len(found.Servers.Items))
	for _, s := range c.Servers {
		t := target{Target: &scan.Target{Server: s, AssetInfo: discovered[scan.KeyOf(s.UUID)]}}
		t.TaskIDs, t.covered = tasks.addedTo(s.TaskIDs)
		list = append(list, t)
		delete(discovered, t.Key())
	}
	onlineOnly := c.Discovery.Servers != nil && c.Discovery.Servers.OnlineOnly
	for s := range serversOf(found) {
		offline := onlineOnly && !s.Online
		if discovered[scan.KeyOf(s.UUID)] != s || !owns(s.UUID) || offline && !keep(s) {
			continue
		}
		t := target{Target: &scan.Target{Server: config.Server{UUID: s.UUID, Name: s.Name, Types: s.Types}, AssetInfo: s}, offline: offline}
		t.TaskIDs, t.covered = tasks.addedTo(c.TaskIDs)
		list = append(list, t)
	}
	return list
}

// serversOf yields all discovered servers, those last that online_only keeps out.
func serversOf(found discovery.Found) iter.Seq[*discovery.Server] {
	return func(yield func(*discovery.Server) bool) {
		for _, some := range [][]discovery.Server{found.Servers.Items, found.Offline} {
			for i := range some {
				if !yield(&some[i]) {
					return
				}
			}
		}
	}
}

func taskIDs(found discovery.Found) []string {
	ids := make([]string, len(found.Tasks.Items))
	for i, t := range found.Tasks.Items {
		ids[i] = t.ID
	}
	return ids
}

// taskAdder adds discovered tasks to configured ones. Servers that are configured alike share the
// result.
type taskAdder struct {
	found             []string
	configured, added []string // of the last server
}

// addedTo returns all tasks; covered says that there are some and all of them are discovered ones.
func (a *taskAdder) addedTo(configured []string) (all []string, covered bool) {
	if a.added == nil || !slices.Equal(a.configured, configured) {
		a.configured, a.added = configured, slices.Clone(configured)
		for _, id := range a.found {
			if !slices.Contains(configured, id) {
				a.added = append(a.added, id)
			}
		}
	}
	return a.added, len(a.added) > 0 && len(a.added) == len(a.found)
}

// sameTargets reports whether two findings lead to the same targets.
func sameTargets(a, b discovery.Found) bool {
	same := func(a, b discovery.Server) bool { return a.Same(&b) }
	return slices.Equal(taskIDs(a), taskIDs(b)) &&
		slices.EqualFunc(a.Servers.Items, b.Servers.Items, same) && slices.EqualFunc(a.Offline, b.Offline, same)
}

// stillDiscovered returns what was found of the kinds that are discovered.
func stillDiscovered(c config.Discovery, found discovery.Found) discovery.Found {
	if c.Tasks == nil {
		found.Tasks = discovery.List[sas.Task]{}
	}
	if c.Servers == nil {
		found.Servers, found.Offline = discovery.List[discovery.Server]{}, nil
	}
	return found
}

// unread is how many of the lists that an account discovers were not yet tried to read.
func unread(c config.Discovery, found discovery.Found) (lists int) {
	if c.Tasks != nil && !found.Tasks.Tried() {
		lists++
	}
	if c.Servers != nil && !found.Servers.Tried() {
		lists++
	}
	return lists
}

// readCompletely reports whether the last reading of every list that an account discovers was
// complete.
func readCompletely(c config.Discovery, found discovery.Found) bool {
	return (c.Tasks == nil || found.Tasks.Complete()) && (c.Servers == nil || found.Servers.Complete())
}
