package expose

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

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
	Collect(v V, now time.Time, e *Emitter) (sum S, until time.Time)
	// Total emits the metrics of all groups together. It is called for every scrape, with the sum
	// of each group.
	Total(sums []S, now time.Time, e *Emitter)
}

// unusedAfter is how long encoded metrics are held for an encoding that nobody asks for.
const unusedAfter = 10 * time.Minute

// Engine holds the encoded metrics of a Source. It is safe for concurrent use.
type Engine[G, V comparable, S any] struct {
	families []Family
	source   Source[G, V, S]
	now      func() time.Time

	mu     sync.Mutex
	caches map[Encoding]*cache[G, V, S]
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
// the same encoding are not encoded again.
func (e *Engine[G, V, S]) Scrape(encoding Encoding) *Scrape {
	now := e.now()
	return e.cache(encoding, now).scrape(now)
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
		c = newCache(e, encoding)
		e.caches[encoding] = c
	}
	c.asked = now
	return c
}
