package web

import (
	"fmt"
	"net/http"
)

// maxLists bounds the answers of /sd under way: each holds all servers.
const maxLists = 4

// atMost answers 503 while so many requests are being served; 0 is no limit. advice says what to do
// then, besides trying again.
func atMost(limit int, advice string, next http.Handler) http.Handler {
	if limit == 0 {
		return next
	}
	places := make(chan struct{}, limit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("%d such requests are being served, which is the limit: try again later%s", limit, advice), http.StatusServiceUnavailable)
		}
	})
}
