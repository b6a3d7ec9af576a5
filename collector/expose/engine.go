// Package expose serves many series cheaply: it encodes them when they change, not when they are
// scraped.
//
// Series come in groups, from a Source. Of each group and each Encoding the Engine holds the
// encoded metrics of every Family, deflated where gzip is asked for, until the group changes; a
// scrape joins what is held. Handler serves the result over HTTP, among the families of an ordinary
// Gatherer. The package knows nothing of what the series mean and could serve any exporter.
package expose

import (
	"fmt"
	"maps"
	"runtime"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Emit adds a metric to the family at a place in the Engine's families. created is when a counter
// began; zero: unknown. values are read at once, and may be changed afterwards.
type Emit func(family int, values []string, value float64, created time.Time)

// Source is where the series of groups come from. A group G is a place; V is what is there now, and
// equal (==) as long as nothing has changed. S is what has to be known of a group for the metrics
// of all groups together. All methods must be safe for concurrent use.
type Source[G, V comparable, S any] interface {
	// Groups returns all groups, each once. The result is not changed.
	Groups() []G
	// Load returns what is in a group now.
	Load(G) V
	// Collect emits the metrics of a group as of now. until is when they will be others although
	// the group has not changed; zero: never.
	Collect(v V, now time.Time, emit Emit) (sum S, until time.Time)
	// Total emits the metrics of all groups together. It is called for every scrape, with the sum
	// of each group.
	Total(sums []S, now time.Time, emit Emit)
}

// unusedAfter is how long encoded metrics are held for an encoding that nobody asks for.
const unusedAfter = 10 * time.Minute

// manyGroups are worth another goroutine.
const manyGroups = 50

// Engine holds the encoded metrics of a Source. It is safe for concurrent use.
type Engine[G, V comparable, S any] struct {
	families []Family
	source   Source[G, V, S]
	now      func() time.Time

	mu     sync.Mutex
	caches map[Encoding]*cache[G, V, S]
}

// cache holds the encoded groups of one encoding.
type cache[G, V comparable, S any] struct {
	*encoders
	asked time.Time // under the engine's mu

	mu     sync.Mutex
	groups map[G]*group[V, S]
}

// group is what a group held, and what was made of it. Pieces, by family, are never changed.
type group[V comparable, S any] struct {
	value  V
	sum    S
	until  time.Time
	pieces []gzipjoin.Piece // nil: not yet
}

// NewEngine returns an engine for a source that emits metrics of families, which are told apart by
// their places. It fails for families that no scraper would take.
func NewEngine[G, V comparable, S any](families []Family, source Source[G, V, S], now func() time.Time) (*Engine[G, V, S], error) {
	if err := check(families); err != nil {
		return nil, fmt.Errorf("metrics that cannot be exposed: %w", err)
	}
	return &Engine[G, V, S]{families: families, source: source, now: now, caches: make(map[Encoding]*cache[G, V, S])}, nil
}

// Scrape returns all metrics as they are now. Groups that have not changed since the last scrape in
// the same encoding are not encoded again. Scrapes in the same encoding at the same time wait for
// one another, and then find nothing changed.
func (e *Engine[G, V, S]) Scrape(encoding Encoding) *Scrape {
	now := e.now()
	c := e.cache(encoding, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	groups, changed := e.update(c, now)
	now = e.now() // nothing that was found happened later
	e.encode(c, changed, now)
	s := &Scrape{encoders: c.encoders, groups: make([][]gzipjoin.Piece, 0, len(groups)+1)}
	sums := make([]S, len(groups))
	for i, g := range groups {
		s.groups = append(s.groups, g.pieces)
		sums[i] = g.sum
	}
	s.groups = append(s.groups, c.pack(nil, func(emit Emit) { e.source.Total(sums, now, emit) }))
	return s
}

// cache returns the cache of an encoding, and forgets those that are not used any more.
func (e *Engine[G, V, S]) cache(encoding Encoding, now time.Time) *cache[G, V, S] {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.caches, func(other Encoding, c *cache[G, V, S]) bool {
		return other != encoding && now.Sub(c.asked) > unusedAfter
	})
	c := e.caches[encoding]
	if c == nil {
		c = &cache[G, V, S]{encoders: newEncoders(encoding, e.families)}
		e.caches[encoding] = c
	}
	c.asked = now
	return c
}

// update makes the present groups those of the cache. It returns them in their order, and those
// that have to be encoded anew.
func (e *Engine[G, V, S]) update(c *cache[G, V, S], now time.Time) (all []*group[V, S], changed chan *group[V, S]) {
	places := e.source.Groups()
	changed = make(chan *group[V, S], len(places))
	present := make(map[G]*group[V, S], len(places))
	for _, place := range places {
		g := c.groups[place]
		if g == nil {
			g = &group[V, S]{}
		}
		present[place], all = g, append(all, g)
		v := e.source.Load(place)
		if g.pieces == nil || v != g.value || !g.until.IsZero() && !now.Before(g.until) {
			g.value = v
			changed <- g
		}
	}
	close(changed)
	c.groups = present
	return all, changed
}

// encode encodes the changed groups, on all processors if they are many.
func (e *Engine[G, V, S]) encode(c *cache[G, V, S], changed chan *group[V, S], now time.Time) {
	work := func() {
		for g := range changed {
			g.pieces = c.pack(g.pieces, func(emit Emit) { g.sum, g.until = e.source.Collect(g.value, now, emit) })
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(changed)/manyGroups) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
