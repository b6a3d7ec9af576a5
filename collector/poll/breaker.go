package poll

import (
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// probeInterval is the pause between calls while credentials are refused.
const probeInterval = 30 * time.Second

// breaker stops an account's calls while its credentials are refused, but for one probe now and
// then.
type breaker struct {
	open    bool
	probeAt time.Time // while open: when the next probe may start
}

// judge opens the breaker when a call is refused and closes it when one succeeds. It reports
// whether that changed it.
func (b *breaker) judge(failed *sas.Error, now time.Time) (changed bool) {
	switch {
	case failed == nil && b.open:
		b.open = false
	case refusal(failed) && !b.open:
		b.open, b.probeAt = true, now.Add(probeInterval)
	default:
		return false
	}
	return true
}

// refusal reports whether every other call of the account would fail like this.
func refusal(failed *sas.Error) bool {
	return failed != nil && (failed.Class == sas.Refused || failed.Class == sas.Clock)
}

// canceled reports whether a call was cut short, by shutdown, reload or refusal.
func canceled(failed *sas.Error) bool { return failed != nil && failed.Class == sas.Canceled }
