package collector

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aliyun_vulscan_exporter/config"
)

// chunkServers is how many servers share a chunk. Smaller chunks are rendered
// less often for a neighbour's sake; larger ones compress better.
const chunkServers = 16

// chunk is some servers of one account. What is made of them for a scrape is
// kept until one of them changes, so that a scrape costs what has changed since
// the last one, and not what is there.
type chunk struct {
	servers []*server
	version uint64 // raised whenever a record is replaced, under the account's mu
}

// chunked divides servers into chunks.
func chunked(servers []*server) []*chunk {
	var list []*chunk
	for some := range slices.Chunk(servers, chunkServers) {
		c := &chunk{servers: some}
		for _, s := range some {
			s.chunk = c
		}
		list = append(list, c)
	}
	return list
}

// show publishes what polls of a server found. It is called with a.mu held.
func (a *account) show(s *server, f *finding) {
	r := f.record
	if now := s.latest.server; r.server != now { // it was given another name meanwhile
		renamed := *r
		renamed.server = now
		r = &renamed
	}
	a.publish(s, r)
	for _, ended := range f.ended {
		a.metrics.scanEnded(a.config.Name, ended)
	}
}

// publish makes a record the one that scrapes see. It is called with a.mu held.
func (a *account) publish(s *server, r *record) {
	s.record = r
	s.chunk.version++
}

// builder makes something of a chunk's records, each as of one moment: records
// never change. before is what was made of the chunk last, nil if that is not
// even right for records that are still the same. until is when what was made
// will be out of date even if no record changes; zero: never.
type builder[T any] func(records []*record, now time.Time, before *T) (made *T, until time.Time)

// cache keeps what builders make of each chunk of an account.
type cache[T any] struct {
	account    *account
	newBuilder func() builder[T] // a builder works for one goroutine at a time

	mu       sync.Mutex
	layout   int       // of the account, when kept was made
	kept     []kept[T] // as account.chunks
	builders []builder[T]
	changed  []change  // while chunks are built anew
	records  []*record // of those
}

type kept[T any] struct {
	chunk   *chunk
	built   *T
	version uint64
	until   time.Time // as builder has it
}

func (k *kept[T]) outdated(now time.Time) bool { return !k.until.IsZero() && !now.Before(k.until) }

// change is a chunk that is to be built anew of cache.records[from:to].
type change struct{ chunk, from, to int }

func newCache[T any](a *account, newBuilder func() builder[T]) *cache[T] {
	return &cache[T]{account: a, newBuilder: newBuilder, layout: -1}
}

// current gives what is made of each chunk now. Scrapes at the same time wait
// for one another here, and then find everything built.
func (c *cache[T]) current(now time.Time) []*T {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findChanged(now)
	c.build(now)
	clear(c.records) // or it would keep what is known of servers long after
	all := make([]*T, len(c.kept), len(c.kept)+1)
	for i := range c.kept {
		all[i] = c.kept[i].built
	}
	return all
}

// findChanged gathers the records of all chunks that are to be built anew, all
// at the same moment.
func (c *cache[T]) findChanged(now time.Time) {
	c.changed, c.records = c.changed[:0], c.records[:0]
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	c.align()
	for i := range c.kept {
		k, chunk := &c.kept[i], c.kept[i].chunk
		if k.built != nil && k.version == chunk.version && !k.outdated(now) {
			continue
		}
		k.version = chunk.version
		from := len(c.records)
		for _, s := range chunk.servers {
			c.records = append(c.records, s.record)
		}
		c.changed = append(c.changed, change{i, from, len(c.records)})
	}
}

// align makes kept what it has to be where chunks came or went. It is called
// with the account's mu held.
func (c *cache[T]) align() {
	if c.layout == c.account.layout {
		return
	}
	before := make(map[*chunk]kept[T], len(c.kept))
	for _, k := range c.kept {
		before[k.chunk] = k
	}
	c.layout, c.kept = c.account.layout, make([]kept[T], len(c.account.chunks))
	for i, chunk := range c.account.chunks {
		c.kept[i] = before[chunk]
		c.kept[i].chunk = chunk
	}
}

// manyChunks are worth another goroutine.
const manyChunks = 50

// build makes the changed chunks, on all processors if they are many.
func (c *cache[T]) build(now time.Time) {
	workers := min(runtime.GOMAXPROCS(0), len(c.changed)/manyChunks+1)
	for len(c.builders) < workers {
		c.builders = append(c.builders, c.newBuilder())
	}
	var next atomic.Int64
	work := func(build builder[T]) {
		for i := next.Add(1) - 1; i < int64(len(c.changed)); i = next.Add(1) - 1 {
			of := c.changed[i]
			k, records := &c.kept[of.chunk], c.records[of.from:of.to]
			before := k.built
			if k.outdated(now) {
				before = nil
			}
			k.built, k.until = build(records, now, before)
		}
	}
	var others sync.WaitGroup
	for _, build := range c.builders[1:workers] {
		others.Go(func() { work(build) })
	}
	work(c.builders[0])
	others.Wait()
}

// changesBy is when what is published of a server changes although no answer
// does it: values become stale, subtasks count as stalled. It is first if that
// is sooner; zero: never.
func (r *record) changesBy(first time.Time, s config.Settings, now time.Time) time.Time {
	soonest := func(t time.Time) {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if s.StaleAfter > 0 {
		soonest(r.lastSuccess.Add(s.StaleAfter))
	}
	for i := range r.subtasks {
		if r.subtasks[i].unfinished() {
			soonest(r.subtasks[i].statusSince.time().Add(s.StallAfter))
		}
	}
	return first
}
