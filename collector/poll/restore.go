package poll

import (
	"maps"
	"slices"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/state"
)

// restore reads what the state has of servers that the account does not know.
func (a *account) restore(found discovery.Found) map[string]scan.Record {
	if a.writer == nil {
		return nil
	}
	a.mu.Lock()
	first := a.found.Servers.At.IsZero() // an offline server may have been watched before
	list := targets(a.config, found, a.options.Owns, func(key string) bool { return first || a.servers[key] != nil || a.listed(key) })
	known := !slices.ContainsFunc(list, func(t target) bool { return a.servers[t.Key()] == nil })
	a.mu.Unlock()
	if known {
		return nil
	}
	return a.writer.restore(a.config.Name)
}

// restore returns what the state has of an account's servers, by key. The state logs if it fails.
func (w *stateWriter) restore(account string) map[string]scan.Record {
	stored, _ := w.state.Restore(account)
	servers := make(map[string]scan.Record, len(stored))
	for uuid, s := range stored {
		if other, twice := servers[scan.KeyOf(uuid)]; !twice || other.LastSuccess < s.LastSuccess {
			servers[scan.KeyOf(uuid)] = s
		}
	}
	return servers
}

// open makes an account's failures known to events as they were counted by earlier processes, or
// before it left the configuration. label bounds the types: each process may have met others.
func (w *stateWriter) open(account string, label func(typ string) string, events Events) {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	failures := w.failures[account]
	if failures == nil {
		failures = make(map[string]float64)
		stored := w.restore(account)
		if counted, known := stored[failuresKey(account).UUID]; known { // else a version wrote it that did not count them
			stored = map[string]scan.Record{"": counted}
		}
		for _, s := range stored {
			for _, e := range s.Errors {
				failures[label(e.Type)] += e.Count
			}
		}
		w.failures[account] = failures
	}
	for typ, n := range failures {
		events.ScanFailures(account, typ, n)
	}
}

// failuresKey is where the state has the sum of an account's failures. It is the sum of what was
// ever counted, not of what is watched: a counter that falls when a server leaves would look like
// new failures.
func failuresKey(account string) state.Key { return state.Key{Account: account} }

func (w *stateWriter) failuresEntry(account string) state.Entry {
	e := state.Entry{Key: failuresKey(account), Server: scan.Record{Total: -1}}
	for _, typ := range slices.Sorted(maps.Keys(w.failures[account])) { // their labels are given out in this order
		e.Server.Errors = append(e.Server.Errors, scan.ErrorCount{Type: typ, Count: w.failures[account][typ]})
	}
	return e
}
