package poll

import (
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// listRead takes the result of reading the list of a task's servers.
func (a *account) listRead(r discovery.ServerScans) {
	if len(r.Anomalies) > 0 {
		a.options.Events.Anomalies(a.config.Name, r.Anomalies)
	}
	a.mu.Lock()
	defer a.look()
	defer a.unlock()
	if !slices.ContainsFunc(a.found.Tasks.Items, func(t sas.Task) bool { return t.ID == r.Task.ID }) {
		return // it ceased to be followed while its list was read
	}
	l := &taskList{last: r, status: scan.ListStatus{TaskID: r.Task.ID}}
	if before := a.lists[r.Task.ID]; before != nil && r.Err != nil {
		*l = *before
		l.last, l.complete = r, false
	}
	l.last.Scans, l.status.Err = nil, r.Err
	if r.Err == nil {
		a.hear(l, r)
	}
	a.lists[r.Task.ID] = l
	a.replan(a.now())
	a.lookForOffline()
}

// hear takes what a complete list says of each server. It is called with a.mu held.
func (a *account) hear(l *taskList, r discovery.ServerScans) {
	l.status.At, l.complete, l.unheard = r.At, true, make(map[string]sas.ServerScan)
	keyOf := a.keyOfScan(slices.Values(r.Scans))
	a.heard++
	unknown := 0 // instances
	for _, of := range r.Scans {
		l.names = l.names || of.NamesServer()
		l.status.ByStatus[scan.StatusPlace(of.Status)]++ // of all servers, as of other facts about tasks
		key := keyOf(of)
		if key != "" && !a.owns(key) {
			continue
		}
		switch s := a.servers[key]; {
		case key == "":
			l.unnamed++
			if of.InstanceID != "" {
				l.unheard[of.InstanceID] = of
				unknown++
			}
		case s == nil:
			l.unheard[key] = of
		default:
			s.heard = a.heard
			a.hearOf(s, l, of)
		}
	}
	if unknown > 0 && unread(a.config.Discovery, a.found) == 0 {
		a.options.Events.Anomalies(a.config.Name, map[sas.Anomaly]int{sas.ServerMissing: unknown})
	}
	for _, s := range a.order { // a complete list says who is in the task no more
		if s.heard != a.heard && indexOfScan(s.latest, r.Task.ID) >= 0 {
			a.amend(s, func(record *scan.Record) {
				record.ServerScans = slices.DeleteFunc(slices.Clone(record.ServerScans), func(of scan.ServerScan) bool { return of.TaskID == r.Task.ID })
			})
		}
	}
}

func (a *account) owns(key string) bool { return a.options.Owns == nil || a.options.Owns(key) }

// identify finds the servers of scans that name an instance which was not known when the list was
// read. It is called with a.mu held.
func (a *account) identify() {
	for _, l := range a.lists {
		if l.unnamed == 0 {
			continue
		}
		keyOf := a.keyOfScan(maps.Values(l.unheard))
		for id, of := range l.unheard {
			key := keyOf(of)
			if of.UUID != "" || key == "" {
				continue
			}
			l.unnamed--
			delete(l.unheard, id)
			if of.UUID = key; a.owns(key) {
				l.unheard[key] = of
			}
		}
	}
}

// hearOfNew takes what the lists said of servers before they were watched. It is called with a.mu
// held.
func (a *account) hearOfNew() {
	for _, l := range a.lists {
		for key, of := range l.unheard {
			if s := a.servers[key]; s != nil {
				delete(l.unheard, key)
				a.hearOf(s, l, of)
			}
		}
	}
}

// unhear keeps what the lists say of a server that is watched no more: it may come back. It is
// called with a.mu held.
func (a *account) unhear(s *server) {
	key := s.latest.Target.Key()
	for _, of := range s.latest.ServerScans {
		if l := a.lists[of.TaskID]; l != nil && l.unheard != nil {
			l.unheard[key] = sas.ServerScan{TaskID: of.LeafID, UUID: key, Status: of.Status}
		}
	}
}

// keyOfScan returns what tells which server a scan is of: "" if nobody knows.
func (a *account) keyOfScan(scans iter.Seq[sas.ServerScan]) func(sas.ServerScan) string {
	byInstance := make(map[string]string)
	byID := false
	for s := range scans {
		byID = byID || s.UUID == "" && s.InstanceID != ""
	}
	if byID {
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
func (a *account) hearOf(s *server, l *taskList, of sas.ServerScan) {
	now, task := scan.InstantOf(a.now()), l.last.Task.ID
	heard := scan.ServerScan{TaskID: task, LeafID: of.TaskID, Status: of.Status, Since: now}
	at := indexOfScan(s.latest, task)
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
		fresh = !s.sawTask(task) || !seenSince(s.latest, cameAt(of))
	}
	if rank := rankOfNews(of.Status); fresh && rank < noNews {
		if rank < s.news {
			s.news, s.newsAt, s.began = rank, l.status.At, of.Start()
		}
		s.newsRead = l.status.At
	}
	a.amend(s, func(record *scan.Record) {
		record.ServerScans = slices.Clone(record.ServerScans)
		if at := indexOfScan(record, task); at >= 0 {
			record.ServerScans[at] = heard
		} else {
			record.ServerScans = append(record.ServerScans, heard)
		}
		if s.news < noNews {
			record.Due = now
		}
	})
}

// sawTask reports whether a poll that succeeded has asked for a task, or an earlier process knew of
// it.
func (s *server) sawTask(id string) bool {
	return s.asked != nil && slices.Contains(s.asked.TaskIDs, id) ||
		slices.ContainsFunc(s.latest.Subtasks, func(of scan.Subtask) bool { return of.TaskID == id })
}

// cameAt returns when a scan came to its status, by the service's own clock; zero if it did not
// say.
func cameAt(of sas.ServerScan) time.Time {
	if of.Ended() {
		return of.End()
	}
	return of.Start()
}

// seenSince reports whether a poll has succeeded since a moment by the service's clock; the zero
// one is not known.
func seenSince(r *scan.Record, at time.Time) bool {
	// The clocks may differ a little, and a poll takes its time.
	return !at.IsZero() && scan.InstantOf(at.Add(time.Minute)) < r.LastSuccess
}
