package web

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
)

// summaryTable shows how each account fares. Account names come from the
// configuration and are escaped.
var summaryTable = template.Must(template.New("summary").Parse(`<h2>Servers watched</h2>
<table><tr><th>account</th><th>ok</th><th>failing</th><th>pending</th><th></th></tr>
{{range .}}<tr><td>{{.Account}}</td><td>{{.OK}}</td><td>{{.Failing}}</td><td>{{.Pending}}</td><td>{{if .Refused}}credentials refused: see the log{{end}}</td></tr>
{{end}}</table>`))

// landing serves the start page. It is rendered at each request, because
// exporter-toolkit's page holds what it was given when it was made.
func (h *handler) landing(w http.ResponseWriter, r *http.Request) {
	var table strings.Builder
	if err := summaryTable.Execute(&table, h.Summaries()); err != nil {
		http.Error(w, "the summary cannot be shown", http.StatusInternalServerError)
		return
	}
	profiling := "false"
	if h.Pprof {
		profiling = "true"
	}
	page, err := web.NewLandingPage(web.LandingConfig{
		Name:        "aliyun_vulscan_exporter",
		Description: "Vulnerability scans of Alibaba Cloud Security Center for Prometheus",
		Version:     h.Version,
		Profiling:   profiling,
		ExtraHTML:   table.String(),
		ExtraCSS:    "table { border-collapse: collapse; } th, td { padding: 0.2em 1em; text-align: left; }",
		Links: []web.LandingLinks{
			{Address: h.TelemetryPath, Text: "Metrics", Description: "what Prometheus scrapes"},
			{Address: "/config", Text: "Configuration", Description: "the one that runs, without secrets"},
			{Address: "/-/ready", Text: "Readiness", Description: "whether every server was polled once"},
			{Address: "/-/healthy", Text: "Health", Description: "whether the process serves"},
		},
	})
	if err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	page.ServeHTTP(w, r)
}
