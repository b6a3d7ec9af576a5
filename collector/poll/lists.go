package poll

import (
	"context"
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// taskList is what the list of one task's servers said.
type taskList struct {
	last   discovery.ServerScans // the last reading, without its scans
	status scan.ListStatus       // of the last complete reading, but for Err
	// named says that the last reading was complete and that every entry of it
	// named its server.
	named bool
	// offline are the servers that it lists of those that online_only keeps out.
	offline map[string]bool
}

// listFresh is how long the list of a running task may be relied upon.
const listFresh = 15 * time.Minute

// fresh reports whether the list can be relied upon to say all that there is to
// say about the servers of t.
func (l *taskList) fresh(t *sas.Task, interval time.Duration, now time.Time) bool {
	if l == nil || !l.named {
		return false
	}
	if t.Ended() {
		return l.last.Final()
	}
	return now.Sub(l.last.At) < max(listFresh, 3*interval)
}

// scanOptions returns how the lists of the account's tasks are read; nil if they
// are not.
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

// listsTried reports whether the list of every task was tried to read. It is
// called with a.mu held.
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

// pacedLists reads pages of tasks' lists within the account's quota: at most
// every second call while polls wait.
type pacedLists struct{ account *account }

// ServerScans implements discovery.ScanAPI.
func (p pacedLists) ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	a := p.account
	return listedPage(ctx, a, func(ctx context.Context) error { return a.limiter.wait(ctx, forList) },
		func() (*sas.Page[sas.ServerScan], error) { return a.api.ServerScans(ctx, q) })
}

// listRead takes the result of reading the list of a task's servers.
func (a *account) listRead(r discovery.ServerScans) {
	if len(r.Anomalies) > 0 {
		a.options.Events.Anomalies(a.config.Name, r.Anomalies)
	}
	a.mu.Lock()
	before := a.lists[r.Task.ID]
	l := &taskList{last: r, status: scan.ListStatus{TaskID: r.Task.ID, Err: r.Err}}
	l.last.Scans = nil
	if before != nil {
		l.status.At, l.status.ByStatus, l.offline = before.status.At, before.status.ByStatus, before.offline
	}
	if r.Err == nil {
		a.hear(l, r)
	}
	a.lists[r.Task.ID] = l
	again := r.Err == nil && (before == nil || !sameKeys(before.offline, l.offline))
	a.replan(a.now())
	a.unlock()
	if again {
		a.lookForTargets()
	}
	a.look()
}

func sameKeys(a, b map[string]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if !b[key] {
			return false
		}
	}
	return true
}

// hear takes what a complete list says of each server. It is called with a.mu
// held.
func (a *account) hear(l *taskList, r discovery.ServerScans) {
	l.status.At, l.status.ByStatus = r.At, [len(l.status.ByStatus)]int{}
	l.named, l.offline = true, make(map[string]bool)
	offline := make(map[string]bool, len(a.found.Offline))
	for i := range a.found.Offline {
		offline[scan.KeyOf(a.found.Offline[i].UUID)] = true
	}
	keyOf := a.keyOfScan(r.Scans)
	listed := make(map[string]bool, len(r.Scans))
	for _, of := range r.Scans {
		key := keyOf(of)
		l.status.ByStatus[scan.StatusPlace(of.Status)]++ // of all servers, as of other facts about tasks
		if key == "" {
			l.named = false
			continue
		}
		if a.options.Owns != nil && !a.options.Owns(key) {
			continue
		}
		listed[key] = true
		if s := a.servers[key]; s != nil {
			a.hearOf(s, r, of)
		}
		if offline[key] && !r.Task.Ended() {
			l.offline[key] = true
		}
	}
	for key, s := range a.servers { // a complete list says who is in the task no more
		if !listed[key] && indexOfScan(s.latest, r.Task.ID) >= 0 {
			a.amend(s, func(record *scan.Record) {
				record.ServerScans = slices.DeleteFunc(slices.Clone(record.ServerScans), func(of scan.ServerScan) bool { return of.TaskID == r.Task.ID })
			})
		}
	}
}

// keyOfScan returns what tells which server a scan is of: "" if nobody knows.
func (a *account) keyOfScan(scans []sas.ServerScan) func(sas.ServerScan) string {
	byInstance := make(map[string]string)
	if slices.ContainsFunc(scans, func(s sas.ServerScan) bool { return s.UUID == "" && s.InstanceID != "" }) {
		for _, list := range [][]discovery.Server{a.found.Servers.Items, a.found.Offline} {
			for i := range list {
				byInstance[list[i].InstanceID] = scan.KeyOf(list[i].UUID)
			}
		}
	}
	return func(s sas.ServerScan) string {
		switch {
		case s.UUID != "":
			return scan.KeyOf(s.UUID)
		case s.InstanceID != "":
			return byInstance[s.InstanceID]
		}
		return ""
	}
}

