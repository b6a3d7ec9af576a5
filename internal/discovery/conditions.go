package discovery

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/internal/sas"
)

// condition is something that may last over many refreshes. It is logged when it begins, when it
// changes and when it ends.
type condition int

const (
	failing  condition = iota // the refresh is not complete
	odd                       // the list does not fit the documentation
	peculiar                  // the list is unusual in another way
	overfull                  // more tasks run than are followed
	empty                     // the service lists nothing
)

// remark is something to log about a list that was read; the zero value is none.
type remark struct {
	msg    string
	normal bool  // it is logged at level info
	detail []any // keys and values
}

// report logs how a refresh ended.
func (l *list[T]) report(err error, took time.Duration) {
	class, state := failureOf(err)
	entries := l.count(l.known.Items)
	logger := level.Debug(l.logger)
	// A call that was held back is logged by its caller.
	changed := class != sas.Canceled && l.changed(failing, state)
	if err == nil {
		if changed {
			logger = level.Info(l.logger)
		}
		logger.Log("msg", "the list is complete", "entries", entries, "took", took)
		return
	}
	if changed {
		logger = level.Warn(l.logger)
	}
	complete := "never"
	if !l.known.At.IsZero() {
		complete = l.known.At.UTC().Format(time.RFC3339)
	}
	logger.Log("msg", "the list is not complete, what was known before stays", "result", state,
		"last_complete", complete, "entries", entries, "took", took, "err", brief(err))
}

// brief returns an error for a line of the log that names the account already.
func brief(err error) error {
	if failed, ok := errors.AsType[*sas.Error](err); ok {
		return failed.Brief()
	}
	return err
}

// changed reports whether a condition is another one than was logged last.
func (l *list[T]) changed(c condition, state string) bool {
	before := l.logged[c]
	l.logged[c] = state
	return before != state
}

// remarkOn logs what is odd about a list that was read.
func (l *list[T]) remarkOn(f listing[T]) {
	l.remark(peculiar, f.remark)
	if len(f.anomalies) == 0 {
		l.remark(odd, remark{})
		return
	}
	kinds := slices.Sorted(maps.Keys(f.anomalies))
	counts := make([]string, len(kinds))
	for i, kind := range kinds {
		counts[i] = fmt.Sprintf("%s=%d", kind, f.anomalies[kind])
	}
	l.remark(odd, remark{
		msg:    fmt.Sprintf("what does not fit the documentation was mended or left out: %s", kinds),
		detail: []any{"anomalies", strings.Join(counts, " ")},
	})
}

// remarkOnLeftOut logs that some running tasks are not followed.
func (l *list[T]) remarkOnLeftOut() {
	if l.known.LeftOut == 0 {
		l.remark(overfull, remark{})
		return
	}
	l.remark(overfull, remark{
		msg:    "more tasks run than are followed: raise max_tasks, or narrow sources",
		detail: []any{"followed", len(l.known.Items), "left_out", l.known.LeftOut},
	})
}

// remarkOnEmptiness logs that a complete list has no entries, unless its finder has said why
// already.
func (l *list[T]) remarkOnEmptiness(f listing[T]) {
	r := remark{}
	if len(f.items) == 0 && f.remark.msg == "" {
		r.msg = "the service lists none: what the configuration names itself is all that is polled"
	}
	l.remark(empty, r)
}

func (l *list[T]) remark(c condition, r remark) {
	before := l.logged[c]
	if !l.changed(c, r.msg) {
		return
	}
	logger := level.Warn(l.logger)
	if r.normal || r.msg == "" {
		logger = level.Info(l.logger)
	}
	if r.msg == "" {
		logger.Log("msg", "no longer: "+before)
		return
	}
	log.With(logger, "msg", r.msg).Log(r.detail...)
}
