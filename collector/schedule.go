package collector

import (
	"container/heap"
	"time"

	"aliyun_vulscan_exporter/config"
)

// maxBackoff is the longest that a failing server waits for its next poll.
const maxBackoff = 5 * time.Minute

// nextPoll says how long after the start of its last poll a server is due
// again. failures counts its failed polls in a row; jitter, from 0 to 1,
// spreads servers that began to fail together.
func nextPoll(r *record, failures int, s config.Settings, jitter float64, now time.Time) time.Duration {
	if failures > 0 {
		delay := min(s.PollInterval, maxBackoff)
		for i := 1; i < failures && delay < maxBackoff; i++ {
			delay = min(2*delay, maxBackoff)
		}
		return delay - time.Duration(jitter*float64(delay)/4)
	}
	if r.settled(now, s.StallAfter) {
		return s.SettledInterval
	}
	return s.PollInterval
}

// urgent says whether a server is polled before all that are not: those that
// were never polled or have unfinished subtasks come before settled and
// failing ones.
func urgent(r *record, s config.Settings, now time.Time) bool {
	return !r.tried || r.failure == "" && !r.settled(now, s.StallAfter)
}

// queue holds the servers that wait for their next poll. The zero value is an
// empty queue; it is not safe for concurrent use.
type queue struct{ urgent, others dueHeap }

func (q *queue) push(s *server, isUrgent bool) {
	if isUrgent {
		heap.Push(&q.urgent, s)
	} else {
		heap.Push(&q.others, s)
	}
}

// pop gives the server to poll now: the most overdue urgent one, else the most
// overdue other one. If none is due, wait is the time until one is; it is
// negative if the queue is empty.
func (q *queue) pop(now time.Time) (s *server, wait time.Duration) {
	wait = -1
	for _, h := range []*dueHeap{&q.urgent, &q.others} {
		if len(*h) == 0 {
			continue
		}
		left := (*h)[0].due.Sub(now)
		if left <= 0 {
			return heap.Pop(h).(*server), 0
		}
		if wait < 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

// lag is how long the most overdue waiting server has been due, 0 if none is.
func (q *queue) lag(now time.Time) time.Duration {
	var lag time.Duration
	for _, h := range []dueHeap{q.urgent, q.others} {
		if len(h) > 0 {
			lag = max(lag, now.Sub(h[0].due))
		}
	}
	return lag
}

// dueHeap orders servers by the time they are due; container/heap's interface.
type dueHeap []*server

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*server)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
