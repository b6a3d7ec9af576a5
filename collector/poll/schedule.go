package poll

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// maxBackoff is the longest that a failing server waits for its next poll.
const maxBackoff = 5 * time.Minute

// nextPoll returns how long after the start of its last poll a server is due again where no list
// says more. failures counts its failed polls in a row; jitter, from 0 to 1, spreads servers that
// began to fail together. Others need no jitter: the quota has spread their first polls, and what
// each waits from then on keeps them so.
func nextPoll(r *scan.Record, failures int, s config.Settings, jitter float64, now scan.Instant) time.Duration {
	switch {
	case failures > 0: // a second that doubles 16 times is more than maxBackoff
		delay := min(maxBackoff, min(s.PollInterval, maxBackoff)<<min(failures-1, 16))
		return delay - time.Duration(jitter*float64(delay)/4)
	case r.Settled(now, s.StallAfter):
		return s.SettledInterval
	}
	// What has hung for hours rarely moves in the next minute: the interval grows with the age of
	// the stall, up to settled_interval.
	stalls := max(1, float64(r.MovedAt().Until(now))/float64(s.StallAfter))
	return max(s.PollInterval, min(time.Duration(stalls*float64(s.PollInterval)), s.SettledInterval))
}

// rank is how urgent a due server is; a lower one comes first.
type rank int

const (
	rankFailed     rank = iota // a list says that its scan failed or timed out since its last poll
	rankCompleted              // a list says that its scan completed since its last poll
	rankStarted                // a list says that its scan started since its last poll
	rankUnfinished             // nothing is known of it, or subtasks are unfinished
	rankOther                  // settled, or its polls fail
	ranks
	noNews = ranks // no list says anything new
)

// rankOf returns how urgent a server of which no list says anything new is once it is due.
func rankOf(r *scan.Record, s config.Settings, now scan.Instant) rank {
	if r.Failure != "" || r.Settled(now, s.StallAfter) {
		return rankOther
	}
	return rankUnfinished
}

// rankOfNews returns how urgent the news is that a server's scan has come to a status.
func rankOfNews(status float64) rank {
	switch status {
	case sas.ScanFailed, sas.ScanTimedOut:
		return rankFailed
	case sas.ScanCompleted:
		return rankCompleted
	case sas.ScanStarted:
		return rankStarted
	}
	return noNews
}

// guidedShare of the quota is what polls of servers may take of which the lists say nothing new.
const guidedShare = 0.04

// guidedInterval returns how long a server waits for its next poll while the lists of its tasks say
// nothing new about it. Of a very large fleet it is so long that a fleet at rest leaves nearly all
// of the quota alone.
func guidedInterval(servers int, callsPerSecond float64, s config.Settings) time.Duration {
	share := time.Duration(float64(servers) / (guidedShare * callsPerSecond) * float64(time.Second))
	return max(s.SettledInterval, s.StaleAfter, share)
}

// spread returns when a server is due that waits for least at the least: the next time that is its
// own within each interval. A fleet that one scan had polled within hours is so polled evenly from
// then on, not all at once again.
func spread(key string, start scan.Instant, least, interval time.Duration) scan.Instant {
	from := start.Add(least)
	if interval <= least {
		return from
	}
	hash := fnv.New64a()
	hash.Write([]byte(key))
	every := scan.Instant(interval.Milliseconds())
	own := scan.Instant(hash.Sum64() % uint64(every))
	return from + ((own-from)%every+every)%every
}

// guidable reports whether lists that say nothing new about a server are reason enough not to poll
// it: its last poll succeeded, and does not contradict them. After a scan has ended by the list,
// its subtasks may take a while to end, too.
func guidable(r *scan.Record, s config.Settings, now scan.Instant) bool {
	if !r.Polled || r.Failure != "" {
		return false
	}
	if r.Settled(now, s.StallAfter) {
		return true
	}
	started := false
	for _, of := range r.ServerScans {
		if of.Ended() && of.Since.Until(now) < s.StallAfter {
			return false
		}
		started = started || of.Status == sas.ScanStarted || of.Ended()
	}
	return started
}

// guidedDue returns when a server is due again of which the lists say nothing new: after the
// interval or, if that is sooner, when a subtask would count as stalled that nobody has looked at
// since.
func guidedDue(r *scan.Record, start scan.Instant, interval time.Duration, s config.Settings) scan.Instant {
	due := start.Add(interval)
	for i := range r.Subtasks {
		if t := &r.Subtasks[i]; t.Unfinished() && !t.Superseded {
			if stalls := t.StatusSince.Add(s.StallAfter); stalls > start {
				due = min(due, stalls)
			}
		}
	}
	return due
}

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