func indexOfScan(r *scan.Record, taskID string) int {
	return slices.IndexFunc(r.ServerScans, func(s scan.ServerScan) bool { return s.TaskID == taskID })
}

// hearOf takes what a list says of one server. It is called with a.mu held.
func (a *account) hearOf(s *server, r discovery.ServerScans, of sas.ServerScan) {
	now := scan.InstantOf(a.now())
	heard := scan.ServerScan{TaskID: r.Task.ID, LeafID: of.TaskID, Status: of.Status, Since: now}
	at := indexOfScan(s.latest, r.Task.ID)
	var fresh bool // whether the status is news
	if at >= 0 {
		old := s.latest.ServerScans[at]
		if fresh = old.Status != of.Status && !(math.IsNaN(old.Status) && math.IsNaN(of.Status)); !fresh {
			heard.Since = old.Since
		}
		if heard == old || !fresh && heard.LeafID == old.LeafID {
			return
		}
	} else {
		fresh = !seenSince(s.latest, of)
	}
	if of := rankOfNews(of.Status); fresh && of < noNews {
		if of < s.news {
			s.news, s.newsAt = of, a.now()
		}
		s.newsRead = r.At
	}
	a.amend(s, func(record *scan.Record) {
		record.ServerScans = slices.Clone(record.ServerScans)
		if at := indexOfScan(record, r.Task.ID); at >= 0 {
			record.ServerScans[at] = heard
		} else {
			record.ServerScans = append(record.ServerScans, heard)
		}
		if s.news < noNews {
			record.Due = now
		}
	})
}

// seenSince reports whether a poll has succeeded since a scan that is heard of
// for the first time came to its status, by the service's own clock.
func seenSince(r *scan.Record, of sas.ServerScan) bool {
	at := of.Start()
	if of.Ended() {
		at = of.End()
	}
	// The clocks may differ a little, and a poll takes its time.
	return !at.IsZero() && scan.InstantOf(at.Add(time.Minute)) < r.LastSuccess
}

// forgetTasks drops what is known of lists of tasks that are not followed any
// more. It is called with a.mu held.
func (a *account) forgetTasks() {
	followed := make(map[string]bool, len(a.found.Tasks.Items))
	for _, t := range a.found.Tasks.Items {
		followed[t.ID] = true
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

// listed reports whether an unfinished task lists a server. It is called with
// a.mu held.
func (a *account) listed(key string) bool {
	for i := range a.found.Tasks.Items {
		t := &a.found.Tasks.Items[i]
		if t.Ended() {
			continue
		}
		if l := a.lists[t.ID]; l != nil && l.offline[key] {
			return true
		}
		if s := a.servers[key]; s != nil && indexOfScan(s.latest, t.ID) >= 0 {
			return true
		}
	}
	return false
}

// listsComplete reports whether the lists of all tasks that are followed say all
// that there is to say. It is called with a.mu held.
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

// listStatuses returns what is published of the lists, in the order of the
// tasks. It is called with a.mu held.
func (a *account) listStatuses() []scan.ListStatus {
	var list []scan.ListStatus
	for _, t := range a.found.Tasks.Items {
		if l := a.lists[t.ID]; l != nil {
			list = append(list, l.status)
		}
	}
	return list
}

// replan finds out whether lists guide polling, and puts all servers that wait
// where they belong. It is called with a.mu held.
func (a *account) replan(now time.Time) {
	a.guided = a.listsComplete(now)
	a.statuses = a.listStatuses()
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

// confirm takes note that complete lists say nothing new about a server: what is
// known of it is not stale. It is called with a.mu held.
func (a *account) confirm(s *server, now time.Time) {
	at := scan.InstantOf(now)
	if s.news < noNews || !s.covered || !guidable(s.latest, a.config.Settings, at) {
		return
	}
	// Not every time: whatever changes has to be encoded anew for scrapes.
	if due := s.latest.Confirmed.Add(a.config.StaleAfter / 2); max(due, s.latest.LastSuccess.Add(a.config.StaleAfter/2)) <= at {
		a.amend(s, func(r *scan.Record) { r.Confirmed = at })
	}
}

// plan decides when a server is due, and returns how urgent it is then. It is
// called with a.mu held.
func (a *account) plan(s *server, now time.Time) rank {
	at, settings := scan.InstantOf(now), a.config.Settings
	s.due = s.dueAlone
	switch {
	case s.failures > 0:
	case s.news < noNews:
		s.due = s.newsAt
		return s.news
	case a.guided && s.covered && guidable(s.latest, settings, at):
		interval := guidedInterval(len(a.servers), a.config.RequestsPerSecond, settings)
		s.due = guidedDue(s.latest, scan.InstantOf(s.started), interval, settings).Time()
	}
	return rankOf(s.latest, settings, at)
}

// covers returns a function that reports whether lists of discovered tasks tell
// of all tasks that a target is asked for.
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
