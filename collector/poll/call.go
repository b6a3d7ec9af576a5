package poll

import (
	"context"
	"errors"

	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/internal/sas"
)

// maxAttempts bounds the calls for one question while the API throttles.
const maxAttempts = 3

// call makes a call when turn says that it may start, and again where the failure says that this
// helps. If heldBack reports true by then, it makes none.
func call[T any](ctx context.Context, a *account, turn func(context.Context) error, heldBack func() bool, send func() (T, error)) (T, *sas.Error) {
	var none T
	for attempt := 1; ; attempt++ {
		if turn(ctx) != nil || heldBack() {
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
		level.Debug(a.logger).Log("msg", "call failed", "uuid", failed.UUID, "attempt", attempt, "class", failed.Class, "err", failed.Brief())
		again := failed.Again && attempt == 1
		if failed.Class == sas.Throttled {
			a.limiter.throttled(sent, a.now(), failed.RetryAfter)
			again = attempt < maxAttempts
			a.publish()
		}
		if !again {
			return none, failed
		}
	}
}
