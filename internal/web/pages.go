package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed style.css
var style string

// refreshSeconds is how often a page loads itself anew.
const refreshSeconds = 30

// page is what all pages have.
type page struct {
	Title   string
	Toggle  string // the same page with or without Refresh; empty: it never loads itself anew
	Refresh int    // after how many seconds it loads itself anew; 0: not
}

// reloading returns a page that loads itself anew unless the request's parameters say otherwise. A
// header does that: a meta element could not be turned off.
func reloading(w http.ResponseWriter, title, path string, q url.Values) page {
	if q.Get("refresh") == "off" {
		return page{Title: title, Toggle: with(path, q, "refresh", "")}
	}
	w.Header().Set("Refresh", strconv.Itoa(refreshSeconds))
	return page{title, with(path, q, "refresh", "off"), refreshSeconds}
}

// newPages reads the templates of the pages, by name.
func (h *handler) newPages() map[string]*template.Template {
	all := make(map[string]*template.Template)
	for _, name := range []string{"status", "server", "landing", "problem"} {
		t := template.New("layout.html").Funcs(h.functions())
		all[name] = template.Must(t.ParseFS(templates, "templates/layout.html", "templates/"+name+".html"))
	}
	return all
}

// functions are what templates can call. Times are in UTC, as in the log.
func (h *handler) functions() template.FuncMap {
	return template.FuncMap{
		"style":     func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
		"link":      h.link,
		"telemetry": func() string { return h.link(h.TelemetryPath) },
		"server": func(account, uuid string) string {
			return h.link("/status/server") + "?" + url.Values{"account": {account}, "uuid": {uuid}}.Encode()
		},
		"stamp":    func(t collector.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock":    func(t collector.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"age":      func(t collector.Time) string { return span(time.Since(t.Time).Seconds()) },
		"span":     span,
		"rate":     func(r float64) string { return strconv.FormatFloat(math.Round(r*100)/100, 'f', -1, 64) },
		"percent":  func(p float64) string { return strconv.Itoa(int(p*100)) + "%" },
		"readable": func(name string) string { return strings.ReplaceAll(name, "_", " ") },
		"states":   states,
		"parts":    collector.PartNames,
		"class": func(part int) string {
			if part < collector.PartFailed {
				return "s" + strconv.Itoa(part)
			}
			return collector.PartNames()[part]
		},
	}
}

// span returns a duration for people: two units at most.
func span(seconds float64) string {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	switch s := int(max(0, seconds)); {
	case s < minute:
		return fmt.Sprintf("%d s", s)
	case s < hour:
		return fmt.Sprintf("%d min %d s", s/minute, s%minute)
	case s < day:
		return fmt.Sprintf("%d h %d min", s/hour, s%hour/minute)
	default:
		return fmt.Sprintf("%d d %d h", s/day, s%day/hour)
	}
}

// show renders a page. Nothing is sent before all of it is rendered.
func (h *handler) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	err := h.pages[name].Execute(&b, data)
	send(w, r, status, "text/html; charset=utf-8", b.Bytes(), err)
}

// plain is the content type of texts.
const plain = "text/plain; charset=utf-8"

// send answers with a text, gzipped for clients that take that, or 500 if the text could not be
// made. An error of writing is the client's: it has gone, or reads too slowly.
func send(w http.ResponseWriter, r *http.Request, status int, kind string, text []byte, err error) {
	if err != nil {
		status, kind, text = http.StatusInternalServerError, plain, []byte("the answer cannot be shown\n")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Add("Vary", "Accept-Encoding")
	if !expose.AcceptsGzip(r.Header) {
		w.WriteHeader(status)
		_, _ = w.Write(text)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packed, _ := gzip.NewWriterLevel(w, gzip.StatelessCompression) // fails only for a level that there is not
	_, _ = packed.Write(text)
	_ = packed.Close()
}
