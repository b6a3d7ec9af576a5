package web

import (
	"net/http"
	"runtime"
	"sync/atomic"
)

// maxWaiting bounds the requests that wait for a page.
const maxWaiting = 200

// queue has few pages rendered at a time, so that however many people look at them, polls find a
// processor.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newQueue() *queue { return &queue{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))} }

// limit makes a handler wait for its turn.
func (q *queue) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q.waiting.Add(1) > maxWaiting {
			q.waiting.Add(-1)
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many pages are asked for at once: try again in a second", http.StatusServiceUnavailable)
			return
		}
		select {
		case q.slots <- struct{}{}:
			q.waiting.Add(-1)
			defer func() { <-q.slots }()
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			q.waiting.Add(-1)
		}
	})
}
