package poll

import (
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/state"
)

// restore reads what the state has of servers that the account does not know.
func (a *account) restore(found discovery.Found) map[string]state.Server {
	if a.writer == nil {
		return nil
	}
	a.mu.Lock()
	first := a.found.Servers.At.IsZero() // an offline server may have been watched before
	list := targets(a.config, found, a.options.Owns, func(s *discovery.Server) bool { return first || a.servers[scan.KeyOf(s.UUID)] != nil || a.listed(s) })
	known := !slices.ContainsFunc(list, func(t target) bool { return a.servers[t.Key()] == nil })
	a.mu.Unlock()
	if known {
		return nil
	}
	return a.writer.restore(a.config.Name)
}

// restore returns what the state has of an account's servers, by key. The state logs if it fails.
func (w *stateWriter) restore(account string) map[string]state.Server {
	stored, _ := w.state.Restore(account)
	servers := make(map[string]state.Server, len(stored))
	for uuid, s := range stored {
		if other, twice := servers[scan.KeyOf(uuid)]; !twice || other.LastSuccess.Before(s.LastSuccess) {
			servers[scan.KeyOf(uuid)] = s
		}
	}
	return servers
}

// open makes an account's failures known to events as they were counted by earlier processes. label
// bounds the types: each process may have met others.
func (w *stateWriter) open(account string, label func(typ string) string, events Events) {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	if w.failures[account] != nil { // it left the configuration and is back
		for typ, n := range w.failures[account] {
			events.ScanFailures(account, typ, n)
		}
		return
	}
	failures := make(map[string]float64)
	stored := w.restore(account)
	counted, known := stored[failuresKey(account).UUID]
	slices.SortFunc(counted.Errors, func(a, b state.ErrorCount) int { return strings.Compare(a.Type, b.Type) })
	for _, e := range counted.Errors {
		failures[label(e.Type)] += e.Count
	}
	if !known { // the state is of a version that did not count them
		for _, s := range stored {
			for _, e := range s.Errors {
				failures[label(e.Type)] += e.Count
			}
		}
	}
	w.failures[account] = failures
	for typ, n := range failures {
		events.ScanFailures(account, typ, n)
	}
}

// failuresKey is where the state has the sum of an account's failures. It is the sum of what was
// ever counted, not of what is watched: a counter that falls when a server leaves would look like
// new failures.
func failuresKey(account string) state.Key { return state.Key{Account: account} }

func failuresEntry(account string, failures map[string]float64) state.Entry {
	e := state.Entry{Key: failuresKey(account), Server: state.Server{TotalCount: -1}}
	for typ, n := range failures {
		e.Server.Errors = append(e.Server.Errors, state.ErrorCount{Type: typ, Count: n})
	}
	return e
}

// entry returns what of a record is kept over restarts. step is how far the system's clock, by
// which the next process will start, is ahead of ours.
func entry(account string, r *scan.Record, step time.Duration) state.Entry {
	at := func(i scan.Instant) time.Time {
		if i == 0 {
			return time.Time{}
		}
		return i.Add(step).Time()
	}
	e := state.Entry{
		Key:    state.Key{Account: account, UUID: r.Target.Key()},
		Server: state.Server{LastSuccess: at(r.LastSuccess), EmptySince: at(r.EmptySince), TotalCount: r.Total},
	}
	for i := range r.Subtasks {
		s := &r.Subtasks[i]
		e.Server.Subtasks = append(e.Server.Subtasks, state.Subtask{
			TaskID: s.TaskID, Type: s.Type, Status: s.Status, Code: s.Code, Question: int(s.Question),
			Changed: at(s.Changed), StatusSince: at(s.StatusSince), Started: at(s.Started), Began: at(s.Began),
		})
	}
	for _, c := range r.Errors {
		e.Server.Errors = append(e.Server.Errors, state.ErrorCount{Type: c.Type, Code: c.Code, Count: c.Count, Created: at(c.Created)})
	}
	return e
}

// restored returns the record of a server that was last known by an earlier process. It counts as
// not polled yet, and its values are published as if it had been. If the clock was set back since,
// nothing of it lies in the future.
func restored(t *scan.Target, from state.Server, p *scan.CodePolicy, now scan.Instant) *scan.Record {
	ahead := max(0, now.Until(scan.InstantOf(from.LastSuccess)))
	at := func(t time.Time) scan.Instant {
		if t.IsZero() {
			return 0
		}
		return min(now, scan.InstantOf(t).Add(-ahead))
	}
	r := &scan.Record{Target: t, LastSuccess: at(from.LastSuccess), EmptySince: at(from.EmptySince), Total: from.TotalCount}
	there := make(map[[2]string]bool, len(from.Subtasks))
	for _, s := range from.Subtasks {
		subtask := scan.Subtask{
			TaskID: s.TaskID, Type: p.Types.Label(s.Type), Status: s.Status, Code: s.Code, Question: uint16(s.Question),
			Changed: at(s.Changed), StatusSince: at(s.StatusSince), Started: at(s.Started), Began: at(s.Began),
		}
		if subtask.Began == 0 { // an older version did not keep it
			subtask.Began = subtask.Changed
		}
		if s.Code != "" {
			subtask.CodeLabel = p.Codes.Label(s.Code)
		}
		if key := [2]string{subtask.TaskID, subtask.Type}; !there[key] {
			there[key] = true
			r.Subtasks = append(r.Subtasks, subtask)
		}
	}
	scan.MarkSuperseded(r.Subtasks)
	for _, c := range from.Errors {
		addError(r, scan.ErrorCount{Type: p.Types.Label(c.Type), Code: p.Codes.Label(c.Code), Count: c.Count, Created: at(c.Created)})
	}
	return r
}

// addError adds a count to those of a record. Where too many labels are known already, some counts
// share the label that stands for all others.
func addError(r *scan.Record, c scan.ErrorCount) {
	for i := range r.Errors {
		if e := &r.Errors[i]; e.Type == c.Type && e.Code == c.Code {
			e.Count, e.Created = e.Count+c.Count, min(e.Created, c.Created)
			return
		}
	}
	r.Errors = append(r.Errors, c)
}
