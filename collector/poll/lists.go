package poll

import (
	"maps"
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
	// scans are those of the last complete reading of servers that are not watched, but may come to
	// be: by server, or by instance where that is all that is said.
	scans    map[string]sas.ServerScan
	names    bool // any scan of that reading says either
	nameless int  // how many say neither
	unknown  int  // how many are of instances that are not known
}

// listFresh is how long the list of a running task may be relied upon.
const listFresh = 15 * time.Minute

// fresh reports whether the list can be relied upon to say all that there is to say about the
// servers of t.
func (l *taskList) fresh(t *sas.Task, interval time.Duration, now time.Time) bool {
	if l == nil || l.last.Err != nil || l.nameless+l.unknown > 0 {
		return false
	}
	if t.Ended() {
		return l.last.Final()
	}
	return now.Sub(l.last.At) < max(listFresh, 3*interval)
}

// find returns where the scan of a server is in scans; asset is nil where nothing more is known of it.
func (l *taskList) find(uuid string, asset *discovery.Server) (key string, listed bool) {
	key = scan.KeyOf(uuid)
	if _, listed = l.scans[key]; !listed {
		key = instanceOf(asset)
		_, listed = l.scans[key]
	}
	return key, listed
}

func instanceOf(asset *discovery.Server) string {
	if asset == nil {
		return ""
	}
	return asset.InstanceID
}

// readsLists reports whether the lists of tasks' servers are to be read.
func (a *account) readsLists() bool {
	return a.config.Discovery.Tasks != nil && a.config.Discovery.Tasks.ServerScans
}

// scanOptions returns how the lists of the account's tasks are read; nil if they are not.
func (a *account) scanOptions(api discovery.ScanAPI) *discovery.ScanOptions {
	if !a.readsLists() {
		return nil
	}
	o := &discovery.ScanOptions{
		API: api, Interval: a.config.Discovery.Tasks.ServerScansInterval,
		Told: func(r discovery.ServerScans) { a.find(func(f *findings) { f.lists = append(f.lists, r) }) },
	}
	for _, l := range a.lists {
		o.Known = append(o.Known, l.last)
	}
	return o
}

// The functions below are called with a.mu held.

// listsTried reports whether the list of every task was tried to read.
func (a *account) listsTried() bool {
	return !a.readsLists() || !slices.ContainsFunc(a.found.Tasks.Items, func(t sas.Task) bool { return a.lists[t.ID] == nil })
}

// listRead takes the result of reading the list of a task's servers.
func (a *account) listRead(r discovery.ServerScans) {
	a.options.Events.Anomalies(a.config.Name, r.Anomalies)
	task := r.Task.ID
	if !slices.Contains(taskIDs(a.found), task) {
		return // it ceased to be followed while its list was read
	}
	l := a.lists[task]
	if l == nil {
		l = &taskList{status: scan.ListStatus{TaskID: task}}
		a.lists[task] = l
	}
	scans := r.Scans
	r.Scans = nil
	l.last, l.status.Err = r, r.Err
	if r.Err != nil {
		return
	}
	*l = taskList{last: r, status: scan.ListStatus{TaskID: task, At: r.At}, scans: make(map[string]sas.ServerScan, len(scans))}
	for _, of := range scans {
		l.status.ByStatus[scan.StatusPlace(of.Status)]++ // of all servers, as of other facts about tasks
		l.names = l.names || of.NamesServer()
		switch key := scan.KeyOf(of.UUID); {
		case of.UUID != "":
			if a.owns(key) {
				l.scans[key] = of
			}
		case of.InstanceID != "":
			l.scans[of.InstanceID] = of
		default:
			l.nameless++
		}
	}
	a.identify(l)
	if l.unknown > 0 && unread(a.config.Discovery, a.found) == 0 {
		a.options.Events.Anomalies(a.config.Name, map[sas.Anomaly]int{sas.ServerMissing: l.unknown})
	}
	for _, s := range a.order {
		if !a.hear(s, l) { // a complete list says who is in the task no more
			a.unhear(s, func(of scan.ServerScan) bool { return of.TaskID == task })
		}
	}
	l.scans = maps.Collect(maps.All(l.scans)) // a map holds its memory, however little is left in it
}

// identify counts the scans of a list whose instance is not known.
func (a *account) identify(l *taskList) {
	l.unknown = 0
	var known map[string]bool
	for id, of := range l.scans {
		if of.UUID != "" {
			continue
		}
		if known == nil {
			known = make(map[string]bool)
			for s := range serversOf(a.found) {
				known[s.InstanceID] = true
			}
		}
		if !known[id] {
			l.unknown++
		}
	}
}

