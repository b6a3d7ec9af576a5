package poll

import (
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
)

// maxBackoff is the longest that a failing server waits for its next poll.
const maxBackoff = 5 * time.Minute

// nextPoll returns how long after the start of its last poll a server is due
// again. failures counts its failed polls in a row; jitter, from 0 to 1, spreads
// servers that began to fail together. Others need no jitter: the quota has
// spread their first polls, and what each waits from then on keeps them so.
func nextPoll(r *scan.Record, failures int, s config.Settings, jitter float64, now scan.Instant) time.Duration {
	switch {
	case failures > 0:
		return backoff(failures, s.PollInterval, jitter)
	case r.Settled(now, s.StallAfter):
		return s.SettledInterval
	}
	return unfinishedInterval(r.MovedAt().Until(now), s)
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

// rank is how urgent a due server is; a lower one comes first.
type rank int

const (
	rankUnfinished rank = iota // nothing is known of it, or subtasks are unfinished
	rankOther                  // settled, or its polls fail
	ranks
)

// rankOf returns how urgent a server is once it is due.
func rankOf(r *scan.Record, s config.Settings, now scan.Instant) rank {
	known := r.Polled || r.LastSuccess != 0
	if known && (r.Failure != "" || r.Settled(now, s.StallAfter)) {
		return rankOther
	}
	return rankUnfinished
}
