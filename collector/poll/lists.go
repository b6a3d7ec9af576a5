package poll

import (
	"context"
	"slices"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// taskList is what the list of one task's servers said.
type taskList struct {
	last   discovery.ServerScans // the last reading, without its scans
	status scan.ListStatus       // of the last complete reading, but for Err
	// complete says that the last reading was, unnamed how many entries of it name no server, or an
	// instance that is not known.
	complete bool
	unnamed  int
	names    bool // any entry names a server or an instance
	// unheard are the scans of servers that are not watched, by key, and those of instances that
	// are not known, by instance ID. The servers may come yet.
	unheard map[string]sas.ServerScan
}

// listFresh is how long the list of a running task may be relied upon.
const listFresh = 15 * time.Minute

// fresh reports whether the list can be relied upon to say all that there is to say about the
// servers of t.
func (l *taskList) fresh(t *sas.Task, interval time.Duration, now time.Time) bool {
	if l == nil || !l.complete || l.unnamed > 0 {
		return false
	}
	if t.Ended() {
		return l.last.Final()
	}
	return now.Sub(l.last.At) < max(listFresh, 3*interval)
}

// scanOptions returns how the lists of the account's tasks are read; nil if they are not.
func (a *account) scanOptions(told func(discovery.ServerScans)) *discovery.ScanOptions {
	if !a.readsLists() {
		return nil
	}
	o := &discovery.ScanOptions{API: pacedLists{a}, Interval: a.config.Discovery.Tasks.ServerScansInterval, Told: told}
	for _, l := range a.lists {
		o.Known = append(o.Known, l.last)
	}
	return o
}

// readsLists reports whether the lists of tasks' servers are to be read.
func (a *account) readsLists() bool {
	return a.config.Discovery.Tasks != nil && a.config.Discovery.Tasks.ServerScans
}

// listsTried reports whether the list of every task was tried to read. It is called with a.mu held.
func (a *account) listsTried() bool {
	if !a.readsLists() {
		return true
	}
	for _, t := range a.found.Tasks.Items {
		if a.lists[t.ID] == nil {
			return false
		}
	}
	return true
}

// pacedLists reads pages of tasks' lists within the account's quota: at most every second call
// while polls wait.
type pacedLists struct{ account *account }

// ServerScans implements discovery.ScanAPI.
func (p pacedLists) ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	return listedPage(ctx, p.account, forList, time.Time{}, func() (*sas.Page[sas.ServerScan], error) { return p.account.api.ServerScans(ctx, q) })
}

// forgetTasks drops what is known of lists of tasks that are not followed any more. It is called
// with a.mu held.
func (a *account) forgetTasks() {
	followed := make(map[string]bool, len(a.found.Tasks.Items))
	for _, t := range a.found.Tasks.Items {
		followed[t.ID] = a.readsLists()
	}
	gone := false
	for id := range a.lists {
		if !followed[id] {
			gone = true
			delete(a.lists, id)
		}
	}
	if !gone {
		return
	}
	unfollowed := func(of scan.ServerScan) bool { return !followed[of.TaskID] }
	for _, s := range a.servers {
		if slices.ContainsFunc(s.latest.ServerScans, unfollowed) {
			a.amend(s, func(r *scan.Record) { r.ServerScans = slices.DeleteFunc(slices.Clone(r.ServerScans), unfollowed) })
		}
	}
}

// listed reports whether an unfinished task lists a server. It is called with a.mu held.
func (a *account) listed(key string) bool {
	for i := range a.found.Tasks.Items {
		t := &a.found.Tasks.Items[i]
		if t.Ended() {
			continue
		}
		if l := a.lists[t.ID]; l != nil {
			if _, listed := l.unheard[key]; listed {
				return true
			}
		}
		if s := a.servers[key]; s != nil && indexOfScan(s.latest, t.ID) >= 0 {
			return true
		}
	}
	return false
}

// lookForOffline has the targets be found out again if a server that online_only alone keeps out is
// to be watched from now on, or not any more. It is called with a.mu held.
func (a *account) lookForOffline() {
	for i := range a.found.Offline {
		key := scan.KeyOf(a.found.Offline[i].UUID)
		s := a.servers[key]
		if (s == nil || s.offline) && (s != nil) != a.keepsOffline(key, nil) {
			a.lookForTargets()
			return
		}
	}
}

// listsComplete reports whether the lists of all tasks that are followed say all that there is to
// say. It is called with a.mu held.
func (a *account) listsComplete(now time.Time) bool {
	if !a.readsLists() || a.found.Tasks.Err != nil || len(a.found.Tasks.Items) == 0 {
		return false
	}
	for i := range a.found.Tasks.Items {
		if t := &a.found.Tasks.Items[i]; !a.lists[t.ID].fresh(t, a.config.Discovery.Tasks.ServerScansInterval, now) {
			return false
		}
	}
	return true
}

