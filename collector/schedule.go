package collector

import (
	"container/heap"
	"math"
	"time"

	"aliyun_vulscan_exporter/config"
)

// maxBackoff is the longest that a failing server waits for its next poll.
const maxBackoff = 5 * time.Minute

// nextPoll says how long after the start of its last poll a server is due
// again. failures counts its failed polls in a row; jitter, from 0 to 1,
// spreads servers that began to fail together. Others need no jitter: the quota
// has spread their first polls, and what each waits from then on keeps them so.
func nextPoll(r *record, failures int, s config.Settings, jitter float64, now time.Time) time.Duration {
	switch {
	case failures > 0:
		return backoff(failures, s.PollInterval, jitter)
	case r.settled(now, s.StallAfter):
		return s.SettledInterval
	}
	return unfinishedInterval(now.Sub(r.movedAt()), s)
}

// backoff doubles from the poll interval up to maxBackoff.
func backoff(failures int, first time.Duration, jitter float64) time.Duration {
	delay := min(first, maxBackoff)
	for i := 1; i < failures && delay < maxBackoff; i++ {
		delay = min(2*delay, maxBackoff)
	}
	return delay - time.Duration(jitter*float64(delay)/4)
}

// unfinishedInterval is the poll interval until scans have not moved for
// stall_after. From then on it grows with the age of the stall, up to
// settled_interval: what has hung for hours rarely moves in the next minute.
func unfinishedInterval(unmoved time.Duration, s config.Settings) time.Duration {
	if unmoved <= s.StallAfter {
		return s.PollInterval
	}
	grown := time.Duration(float64(s.PollInterval) * (float64(unmoved) / float64(s.StallAfter)))
	return max(s.PollInterval, min(grown, s.SettledInterval))
}

// urgent says whether a server is polled before all that are not: those of
// which nothing is known or that have unfinished subtasks come before settled
// and failing ones.
func urgent(r *record, s config.Settings, now time.Time) bool {
	if !r.tried && r.lastSuccess.IsZero() {
		return true
	}
	return r.failure == "" && !r.settled(now, s.StallAfter)
}

// turnAfter is how many polls in a row urgent servers may have while another
// has waited for longer than the queue's patience. Without it a quota that
// unfinished scans use up would let all that is known of the others go stale.
const turnAfter = 9

// queue holds the servers that wait for their next poll. The zero value is an
// empty queue; it is not safe for concurrent use.
type queue struct {
	urgent, others dueHeap
	patience       time.Duration // how long past its time any other server waits for its turn
	passedOver     int           // polls of urgent servers since
}

func (q *queue) push(s *server, isUrgent bool) {
	if isUrgent {
		heap.Push(&q.urgent, s)
	} else {
		heap.Push(&q.others, s)
	}
}

// pop gives the server to poll now: the most overdue urgent one, else the most
// overdue other one, but see turnAfter. If none is due, wait is the time until
// one is; it is negative if the queue is empty.
func (q *queue) pop(now time.Time) (s *server, wait time.Duration) {
	untilUrgent, untilOther := q.urgent.wait(now), q.others.wait(now)
	impatient := len(q.others) > 0 && -untilOther > q.patience
	switch {
	case len(q.urgent) > 0 && untilUrgent <= 0 && (!impatient || q.passedOver < turnAfter):
		if impatient {
			q.passedOver++
		}
		return heap.Pop(&q.urgent).(*server), 0
	case len(q.others) > 0 && untilOther <= 0:
		q.passedOver = 0
		return heap.Pop(&q.others).(*server), 0
	case len(q.urgent) == 0 && len(q.others) == 0:
		return nil, -1
	}
	return nil, min(untilUrgent, untilOther)
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

// wait is the time until the first server is due, negative if it is overdue.
func (h dueHeap) wait(now time.Time) time.Duration {
	if len(h) == 0 {
		return math.MaxInt64
	}
	return h[0].due.Sub(now)
}

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
