package web

import (
	"net/http"

	"aliyun_vulscan_exporter/collector"
)

// targetGroup is one entry of Prometheus' HTTP service discovery
// (prometheus.io/docs/prometheus/latest/http_sd).
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// metaLabel begins the labels of discovered targets: they are dropped after
// relabelling.
const metaLabel = "__meta_aliyun_vulscan_"

// targets answers with the watched servers, one in a group, for others to
// scrape. Where no address is known, the UUID stands in its place.
func (h *handler) targets(w http.ResponseWriter, _ *http.Request) {
	servers := h.Servers()
	groups := make([]targetGroup, len(servers))
	for i, s := range servers {
		groups[i] = groupOf(s)
	}
	writeJSON(w, http.StatusOK, groups)
}

func groupOf(s collector.Watched) targetGroup {
	address := s.IP
	if address == "" {
		address = s.UUID
	}
	g := targetGroup{Targets: []string{address}, Labels: map[string]string{}}
	for name, value := range map[string]string{
		"account": s.Account, "uuid": s.UUID, "server": s.Name, "region": s.Region, "instance_id": s.InstanceID, "ip": s.IP, "os": s.OS,
	} {
		g.Labels[metaLabel+name] = value
	}
	for name, value := range s.Labels {
		g.Labels[metaLabel+"label_"+name] = value
	}
	return g
}