// listStatuses returns what is published of the lists, in the order of the tasks. It is called with
// a.mu held.
func (a *account) listStatuses() []scan.ListStatus {
	var list []scan.ListStatus
	for _, t := range a.found.Tasks.Items {
		if l := a.lists[t.ID]; l != nil {
			list = append(list, l.status)
		}
	}
	return list
}

// review is due when the tasks were read, and now and then. It finds out whether lists still guide
// polling: only then is there anything to plan anew. It is called with a.mu held.
func (a *account) review(now time.Time) {
	if a.listsComplete(now) != a.guided {
		a.replan(now)
		return
	}
	a.statuses = a.listStatuses()
}

// replan finds out whether lists guide polling, and puts all servers that wait where they belong.
// It is called with a.mu held.
func (a *account) replan(now time.Time) {
	a.guided = a.listsComplete(now)
	a.statuses = a.listStatuses()
	a.noticeUnnamed()
	a.queue.clear()
	for _, s := range a.order {
		if a.guided {
			a.confirm(s, now)
		}
		if !s.polling {
			a.enqueue(s, now)
		}
	}
}

// noticeUnnamed logs when a list begins to leave open which servers some of its scans are of, and
// when none does any more. That one names no server at all is logged by who reads it. It is called
// with a.mu held.
func (a *account) noticeUnnamed() {
	task := ""
	for _, of := range a.statuses {
		if l := a.lists[of.TaskID]; l.complete && l.names && l.unnamed > 0 {
			task = of.TaskID
		}
	}
	if unread(a.config.Discovery, a.found) > 0 || (task != "") == a.unnamed {
		return
	}
	a.unnamed = task != ""
	l := log.With(a.log, "kind", "server_scans")
	if task == "" {
		level.Info(l).Log("msg", "the lists of the tasks' servers name all servers again")
		return
	}
	level.Warn(l).Log("msg", "the list of a task's servers names some that are not known: all servers are polled as without it", "task_id", task)
}

// confirm takes note that complete lists say nothing new about a server: what is known of it is not
// stale. It is called with a.mu held.
func (a *account) confirm(s *server, now time.Time) {
	at := scan.InstantOf(now)
	if s.news < noNews || !s.guidable(a.config.Settings, at) {
		return
	}
	if a.config.StaleAfter == 0 {
		return // nothing ever is
	}
	// Not every time: whatever changes has to be encoded anew for scrapes.
	if due := s.latest.Confirmed.Add(a.config.StaleAfter / 2); max(due, s.latest.LastSuccess.Add(a.config.StaleAfter/2)) <= at {
		a.amend(s, func(r *scan.Record) { r.Confirmed = at })
	}
}

// plan decides when a server is due, and returns how urgent it is then. It is called with a.mu
// held.
func (a *account) plan(s *server, now time.Time) rank {
	at, settings := scan.InstantOf(now), a.config.Settings
	s.due = s.dueAlone
	switch {
	case s.failures > 0:
	case s.news < noNews:
		s.due = s.newsAt
		return s.news
	case a.guided && s.guidable(settings, at):
		interval := guidedInterval(len(a.servers), a.config.RequestsPerSecond, settings)
		start := scan.InstantOf(s.started)
		due := spread(s.latest.Target.Key(), start, max(settings.SettledInterval, settings.StaleAfter), interval)
		s.due = guidedDue(s.latest, start, start.Until(due), settings).Time()
	}
	return rankOf(s.latest, settings, at)
}

// guidable reports whether lists that say nothing new are reason enough not to poll the server.
func (s *server) guidable(settings config.Settings, now scan.Instant) bool {
	return s.covered && s.asked != nil && slices.Equal(s.asked.Types, s.latest.Target.Types) && guidable(s.latest, settings, now)
}

// covers returns a function that reports whether lists of discovered tasks tell of all tasks that a
// target is asked for.
func covers(found discovery.Found) func(*scan.Target) bool {
	followed := make(map[string]bool, len(found.Tasks.Items))
	for _, t := range found.Tasks.Items {
		followed[t.ID] = true
	}
	known := make(map[*string]bool) // most targets share their slice of IDs
	return func(t *scan.Target) bool {
		if len(t.TaskIDs) == 0 {
			return false
		}
		all, seen := known[&t.TaskIDs[0]]
		if !seen {
			all = !slices.ContainsFunc(t.TaskIDs, func(id string) bool { return !followed[id] })
			known[&t.TaskIDs[0]] = all
		}
		return all
	}
}
