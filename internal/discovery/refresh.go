package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// firstRetry follows a failure that may pass by itself. After further ones in a row it doubles,
	// up to the refresh interval.
	firstRetry = 5 * time.Second
	// refusedPause is the shortest pause after failures that a person has to mend.
	refusedPause = 30 * time.Second
	// leastPause keeps a list that takes longer to read than its interval from being read all the
	// time.
	leastPause = time.Second
)

// Results of refreshes that are not complete although every call succeeded.
const (
	resultPartial     = "partial"
	resultUnconfirmed = "unconfirmed"
)

// incomplete is the reason why a list that was read does not replace the known one.
type incomplete struct{ result, text string }

func (e *incomplete) Error() string { return e.text }

// listing is a list as it was read, not yet compared with what is known.
type listing[T any] struct {
	items     []T // what passes the filters, each once
	doubt     string
	anomalies map[sas.Anomaly]int
	remark    remark
}

// list keeps one kind current.
type list[T any] struct {
	name     string // for errors
	interval time.Duration
	find     func(context.Context) (listing[T], error)
	key      func(T) string
	// trim returns the items to follow, of those that pass the filters, and how many are left out
	// although they should be followed.
	trim func([]T) ([]T, int)
	// count returns how many items are followed.
	count  func([]T) int
	tell   func(List[T])
	logger log.Logger
	logged map[condition]string // what was logged last

	known List[T]
	// doubted is what the last list had, if it was doubtful and lacked known items; otherwise nil.
	doubted []T
}

func newList[T any](o Options, kind, action string, interval time.Duration) *list[T] {
	return &list[T]{
		name:     fmt.Sprintf("%s for account %q", action, o.Account),
		interval: interval,
		count:    func(items []T) int { return len(items) },
		logger:   log.With(o.Logger, "account", o.Account, "kind", kind),
		logged:   map[condition]string{failing: "not yet tried"},
	}
}

// run refreshes the list until the context ends.
func (l *list[T]) run(ctx context.Context) {
	failures := 0
	for {
		start := time.Now()
		err := l.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		failures++
		if !transient(err) {
			failures = 0
		}
		took := time.Since(start)
		l.known.Err = err
		l.report(err, took)
		l.tell(l.known)
		if !sleep(ctx, l.pause(err, failures, took)) {
			return
		}
	}
}

// pause is how long to wait after a refresh.
func (l *list[T]) pause(err error, failures int, took time.Duration) time.Duration {
	switch class, result := failureOf(err); {
	case err == nil || result == resultUnconfirmed:
		return max(l.interval-took, leastPause)
	case transient(err):
		return min(firstRetry<<min(failures-1, 20), l.interval)
	case class == sas.Canceled:
		return min(refusedPause, l.interval)
	}
	return max(refusedPause, l.interval)
}

// refresh reads the list and makes it the known one. Items that a doubtful list lacks stay, until
// the next list lacks them too.
func (l *list[T]) refresh(ctx context.Context) error {
	found, err := l.find(ctx)
	if err != nil {
		return err
	}
	l.remarkOn(found)
	if found.doubt == "" && len(found.items) == 0 {
		found.doubt = "nothing was found"
	}
	before := l.known.Items
	if l.doubted != nil {
		before = l.doubted
	}
	if found.doubt == "" {
		before = nil
	}
	l.known.Items, l.known.LeftOut = l.trim(slices.Concat(found.items, l.lacking(found.items, before)))
	l.remarkOnLeftOut()
	l.doubted = nil
	if missing := l.lacking(found.items, l.known.Items); len(missing) > 0 {
		l.doubted = append([]T{}, found.items...) // not nil, even if empty
		return &incomplete{resultUnconfirmed, fmt.Sprintf(
			"%s: %s; %d known entries that it lacks stay until the next list lacks them too", l.name, found.doubt, len(missing))}
	}
	l.remarkOnEmptiness(found)
	l.known.At = time.Now()
	return nil
}

// lacking returns the items that are not in a list.
func (l *list[T]) lacking(list, items []T) []T {
	has := make(map[string]bool, len(list))
	for _, item := range list {
		has[l.key(item)] = true
	}
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return has[l.key(item)] })
}

// failureOf returns the class of a failure, and the API's error code or another name for the
// result. The result is empty if err is nil.
func failureOf(err error) (class sas.Class, result string) {
	var (
		failed *sas.Error
		part   *incomplete
	)
	switch {
	case err == nil:
		return sas.Permanent, ""
	case errors.As(err, &failed):
		return failed.Class, failed.Result
	case errors.As(err, &part):
		return sas.Permanent, part.result
	}
	return sas.Permanent, sas.ResultResponse
}

// transient reports whether a failure may pass by itself.
func transient(err error) bool {
	class, _ := failureOf(err)
	return class == sas.Retryable || class == sas.Throttled || class == sas.Response
}
