package web

import (
	"encoding/json"
	"net/http"
)

// apiStatus and apiServer answer as docs/api.md has it; the fields are those of the collector's
// types.
func (h *handler) apiStatus(w http.ResponseWriter, r *http.Request) {
	c, status, err := h.content(r.URL.Query())
	if err != nil {
		sendError(w, r, status, err.Error())
		return
	}
	sendJSON(w, r, http.StatusOK, c)
}

func (h *handler) apiServer(w http.ResponseWriter, r *http.Request) {
	account, uuid := r.URL.Query().Get("account"), r.URL.Query().Get("uuid")
	if account == "" || uuid == "" {
		sendError(w, r, http.StatusBadRequest, "give both parameters, account and uuid")
		return
	}
	detail, known := h.Overview().Server(account, uuid)
	if !known {
		sendError(w, r, http.StatusNotFound, "no such server is watched: give account and uuid")
		return
	}
	sendJSON(w, r, http.StatusOK, detail)
}

func sendError(w http.ResponseWriter, r *http.Request, status int, text string) {
	sendJSON(w, r, status, map[string]string{"error": text})
}

func sendJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		send(w, r, http.StatusInternalServerError, plain, []byte("the answer cannot be shown\n"))
		return
	}
	send(w, r, status, "application/json", text)
}
