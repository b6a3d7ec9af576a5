package poll

import (
	"slices"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
)

// All of this is called with a.mu held.

// replan finds out whether lists guide polling, and puts all servers that wait where they belong.
func (a *account) replan(now time.Time) {
	a.guided = a.listsComplete(now)
	a.statuses = nil
	for _, id := range taskIDs(a.found) {
		if l := a.lists[id]; l != nil {
			a.statuses = append(a.statuses, l.status)
		}
	}
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

// listsComplete reports whether the lists of all tasks that are followed say all that there is to
// say.
func (a *account) listsComplete(now time.Time) bool {
	tasks := a.found.Tasks.Items
	for i := range tasks {
		if !a.lists[tasks[i].ID].fresh(&tasks[i], a.config.Discovery.Tasks.ServerScansInterval, now) {
			return false
		}
	}
	return a.readsLists() && a.found.Tasks.Err == nil && len(tasks) > 0
}

// noticeUnnamed logs when a list begins to leave open which servers some of its scans are of, and
// when none does any more. That one names no server at all is logged by who reads it.
func (a *account) noticeUnnamed() {
	task := ""
	for id, l := range a.lists {
		if l.last.Err == nil && l.names && l.nameless+l.unknown > 0 {
			task = id
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
// stale. It does not every time: whatever changes has to be encoded anew for scrapes.
func (a *account) confirm(s *server, now time.Time) {
	at, pause := scan.InstantOf(now), a.config.StaleAfter/2
	if pause == 0 || s.news < noNews || max(s.latest.Confirmed, s.latest.LastSuccess).Add(pause) > at {
		return
	}
	if s.guidable(a.config.Settings, at) {
		a.amend(s, func(r *scan.Record) { r.Confirmed = at })
	}
}

// plan decides when a server is due, and returns how urgent it is then.
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
