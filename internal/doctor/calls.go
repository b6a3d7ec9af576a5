package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// attempts bounds the calls for one answer; retryPause comes between them unless the service
	// asks for more.
	attempts   = 3
	retryPause = time.Second
)

// call makes a call within the account's quota, again if that may help.
func (e *examination) call(ctx context.Context, ask func(context.Context) error) *sas.Error {
	for attempt := 1; ; attempt++ {
		interval := time.Duration(float64(time.Second) / e.account.RequestsPerSecond)
		if !pause(ctx, interval-time.Since(e.calledAt)) {
			return &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
		}
		e.calledAt = time.Now()
		err := ask(ctx)
		if err == nil {
			return nil
		}
		var failed *sas.Error
		if !errors.As(err, &failed) {
			return &sas.Error{Class: sas.Permanent, Result: sas.ResultResponse}
		}
		passing := failed.Class == sas.Retryable || failed.Class == sas.Throttled || failed.Again
		if !passing || attempt == attempts || !pause(ctx, max(retryPause, failed.RetryAfter)) {
			return failed
		}
	}
}

// pause waits. It returns false if the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// report prints what the result of a call says about credentials and permission. goOn reports
// whether other calls can succeed, done whether this one did.
func (e *examination) report(action string, failed *sas.Error) (goOn, done bool) {
	if failed == nil {
		e.accept()
		if !slices.Contains(e.granted, action) {
			e.granted = append(e.granted, action)
			e.say(fine, "permission", permission(action)+" is granted", "")
		}
		return true, true
	}
	switch {
	case failed.Denied && e.api.Member() != "":
		e.accept()
		e.say(broken, "member account", failed.Error(), fmt.Sprintf(
			"see that %s is a member of the resource directory, that the credentials are of its management account or a delegated administrator, and that these have %s",
			e.api.Member(), permission(action)))
		return true, false
	case failed.Denied:
		e.accept()
		e.say(broken, "permission", failed.Error(), fmt.Sprintf(
			"add %s to the RAM policy, as printed below; if it is there already, add yundun-aegis:%s", permission(action), action))
		return true, false
	case failed.Class == sas.Refused:
		r := refusalOf(failed.Result)
		e.say(broken, r.subject, failed.Error(), r.step)
		return r.operation, false
	case failed.Class == sas.Clock:
		e.say(broken, "clock", failed.Error(), setClock)
		return false, false
	case failed.Class == sas.Canceled:
		e.say(broken, action, "interrupted", "start --doctor again")
		return false, false
	case failed.Status == 0:
		e.say(broken, "endpoint", failed.Error(), "it answered before: try again, and look at what lies between, such as a proxy")
		return false, false
	case failed.Class == sas.Response:
		e.say(broken, "endpoint", failed.Error(), checkEndpoint)
		return false, false
	}
	e.accept()
	e.say(broken, action, failed.Error(), callAdvice(failed))
	return true, false
}

// accept prints once that the credentials are good.
func (e *examination) accept() {
	if !e.accepted {
		e.accepted = true
		e.say(fine, "credentials", "accepted", "")
	}
}
