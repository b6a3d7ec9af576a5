package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// statusPage is the page of everything.
type statusPage struct {
	page
	Parts                  []part
	Types                  []typeBar
	Accounts               []collector.AccountOverview
	Tasks                  []taskLine
	TaskCount              int // also of those that the page has no room for
	TasksLeftOut           int // that run and are not followed
	Account, Search, State string
	States                 []string
	Problems               []collector.Scan
	ProblemCount           int
	ProblemPages           pager
	Servers                []collector.Server
	ServerCount            int
	ServerPages            pager
}

const (
	succeeded = "succeeded"
	failed    = "failed"
)

// part is what a bar counts of a type's subtasks, and the class of its colour.
type part struct{ Name, Class string }

// parts are all of them in the order of a bar: the statuses of subtasks without an error code, then
// the subtasks that failed and those that a newer scan answered.
func parts() []part {
	var all []part
	for place, name := range scan.StatusNames() {
		if place == sas.StatusComplete {
			name = succeeded
		}
		all = append(all, part{name, "s" + strconv.Itoa(place)})
	}
	return append(all, part{failed, "failed"}, part{"answered", "answered"})
}

// typeBar is the subtasks of one type, of all accounts that are shown.
type typeBar struct {
	Type    string
	Counts  []int // of parts
	Stalled int
	InWords string // the bar for those who do not see it
	Bar     []segment
}

// Bad reports whether a count is one of subtasks that failed.
func (b typeBar) Bad(place int) bool { return parts()[place].Name == failed && b.Counts[place] > 0 }

// segment is a piece of a bar that is 100 wide.
type segment struct{ Class, X, Width string }

// bars sums the accounts' subtasks by type.
func bars(accounts []collector.AccountOverview) []typeBar {
	var all []typeBar
	for _, a := range accounts {
		for _, t := range a.Types {
			at := slices.IndexFunc(all, func(b typeBar) bool { return b.Type == t.Type })
			if at < 0 {
				at = len(all)
				all = append(all, typeBar{Type: t.Type, Counts: make([]int, len(parts()))})
			}
			progress := a.Progress(t.Type)
			for place, n := range append(slices.Clone(progress.ByStatus), progress.Failed, progress.Answered) {
				all[at].Counts[place] += n
			}
			all[at].Stalled += t.Stalled
		}
	}
	for i := range all {
		all[i].draw()
	}
	return all
}

// draw cuts the bar into its pieces.
func (b *typeBar) draw() {
	sum := 0
	for _, n := range b.Counts {
		sum += n
	}
	x, inWords := 0.0, []string(nil)
	for place, part := range parts() {
		n := b.Counts[place]
		if part.Name == succeeded || part.Name == failed {
			inWords = append(inWords, fmt.Sprintf("%d %s", n, part.Name))
		}
		if n > 0 {
			width := float64(n) * 100 / float64(sum)
			b.Bar = append(b.Bar, segment{part.Class, fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", width)})
			x += width
		}
	}
	b.InWords = fmt.Sprintf("of %d: %s", sum, strings.Join(inWords, ", "))
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	f, err := readFilter(r.URL.Query())
	if err != nil {
		h.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	o, here := h.Overview(), h.link("/status")
	shown, err := f.accounts(o)
	if err != nil {
		h.problem(w, http.StatusNotFound, err.Error())
		return
	}
	p := statusPage{
		page: h.refreshing(w, "Vulnerability scans", here, f), Parts: parts(), Types: bars(shown), Accounts: o.Accounts,
		Account: f.account, Search: f.search, State: f.state, States: states,
	}
	p.At = o.At
	for _, a := range shown {
		p.Tasks = append(p.Tasks, tasksOf(a)...)
		p.TasksLeftOut += a.Status.Found.Tasks.LeftOut
	}
	runningFirst(p.Tasks)
	p.TaskCount = len(p.Tasks)
	p.Tasks = p.Tasks[:min(p.TaskCount, perPage)]
	p.Problems, p.ProblemCount = o.Problems(f.of(f.problems))
	p.ProblemPages = f.paged("Pages of failed and stalled subtasks", here, f.problems, p.ProblemCount, func(f filter, n int) filter { f.problems = n; return f })
	p.Servers, p.ServerCount = o.Servers(f.of(f.page))
	p.ServerPages = f.paged("Pages of servers", here, f.page, p.ServerCount, func(f filter, n int) filter { f.page = n; return f })
	h.show(w, http.StatusOK, "status", p)
}

// refreshing is a page that loads itself anew unless the filter says otherwise. A header does that:
// a meta element could not be turned off.
func (h *handler) refreshing(w http.ResponseWriter, title, path string, f filter) page {
	if f.refresh {
		w.Header().Set("Refresh", strconv.Itoa(refreshSeconds))
	}
	other := f
	other.refresh = !f.refresh
	return page{
		Title: title, Telemetry: h.TelemetryPath, Made: true, Refresh: f.refresh, RefreshSeconds: refreshSeconds, Toggle: path + other.query(),
	}
}

// serverPage is the page of one server.
type serverPage struct {
	page
	Detail *collector.Detail
}

func (h *handler) server(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	account, uuid := q.Get("account"), q.Get("uuid")
	o := h.Overview()
	detail, known := o.Server(account, uuid)
	if !known {
		h.problem(w, http.StatusNotFound, "No such server is watched: it may have left the configuration, or discovery.")
		return
	}
	p := serverPage{page: h.refreshing(w, detail.Name, "", filter{refresh: q.Get("refresh") != "off"}), Detail: detail}
	p.At = o.At
	q.Del("refresh")
	if p.Refresh {
		q.Set("refresh", "off")
	}
	p.Toggle = h.link("/status/server") + "?" + q.Encode()
	h.show(w, http.StatusOK, "server", p)
}
