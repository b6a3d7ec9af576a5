package discovery

import (
	"context"
	"fmt"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// pageSize is what Alibaba's own examples use; the limit is not documented.
	pageSize = 100
	// maxPages ends a list that would never end, at 200,000 entries. maxScanPages does so for a
	// task's list of servers, at 150,000.
	maxPages     = 2000
	maxScanPages = 1500
	// maxAttempts bounds the calls for a page behind the first one, so that an answer that is lost
	// does not cost the pages before it as well. retryPause comes before the second attempt, twice
	// as much before the third.
	maxAttempts = 3
	retryPause  = 2 * time.Second
)

// place identifies a page of a list: by its number, from 1, or by a token if the number is 0. An
// empty token means the first page.
type place struct {
	number int
	token  string
}

// reading is a list, or the part of it that is needed.
type reading[T any] struct {
	items     []T // each once, in the list's order
	anomalies map[sas.Anomaly]int
	doubt     string // why entries may be missing; empty: none are
	entries   int    // read so far, those included that cannot be used
	total     int64  // what the last page said
}

// pager reads a list page by page.
type pager[T any] struct {
	name string // for errors
	// most is how many pages the list may have.
	most int
	ask  func(context.Context, place) (*sas.Page[T], error)
	key  func(T) string
	// enough reports whether the pages after this one are not needed; nil: they always are.
	enough func(all, page []T) bool
}

// read reads a list from the given page on. An error means that it was not read to its end.
func (p pager[T]) read(ctx context.Context, at place) (*reading[T], error) {
	r := &reading[T]{anomalies: make(map[sas.Anomaly]int), total: -1}
	seen := make(map[string]bool)
	for n := range p.most {
		answer, err := p.fetch(ctx, at, n > 0)
		if err != nil {
			return nil, err
		}
		known := len(r.items)
		for _, item := range answer.Items {
			if key := p.key(item); !seen[key] {
				seen[key] = true
				r.items = append(r.items, item)
			}
		}
		repeated := len(answer.Items) - (len(r.items) - known)
		r.entries += answer.Entries - repeated
		next, more := r.next(at, answer)
		if !more || p.enough != nil && p.enough(r.items, answer.Items) {
			return r, nil
		}
		if len(r.items) == known && next.number > 0 && answer.Entries < pageSize {
			// Only the total said that there is more, and it may be wrong: some services answer
			// with their last page when a later one is asked for.
			r.doubtful("it ended after %d of %d entries", r.entries, r.total)
			return r, nil
		}
		if len(r.items) == known {
			return nil, p.partial("page %d has nothing new, though the list goes on", n+1)
		}
		at = next
	}
	return nil, p.partial("the list has no end after %d pages", p.most)
}

func (p pager[T]) partial(format string, args ...any) error {
	return &incomplete{resultPartial, p.name + ": " + fmt.Sprintf(format, args...)}
}

// fetch asks for a page. It tries again if that may help, except for the first page.
func (p pager[T]) fetch(ctx context.Context, at place, again bool) (*sas.Page[T], error) {
	pause := retryPause
	for attempt := 1; ; attempt++ {
		answer, err := p.ask(ctx, at)
		if !again || attempt == maxAttempts || !transient(err) || !sleep(ctx, pause) {
			return answer, err
		}
		pause *= 2
	}
}

// next checks a page and returns the place of the one after it, if there is one.
func (r *reading[T]) next(at place, answer *sas.Page[T]) (next place, more bool) {
	for a, n := range answer.Anomalies {
		r.anomalies[a] += n
	}
	if answer.Total >= 0 && answer.Total < r.total {
		r.doubtful("it shrank from %d to %d entries while it was read", r.total, answer.Total)
	}
	r.total = answer.Total
	byToken := at.number == 0
	switch {
	case answer.Entries == 0 && byToken && answer.NextToken != "":
		r.doubtful("it ended with an empty page, though a token promised more")
	case answer.Entries == 0:
	case byToken && answer.NextToken != "":
		return place{token: answer.NextToken}, true
	case byToken && at.token != "": // the last page
	case int64(r.entries) == r.total:
	case int64(r.entries) < r.total, answer.Entries >= pageSize:
		// No token came back, or none was asked for.
		return place{number: max(at.number, 1) + 1}, true
	}
	if int64(r.entries) < r.total {
		r.doubtful("it ended after %d of %d entries", r.entries, r.total)
	}
	return place{}, false
}

// doubtful keeps the first reason for doubt.
func (r *reading[T]) doubtful(format string, args ...any) {
	if r.doubt == "" {
		r.doubt = fmt.Sprintf(format, args...)
	}
}

// sleep waits; it says whether the context let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
