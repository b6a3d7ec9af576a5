package collector

import (
	"maps"
	"slices"
	"time"

	"aliyun_vulscan_exporter/internal/state"
)

// retarget makes a list the account's servers. Those that stay keep what is
// known of them; kept is what the state has of those that are new.
func (a *account) retarget(list []*target, kept map[string]state.Server) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := make(map[string]*server, len(a.servers))
	for _, s := range a.servers {
		gone[s.record.server.key()] = s
	}
	var added []*server
	servers := make([]*server, 0, len(list))
	for _, t := range list {
		s := gone[t.key()]
		if s == nil {
			s = a.newServer(t, a.fromState(t, kept), now)
			added = append(added, s)
		} else {
			delete(gone, t.key())
			a.renew(s, t, now)
		}
		servers = append(servers, s)
	}
	for _, s := range gone {
		s.gone = true
		a.noLonger(s.latest.failure)
	}
	a.servers, a.types = servers, typesOf(servers)
	a.rechunk(added, len(gone) > 0)
	a.requeue(now)
}

// renew gives a server that stays what is now said of it.
func (a *account) renew(s *server, t *target, now time.Time) {
	if s.latest.server.same(t) {
		return
	}
	latest := *s.latest
	latest.server = t
	s.latest = &latest
	shown := *s.record
	shown.server = t
	a.publish(s, &shown)
	if asked := questions(t); !slices.EqualFunc(asked, s.questions, sameQuestion) {
		s.questions, s.due, s.askedAnew = asked, now, true
	}
}

// rechunk takes servers that are gone out of their chunks and adds others at
// the end, so that the chunks of all others stay as they are rendered.
func (a *account) rechunk(added []*server, someGone bool) {
	if someGone {
		var chunks []*chunk
		for _, c := range a.chunks {
			if left := slices.DeleteFunc(slices.Clone(c.servers), func(s *server) bool { return s.gone }); len(left) < len(c.servers) {
				c.servers = left
				c.version++
			}
			if len(c.servers) > 0 {
				chunks = append(chunks, c)
			}
		}
		a.chunks = chunks
	}
	for _, s := range added {
		if n := len(a.chunks); n == 0 || len(a.chunks[n-1].servers) == chunkServers {
			a.chunks = append(a.chunks, &chunk{})
		}
		s.chunk = a.chunks[len(a.chunks)-1]
		s.chunk.servers = append(s.chunk.servers, s)
		s.chunk.version++
	}
	if len(a.chunks) > 2*(len(a.servers)/chunkServers+1) { // too many went
		a.chunks = chunked(a.servers)
	}
	a.layout++
}

// requeue builds the queue anew. Servers that are being polled come back to it
// by themselves.
func (a *account) requeue(now time.Time) {
	a.queue.urgent, a.queue.others = nil, nil
	for _, s := range a.servers {
		if !s.polling {
			a.enqueue(s, now)
		}
	}
}

// enqueue puts a server that is not being polled back into the queue. One that
// there is nothing to ask about is not polled, nor is one twice by a collector
// that polls once.
func (a *account) enqueue(s *server, now time.Time) {
	if len(s.questions) > 0 && !s.gone && (!a.once || !s.latest.tried) {
		a.queue.push(s, urgent(s.latest, a.config.Settings, now))
	}
}

// fromState gives a server as the state has it, or nil.
func (a *account) fromState(t *target, kept map[string]state.Server) *server {
	from, known := kept[t.UUID]
	if !known {
		return nil
	}
	r := restored(t, from, a.interpretation())
	return &server{latest: r, record: r, stamped: instantOf(r.lastSuccess)}
}

// keptState reads what the state has of servers that the account does not know.
func (a *account) keptState(list []*target, known map[string]*server) map[string]state.Server {
	if a.keeper == nil || !slices.ContainsFunc(list, func(t *target) bool { return known[t.key()] == nil }) {
		return nil
	}
	kept, _ := a.keeper.state.Restore(a.config.Name) // the state tells of its troubles
	return kept
}

// byKey gives servers by what tells them apart.
func byKey(servers []*server) map[string]*server {
	return maps.Collect(func(yield func(string, *server) bool) {
		for _, s := range servers {
			if !yield(s.latest.server.key(), s) {
				return
			}
		}
	})
}
