package collector_test

import (
	"net/http"
	"sync"

	"aliyun_vulscan_exporter/internal/simulator"
)

// halves answers the two questions of a server with 60 tasks: the first has 50 of them. An empty
// answer is a failure.
type halves struct {
	mu            sync.Mutex
	first, second string
}

func newHalves() *halves { return &halves{} }

func (h *halves) set(first, second string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first, h.second = first, second
}

func (h *halves) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	h.mu.Lock()
	said := h.first
	if len(r.TaskIDs) < 50 {
		said = h.second
	}
	h.mu.Unlock()
	if said == "" {
		r.Fail(w, 500, "ServerError", "m")
		return true
	}
	reply{body: subtasks(said)}.write(w)
	return true
}
