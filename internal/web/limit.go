package web

import "net/http"

// maxLists bounds the answers of /sd under way: each holds all servers.
const maxLists = 4

// atMost answers 503 while so many requests are being served.
func atMost(limit int, next http.HandlerFunc) http.HandlerFunc {
	places := make(chan struct{}, limit)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many such answers are being sent: try again in a second", http.StatusServiceUnavailable)
		}
	}
}
