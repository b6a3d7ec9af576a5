package poll

import (
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
)

// retarget makes what was found, and the configuration, the account's servers. Those that stay keep
// what is known of them; those that are new get what the state has. It is not called twice at once.
func (a *account) retarget(found discovery.Found) {
	stored := a.restore(found)
	now := a.now()
	a.mu.Lock()
	defer a.unlock()
	a.found = found
	a.forgetTasks()
	for _, l := range a.lists {
		a.identify(l)
	}
	list := targets(a.config, found, a.owns, func(s *discovery.Server) bool { return a.keepsOffline(s, stored) })
	gone := a.servers
	a.servers, a.order = make(map[string]*server, len(list)), make([]*server, 0, len(list))
	var added []*scan.Entry
	var types []string
	for _, t := range list {
		s := gone[t.Key()]
		known := s != nil && instanceOf(s.latest.Target.AssetInfo) == instanceOf(t.AssetInfo)
		if s == nil {
			s = a.newServer(t.Target, stored, now)
			added = append(added, s.entry)
		}
		delete(gone, t.Key())
		a.renew(s, t.Target, now)
		s.covered, s.offline = t.covered, t.offline
		for _, l := range a.lists {
			if !known {
				a.hear(s, l)
			}
		}
		a.servers[t.Key()], a.order = s, append(a.order, s)
		for _, typ := range t.Types {
			if !slices.Contains(types, typ) {
				types = append(types, typ)
			}
		}
	}
	left := make([]*scan.Entry, 0, len(gone))
	for _, s := range gone {
		a.giveBack(s)
		left = append(left, s.entry)
		a.noLongerFailing(s.latest.Failure)
	}
	a.published.Arrange(added, left)
	a.published.Update(func(s *scan.AccountStatus) { s.Types = types })
	a.options.Events.WatchTypes(a.config.Name, types)
	a.replan(now)
}

// The functions below are called with a.mu held.

// keepsOffline reports whether a server stays watched that online_only alone would keep out: a
// subtask of it is unfinished or failing, or an unfinished task lists it. Where there is no task to
// ask about, what is known of subtasks, by the state at least, is of tasks that left.
func (a *account) keepsOffline(asset *discovery.Server, stored map[string]scan.Record) bool {
	noTasks := len(a.config.TaskIDs)+len(a.found.Tasks.Items) == 0
	if noTasks && (a.config.Discovery.Tasks == nil || !a.found.Tasks.At.IsZero()) {
		return false
	}
	key := scan.KeyOf(asset.UUID)
	if s := a.servers[key]; s != nil && s.latest.Troubled() || a.listed(asset) {
		return true
	}
	kept := stored[key]
	return a.servers[key] == nil && kept.Troubled()
}

// newServer returns a server that was not watched so far; stored is what the state has.
func (a *account) newServer(t *scan.Target, stored map[string]scan.Record, now time.Time) *server {
	s := &server{dueAlone: now, news: noNews, latest: &scan.Record{Target: t, Total: -1}}
	if from, known := stored[t.Key()]; known {
		s.latest = from.Restored(t, &a.policy, scan.InstantOf(now))
		s.savedAt = s.latest.LastSuccess
	}
	s.entry = &scan.Entry{Record: s.latest}
	return s
}

// renew gives a server what is now said of it.
func (a *account) renew(s *server, t *scan.Target, now time.Time) {
	before := s.latest.Target
	if before.Same(t) {
		return
	}
	a.amend(s, func(r *scan.Record) {
		r.Target = t
		dropTasks(r, before)
	})
	if !asksTheSame(before, t) {
		s.dueAlone = now
	}
}

// dropTasks takes the subtasks of tasks out of r that the server was asked for before, and is not any
// more.
func dropTasks(r *scan.Record, before *scan.Target) {
	left := slices.DeleteFunc(slices.Clone(before.TaskIDs), func(id string) bool { return slices.Contains(r.Target.TaskIDs, id) })
	if len(r.Target.TaskIDs) == 0 { // no answer will take what came under other IDs
		for i := range r.Subtasks {
			left = append(left, r.Subtasks[i].TaskID)
		}
	}
	r.DropTasks(left)
}

// amend changes what is known of a server apart from what polls find.
func (a *account) amend(s *server, change func(*scan.Record)) {
	shown := *s.entry.Record
	change(&shown)
	if s.latest == s.entry.Record {
		s.latest = &shown // mostly: then nothing is held twice
	} else {
		latest := *s.latest
		change(&latest)
		s.latest = &latest
	}
	a.published.Publish(s.entry, &shown)
}

// enqueue puts a server that is not being polled back into the queue. One that there is nothing to
// ask about is not polled, nor is one twice by a Poller that polls once.
func (a *account) enqueue(s *server, now time.Time) {
	urgency := a.plan(s, now)
	if len(s.latest.Target.TaskIDs) > 0 && (!a.options.Once || !s.latest.Polled) {
		a.queue.push(s, urgency)
	}
}