// hear takes what a list says of a server that is watched, if it says anything.
func (a *account) hear(s *server, l *taskList) (listed bool) {
	key, listed := l.find(s.latest.Target.UUID, s.latest.Target.AssetInfo)
	if !listed {
		return false
	}
	of := l.scans[key]
	delete(l.scans, key)
	now, task := scan.InstantOf(a.now()), l.last.Task.ID
	heard := scan.ServerScan{TaskID: task, LeafID: of.TaskID, Status: of.Status, Since: now}
	at := indexOfScan(s.latest, task)
	news := true
	if at < 0 {
		came := of.Start() // to its status
		if of.Ended() {
			came = of.End()
		}
		news = !s.sawTask(task) || !seenSince(s.latest, came)
	} else if old := s.latest.ServerScans[at]; scan.SameStatus(old.Status, of.Status) {
		if old.LeafID == of.TaskID {
			return true
		}
		heard.Since, news = old.Since, false
	}
	if rank := rankOfNews(of.Status); news && rank < noNews {
		if rank < s.news {
			s.news, s.newsAt, s.began = rank, l.status.At, of.Start()
		}
		s.newsRead = l.status.At
	}
	scans := slices.Clone(s.latest.ServerScans)
	if at < 0 {
		scans = append(scans, heard)
	} else {
		scans[at] = heard
	}
	a.amend(s, func(r *scan.Record) {
		r.ServerScans = scans
		if s.news < noNews {
			r.Due = now
		}
	})
	return true
}

// unhear takes away what lists said of a server.
func (a *account) unhear(s *server, gone func(scan.ServerScan) bool) {
	if slices.ContainsFunc(s.latest.ServerScans, gone) {
		scans := slices.DeleteFunc(slices.Clone(s.latest.ServerScans), gone)
		a.amend(s, func(r *scan.Record) { r.ServerScans = scans })
	}
}

// giveBack keeps what the lists say of a server that is watched no more: it may come back.
func (a *account) giveBack(s *server) {
	key := s.latest.Target.Key()
	for _, of := range s.latest.ServerScans {
		if l := a.lists[of.TaskID]; l != nil {
			l.scans[key] = sas.ServerScan{TaskID: of.LeafID, UUID: key, Status: of.Status}
		}
	}
}

func indexOfScan(r *scan.Record, taskID string) int {
	return slices.IndexFunc(r.ServerScans, func(of scan.ServerScan) bool { return of.TaskID == taskID })
}

// sawTask reports whether a poll that succeeded has asked for a task, or an earlier process knew of
// it.
func (s *server) sawTask(id string) bool {
	return s.asked != nil && slices.Contains(s.asked.TaskIDs, id) ||
		slices.ContainsFunc(s.latest.Subtasks, func(of scan.Subtask) bool { return of.TaskID == id })
}

// seenSince reports whether a poll has succeeded since a moment by the service's clock; the zero
// one is not known.
func seenSince(r *scan.Record, at time.Time) bool {
	// The clocks may differ a little, and a poll takes its time.
	return !at.IsZero() && scan.InstantOf(at.Add(time.Minute)) < r.LastSuccess
}

// forgetTasks drops what is known of lists of tasks that are not followed any more.
func (a *account) forgetTasks() {
	followed := make(map[string]*taskList)
	for _, id := range taskIDs(a.found) {
		if l := a.lists[id]; l != nil && a.readsLists() {
			followed[id] = l
		}
	}
	if len(followed) == len(a.lists) {
		return
	}
	a.lists = followed
	for _, s := range a.servers {
		a.unhear(s, func(of scan.ServerScan) bool { return followed[of.TaskID] == nil })
	}
}

// listed reports whether an unfinished task lists a discovered server.
func (a *account) listed(asset *discovery.Server) bool {
	s := a.servers[scan.KeyOf(asset.UUID)]
	return slices.ContainsFunc(a.found.Tasks.Items, func(t sas.Task) bool {
		l := a.lists[t.ID]
		if l == nil || t.Ended() {
			return false
		}
		_, listed := l.find(asset.UUID, asset)
		return listed || s != nil && indexOfScan(s.latest, t.ID) >= 0
	})
}

// lookForOffline has the targets be found out again if a server that online_only alone keeps out is
// to be watched from now on, or not any more.
func (a *account) lookForOffline() {
	for i := range a.found.Offline {
		asset := &a.found.Offline[i]
		s := a.servers[scan.KeyOf(asset.UUID)]
		if (s == nil || s.offline) && (s != nil) != a.keepsOffline(asset, nil) && a.owns(asset.UUID) {
			a.lookForTargets()
			return
		}
	}
}
