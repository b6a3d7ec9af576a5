package web

import (
	"net/http"
	"strings"

	"aliyun_vulscan_exporter/collector"
)

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
	writeJSON(w, http.StatusOK, groups)
}

// addressOf returns where a server is to be found; an IPv6 address needs brackets before a port can
// be added.
func addressOf(t collector.Target) string {
	switch ip := t.Asset().IP; {
	case ip == "":
		return t.UUID
	case strings.Contains(ip, ":"):
		return "[" + ip + "]"
	default:
		return ip
	}
}

func groupOf(s collector.Target) targetGroup {
	asset := s.Asset()
	g := targetGroup{Targets: []string{addressOf(s)}, Labels: map[string]string{}}
	for name, value := range map[string]string{
		"account": s.Account, "uuid": s.UUID, "server": s.Name, "region": asset.Region, "instance_id": asset.InstanceID, "ip": asset.IP, "os": asset.OS,
	} {
		g.Labels[metaLabel+name] = value
	}
	for name, value := range s.Labels {
		g.Labels[metaLabel+"label_"+name] = value
	}
	return g
}
