package poll

import (
	"context"
	"errors"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/internal/sas"
)

// maxAttempts bounds the calls for one question while the API throttles.
const maxAttempts = 3

// call makes a call when turn says that it may start, and again where the failure says that this
// helps.
func call[T any](a *account, turn func() bool, send func() (T, error)) (T, *sas.Error) {
	var none T
	for attempt := 1; ; attempt++ {
		if !turn() {
			return none, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
		}
		sent := a.now()
		answer, err := send()
		if err == nil {
			a.limiter.succeeded(a.now())
			return answer, nil
		}
		failed, ok := errors.AsType[*sas.Error](err)
		if !ok {
			failed = &sas.Error{Class: sas.Retryable, Result: sas.ResultResponse}
		}
		again := failed.Again && attempt == 1
		if failed.Class == sas.Throttled {
			a.limiter.throttled(sent, a.now(), failed.RetryAfter)
			again = attempt < maxAttempts
		}
		a.mu.Lock()
		level.Debug(a.log).Log("msg", "call failed", "uuid", failed.UUID, "attempt", attempt, "class", failed.Class, "err", failed.Brief())
		a.unlock()
		if !again {
			return none, failed
		}
	}
}

// turn returns when a call may start by the quota, which it takes, and reports whether it still
// should: the context has not ended, and credentials are not refused by then, unless this is the
// probe.
func (a *account) turn(ctx context.Context, what purpose, patience time.Duration, probe bool) bool {
	err := a.limiter.wait(ctx, what, patience)
	a.mu.Lock()
	defer a.mu.Unlock()
	return err == nil && (probe || !a.breaker.open)
}

// probeInterval is the pause between calls while credentials are refused.
const probeInterval = 30 * time.Second

// breaker stops an account's calls while its credentials are refused, but for one probe now and
// then.
type breaker struct {
	open    bool
	probeAt time.Time // while open: when the next probe may start
}

// judge opens the breaker when a poll is refused and closes it when one succeeds. Each is logged
// once.
func (a *account) judge(failed *sas.Error, now time.Time) {
	switch {
	case failed == nil && a.breaker.open:
		a.breaker.open = false
		level.Info(a.log).Log("msg", "credentials accepted again, polling resumes")
	case refusal(failed) && !a.breaker.open:
		a.breaker = breaker{open: true, probeAt: now.Add(probeInterval)}
		level.Error(a.log).Log("msg", "calls are refused, the account is only probed until that is mended",
			"probe_interval", probeInterval, "err", failed.Brief())
	}
}

// refusal reports whether every other call of the account would fail like this.
func refusal(failed *sas.Error) bool {
	return failed != nil && (failed.Class == sas.Refused || failed.Class == sas.Clock)
}

// canceled reports whether a call was cut short, by shutdown, reload or refusal.
func canceled(failed *sas.Error) bool { return failed != nil && failed.Class == sas.Canceled }
