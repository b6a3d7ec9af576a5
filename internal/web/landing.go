package web

import (
	"net/http"

	"aliyun_vulscan_exporter/collector"
)

// landing serves the start page.
func (h *handler) landing(w http.ResponseWriter, _ *http.Request) {
	h.show(w, http.StatusOK, "landing", struct {
		page
		Version  string
		Accounts []collector.AccountOverview
		Pprof    bool
	}{page{Title: "aliyun_vulscan_exporter", Telemetry: h.TelemetryPath}, h.Version, h.Overview().Accounts, h.Pprof})
}
