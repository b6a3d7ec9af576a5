package poll

import (
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
