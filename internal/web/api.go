package web

import (
	"encoding/json"
	"net/http"
	"strings"

	"aliyun_vulscan_exporter/collector"
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

// targetGroup is one entry of Prometheus' HTTP service discovery
// (prometheus.io/docs/prometheus/latest/http_sd).
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// metaLabel begins the labels of discovered targets: they are dropped after relabelling.
const metaLabel = "__meta_aliyun_vulscan_"

// targets answers with the watched servers that have an address, one in a group, for others to
// scrape. With all=1 it answers with the others too: their UUID stands in the address' place, for
// relabelling.
func (h *handler) targets(w http.ResponseWriter, r *http.Request) {
	all := r.URL.Query().Get("all") == "1"
	groups := []targetGroup{}
	for _, t := range h.Targets() {
		if all || t.Asset().IP != "" {
			groups = append(groups, groupOf(t))
		}
	}
	sendJSON(w, r, http.StatusOK, groups)
}

func groupOf(t collector.Target) targetGroup {
	asset := t.Asset()
	labels := map[string]string{
		metaLabel + "account": t.Account, metaLabel + "uuid": t.UUID, metaLabel + "server": t.Name, metaLabel + "region": asset.Region,
		metaLabel + "instance_id": asset.InstanceID, metaLabel + "ip": asset.IP, metaLabel + "os": asset.OS,
	}
	for name, value := range t.Labels {
		labels[metaLabel+"label_"+name] = value
	}
	address := asset.IP
	switch {
	case address == "":
		address = t.UUID
	case strings.Contains(address, ":"): // IPv6 needs brackets before a port can be added
		address = "[" + address + "]"
	}
	return targetGroup{[]string{address}, labels}
}

func sendError(w http.ResponseWriter, r *http.Request, status int, text string) {
	sendJSON(w, r, status, map[string]string{"error": text})
}

func sendJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	text, err := json.Marshal(value)
	send(w, r, status, "application/json", text, err)
}
