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

// credentials says what the service thinks of an account's credentials.
func credentials(a collector.AccountOverview) string {
	switch found := &a.Status.Found; {
	case a.Status.Refused:
		return "refused"
	case a.OK > 0 || !found.Tasks.At.IsZero() || !found.Servers.At.IsZero():
		return "accepted"
	}
	return "not known: no call has succeeded"
}

// idleText says why an account watches nothing; empty: it watches something.
func idleText(a *collector.AccountOverview) string {
	switch {
	case a.Servers() == 0 && a.Status.Unread > 0:
		return "watches nothing yet: its lists are still to be read"
	case a.Servers() == 0:
		return "watches nothing: no server is configured or discovered"
	case a.Pending == a.Servers() && a.Waiting == 0:
		return "watches nothing: none of its servers has a task to ask for"
	}
	return ""
}
