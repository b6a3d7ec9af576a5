package expose

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// encoded are the metrics of one group, by family. They are never changed.
type encoded struct {
	plain    [][]byte         // where nothing is deflated
	deflated []gzipjoin.Piece // where it is
}

// size is how many bytes a family's metrics take before they are deflated.
func (m *encoded) size(family int) int {
	if m.plain != nil {
		return len(m.plain[family])
	}
	return m.deflated[family].TextSize()
}

// cache holds the encoded groups of one encoding.
type cache[G, V comparable, S any] struct {
	engine   *Engine[G, V, S]
	encoding Encoding
	asked    time.Time // under the engine's mu

	mu      sync.Mutex
	slots   []slot[G, V, S]
	changed []int // places in slots, for their memory
	workers []*worker
}

// slot is one group and what was made of it.
type slot[G, V comparable, S any] struct {
	group   G
	value   V
	sum     S
	until   time.Time
	encoded *encoded // nil: not yet
}

// worker encodes groups, one at a time.
type worker struct {
	emitter  *Emitter
	deflater *gzipjoin.Deflater // nil: nothing is deflated
}

func newCache[G, V comparable, S any](e *Engine[G, V, S], encoding Encoding) *cache[G, V, S] {
	c := &cache[G, V, S]{engine: e, encoding: encoding}
	c.workers = append(c.workers, c.newWorker())
	return c
}

func (c *cache[G, V, S]) newWorker() *worker {
	encoders := make([]Encoder, len(c.engine.families))
	for i := range encoders {
		encoders[i] = NewEncoder(c.encoding.Format, &c.engine.families[i])
	}
	w := &worker{emitter: NewEmitter(encoders)}
	if c.encoding.Gzip {
		w.deflater = gzipjoin.NewDeflater()
	}
	return w
}

// scrape encodes what has changed and returns everything. Scrapes in the same encoding at the same
// time wait for one another, and then find nothing changed.
func (c *cache[G, V, S]) scrape(now time.Time) *Scrape {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.align()
	c.findChanged(now)
	now = c.engine.now() // nothing that was found happened later
	c.encodeChanged(now)
	s := &Scrape{families: c.engine.families, encoders: c.workers[0].emitter.encoders, groups: make([]*encoded, 0, len(c.slots)+1)}
	sums := make([]S, len(c.slots))
	for i := range c.slots {
		s.groups = append(s.groups, c.slots[i].encoded)
		sums[i] = c.slots[i].sum
	}
	c.workers[0].emitter.reset()
	c.engine.source.Total(sums, now, c.workers[0].emitter)
	s.groups = append(s.groups, c.workers[0].finish(nil))
	return s
}

// align matches the slots to the present groups.
func (c *cache[G, V, S]) align() {
	groups := c.engine.source.Groups()
	if len(groups) == len(c.slots) {
		same := true
		for i := range groups {
			same = same && groups[i] == c.slots[i].group
		}
		if same {
			return
		}
	}
	before := make(map[G]slot[G, V, S], len(c.slots))
	for _, s := range c.slots {
		before[s.group] = s
	}
	c.slots = make([]slot[G, V, S], len(groups))
	for i, g := range groups {
		c.slots[i] = before[g]
		c.slots[i].group = g
	}
}

// findChanged lists the slots that have to be encoded anew, with what they now hold.
func (c *cache[G, V, S]) findChanged(now time.Time) {
	c.changed = c.changed[:0]
	for i := range c.slots {
		s := &c.slots[i]
		v := c.engine.source.Load(s.group)
		if s.encoded != nil && v == s.value && (s.until.IsZero() || now.Before(s.until)) {
			continue
		}
		s.value = v
		c.changed = append(c.changed, i)
	}
}

// manyGroups are worth another goroutine.
const manyGroups = 50

// encodeChanged encodes the changed slots, on all processors if they are many.
func (c *cache[G, V, S]) encodeChanged(now time.Time) {
	var next atomic.Int64
	work := func(w *worker) {
		for i := next.Add(1) - 1; i < int64(len(c.changed)); i = next.Add(1) - 1 {
			s := &c.slots[c.changed[i]]
			w.emitter.reset()
			s.sum, s.until = c.engine.source.Collect(s.value, now, w.emitter)
			s.encoded = w.finish(s.encoded)
		}
	}
	wanted := min(runtime.GOMAXPROCS(0), 1+len(c.changed)/manyGroups)
	for len(c.workers) < wanted {
		c.workers = append(c.workers, c.newWorker())
	}
	var others sync.WaitGroup
	for _, w := range c.workers[1:wanted] {
		others.Go(func() { work(w) })
	}
	work(c.workers[0])
	others.Wait()
}

// finish returns what the emitter has taken. before is what the same group had, nil if that is not
// known: what is the same is not deflated again.
func (w *worker) finish(before *encoded) *encoded {
	metrics := w.emitter.metrics
	if w.deflater != nil {
		var pieces []gzipjoin.Piece
		if before != nil {
			pieces = before.deflated
		}
		return &encoded{deflated: w.deflater.Deflate(pieces, metrics...)}
	}
	made := &encoded{plain: make([][]byte, len(metrics))}
	all := bytes.Join(metrics, nil)
	for i, m := range metrics {
		made.plain[i], all = all[:len(m):len(m)], all[len(m):]
	}
	return made
}
