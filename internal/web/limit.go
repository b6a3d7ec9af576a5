package web

import (
	"fmt"
	"net/http"
)

const (
	// maxLists bounds the answers of /sd under way: each holds all servers.
	maxLists = 4
	// maxWaiting bounds the requests that wait for a page.
	maxWaiting = 200
)

// limiter lets handlers serve so many requests at a time. So many others wait for their turn, and
// all that come then are answered 503 with a text.
func limiter(serving, waiting int, text string) func(http.Handler) http.Handler {
	places, turns := make(chan struct{}, serving+waiting), make(chan struct{}, serving)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			default:
				w.Header().Set("Retry-After", "1")
				http.Error(w, text, http.StatusServiceUnavailable)
				return
			}
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

// atMost is a limiter that lets nobody wait. advice says what to do besides trying again.
func atMost(limit int, advice string) func(http.Handler) http.Handler {
	return limiter(limit, 0, fmt.Sprintf("%d such requests are being served, which is the limit: try again later%s", limit, advice))
}
