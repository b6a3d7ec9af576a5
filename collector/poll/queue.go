package poll

import (
	"cmp"
	"container/heap"
	"time"
)

// turnAfter is how many polls in a row go before a server without news that has waited for longer
// than the queue's patience. Without it a quota that others use up would let all that is known of
// it go stale.
const turnAfter = 9

// queue holds the servers that wait for their next poll. The zero value is an empty queue; it is
// not safe for concurrent use.
type queue struct {
	ranks      [ranks]dueHeap
	patience   time.Duration // how long past its time a server without news waits for its turn
	passedOver int           // polls since such a server waits
}

func (q *queue) push(s *server, r rank) { heap.Push(&q.ranks[r], s) }

// clear empties the queue.
func (q *queue) clear() { q.ranks = [ranks]dueHeap{} }

// pop returns the server to poll now: the most overdue one of the lowest rank that has any due, but
// see turnAfter. It returns nil if none is due.
func (q *queue) pop(now time.Time) *server {
	var from, late *dueHeap // late: its first server has waited beyond the patience
	for r := range q.ranks {
		h := &q.ranks[r]
		if len(*h) == 0 || (*h)[0].due.After(now) {
			continue
		}
		from = cmp.Or(from, h)
		if rank(r) >= rankUnfinished && now.Sub((*h)[0].due) > q.patience {
			late = h
		}
	}
	if from == nil {
		return nil
	}
	if q.passedOver++; q.passedOver > turnAfter {
		from = cmp.Or(late, from)
	}
	if late == nil || from == late {
		q.passedOver = 0
	}
	return heap.Pop(from).(*server)
}

// due returns when the first server is due; the zero time if none waits.
func (q *queue) due() (first time.Time) {
	for _, h := range q.ranks {
		if len(h) > 0 && (first.IsZero() || h[0].due.Before(first)) {
			first = h[0].due
		}
	}
	return first
}

// dueHeap orders servers by the time they are due, and those of which one list has news by when
// their scans began; container/heap's interface.
type dueHeap []*server

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return cmp.Or(h[i].due.Compare(h[j].due), h[i].began.Compare(h[j].began)) < 0
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(*server)) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
