package poll

import (
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
}

// targets returns the servers of an account: those of its configuration, and after them those that
// were only discovered and that owns says are this process's. Of those that online_only keeps out
// there are those that keep says are to stay. What the configuration says of a server counts; every
// server is asked for discovered tasks too.
func targets(c config.Account, found discovery.Found, owns, keep func(key string) bool) []target {
	discovered := make(map[string]*discovery.Server, len(found.Servers.Items)+len(found.Offline))
	for _, some := range [][]discovery.Server{found.Servers.Items, found.Offline} {
		for i := range some {
			if key := scan.KeyOf(some[i].UUID); discovered[key] == nil {
				discovered[key] = &some[i]
			}
		}
	}
	with := taskAdder{found: taskIDs(found)}
	list := make([]target, 0, len(c.Servers)+len(found.Servers.Items))
	for _, s := range c.Servers {
		t := &scan.Target{Server: s}
		t.TaskIDs = with.to(s.TaskIDs)
		t.AssetInfo = discovered[t.Key()]
		list = append(list, target{Target: t})
		delete(discovered, t.Key())
	}
	onlineOnly := c.Discovery.Servers != nil && c.Discovery.Servers.OnlineOnly
	for _, some := range [][]discovery.Server{found.Servers.Items, found.Offline} {
		for i := range some {
			s, key := &some[i], scan.KeyOf(some[i].UUID)
			offline := onlineOnly && !s.Online
			if discovered[key] != s || owns != nil && !owns(s.UUID) || offline && !keep(key) {
				continue
			}
			delete(discovered, key)
			t := &scan.Target{Server: config.Server{UUID: s.UUID, Name: s.Name, TaskIDs: with.to(c.TaskIDs), Types: s.Types}, AssetInfo: s}
			list = append(list, target{t, offline})
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

// taskAdder adds discovered tasks to configured ones. Servers that are configured alike share the
// result.
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
	same := func(a, b discovery.Server) bool { return a.Same(&b) }
	return slices.Equal(taskIDs(a), taskIDs(b)) && slices.Equal(runningOf(a), runningOf(b)) &&
		slices.EqualFunc(a.Servers.Items, b.Servers.Items, same) && slices.EqualFunc(a.Offline, b.Offline, same)
}

// runningOf returns the IDs of the tasks that have not ended.
func runningOf(found discovery.Found) (ids []string) {
	for i := range found.Tasks.Items {
		if t := &found.Tasks.Items[i]; !t.Ended() {
			ids = append(ids, t.ID)
		}
	}
	return ids
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
	if c.Tasks != nil && found.Tasks.At.IsZero() && found.Tasks.Err == nil {
		lists++
	}
	if c.Servers != nil && found.Servers.At.IsZero() && found.Servers.Err == nil {
		lists++
	}
	return lists
}

// readCompletely reports whether the last reading of every list that an account discovers was
// complete.
func readCompletely(c config.Discovery, found discovery.Found) bool {
	return (c.Tasks == nil || !found.Tasks.At.IsZero() && found.Tasks.Err == nil) &&
		(c.Servers == nil || !found.Servers.At.IsZero() && found.Servers.Err == nil)
}
