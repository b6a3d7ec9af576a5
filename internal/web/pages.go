package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed style.css
var style string

// refreshSeconds is how often a page loads itself anew.
const refreshSeconds = 30

// stylePolicy lets browsers apply the pages' own style, and no other.
func stylePolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what all pages have.
type page struct {
	Title, Telemetry string
	Made             bool // it says of when it is, and loads itself anew
	At               time.Time
	Refresh          bool
	RefreshSeconds   int
	Toggle           string // the page with or without Refresh
}

// moment is a time and how long ago that was, when a page was made.
type moment struct{ At, Now time.Time }

// pages are the pages' templates, by name.
type pages map[string]*template.Template

// newPages reads the templates. link makes a path of ours one that others use.
func newPages(link func(string) string) (pages, error) {
	all := make(pages)
	for _, name := range []string{"status", "server", "landing", "problem"} {
		t, err := template.New("layout.html").Funcs(functions(link)).ParseFS(templates, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("the page %s: %w", name, err)
		}
		if t, err = t.New("since").Parse(`{{if .At.IsZero}}never{{else}}<time datetime="{{stamp .At}}" title="{{clock .At}}">{{span (.Now.Sub .At)}}</time> ago{{end}}`); err != nil {
			return nil, fmt.Errorf("the page %s: %w", name, err)
		}
		all[name] = t.Lookup("layout.html")
	}
	return all, nil
}

// functions are what templates can call. Times are in UTC, as in the log.
func functions(link func(string) string) template.FuncMap {
	return template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
		"link":  link,
		"server": func(account, uuid string) string {
			return link("/status/server") + "?" + url.Values{"account": {account}, "uuid": {uuid}}.Encode()
		},
		"stamp":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock":       func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"span":        span,
		"rate":        func(r float64) string { return strconv.FormatFloat(math.Round(r*100)/100, 'f', -1, 64) },
		"status":      statusText,
		"class":       partClass,
		"scanStatus":  scanStatus,
		"scanBad":     func(status float64) bool { return slices.Contains(badScans, scan.StatusPlace(status)) },
		"ids":         idsText,
		"credentials": credentials,
		"idle":        func(a collector.AccountOverview) string { return idleText(&a) },
		"since":       func(s collector.Scan) moment { return moment{problemSince(s), time.Now()} },
		"ago":         func(t time.Time) moment { return moment{t, time.Now()} },
	}
}

// problemSince is when what is shown of a subtask began: its code, or else its status.
func problemSince(s collector.Scan) time.Time {
	if s.Code == "" && s.Stalled {
		return s.Moved
	}
	return s.Changed
}

// statusText gives a status with its number.
func statusText(status float64) string {
	if math.IsNaN(status) {
		return "none"
	}
	return fmt.Sprintf("%s (%g)", scan.StatusName(status), status)
}

// partClass is the class of the part of a bar that counts the subtask.
func partClass(s collector.Scan) string {
	switch {
	case s.Superseded && (s.Code != "" || s.Status != sas.StatusComplete):
		return "answered"
	case s.Code != "":
		return "failed"
	}
	return "s" + strconv.Itoa(scan.StatusPlace(s.Status))
}

// idsText says under which IDs the service answers about a task's servers.
func idsText(ids string) string {
	return cmp.Or(map[string]string{"root": "the task's", "leaf": "the server scan's", "both": "both kinds"}[ids], "not known")
}

// scanStatus is the status of a server's scan within a task.
func scanStatus(status float64) string {
	return readable(scan.ServerScanNames()[scan.StatusPlace(status)])
}

// readable is a name of a status as people write it.
func readable(name string) string { return strings.ReplaceAll(name, "_", " ") }

// span gives a duration for people: two units at most.
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// show renders a page. Nothing is sent before all of it is rendered.
func (h *handler) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := h.pages[name].Execute(&b, data); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// problem shows why there is no page.
func (h *handler) problem(w http.ResponseWriter, status int, text string) {
	h.show(w, status, "problem", struct {
		page
		Problem string
	}{page{Title: http.StatusText(status), Telemetry: h.TelemetryPath}, text})
}
