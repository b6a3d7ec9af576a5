package web

import (
	"fmt"
	"net/http"
	"strconv"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
)

// statusPage is the page of everything.
type statusPage struct {
	page
	StatusNames            []string
	Types                  []typeBar
	Accounts               []collector.AccountOverview
	Account, Search, State string
	States                 []string
	Problems               []collector.Scan
	ProblemCount           int
	ProblemPages           pager
	Servers                []collector.Server
	ServerCount            int
	ServerPages            pager
}

// typeBar is the subtasks of one type, of all accounts that are shown.
type typeBar struct {
	Type             string
	Counts           []int
	Failing, Stalled int
	Share            string // that is complete
	Parts            []segment
}

// segment is a piece of a bar that is 100 wide.
type segment struct{ Class, X, Width string }

// bars sums the accounts' subtasks by type.
func bars(accounts []collector.AccountOverview, only string) []typeBar {
	var all []typeBar
	at := map[string]int{}
	for _, a := range accounts {
		if only != "" && a.Name != only {
			continue
		}
		for _, t := range a.Types {
			i, known := at[t.Type]
			if !known {
				i = len(all)
				at[t.Type] = i
				all = append(all, typeBar{Type: t.Type, Counts: make([]int, len(t.ByStatus))})
			}
			for place, n := range t.ByStatus {
				all[i].Counts[place] += n
			}
			all[i].Failing += a.FailingOf(t.Type)
			all[i].Stalled += t.Stalled
		}
	}
	for i := range all {
		all[i].draw()
	}
	return all
}

// draw cuts the bar into its parts.
func (b *typeBar) draw() {
	sum := 0
	for _, n := range b.Counts {
		sum += n
	}
	b.Share = "0%"
	if sum == 0 {
		return
	}
	const complete = 4
	b.Share = strconv.Itoa(b.Counts[complete]*100/sum) + "%"
	x := 0.0
	for place := range b.Counts {
		width := float64(b.Counts[place]) * 100 / float64(sum)
		if width > 0 {
			b.Parts = append(b.Parts, segment{"s" + strconv.Itoa(place), fmt.Sprintf("%.2f", x), fmt.Sprintf("%.2f", width)})
		}
		x += width
	}
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	f, err := readFilter(r.URL.Query())
	if err != nil {
		h.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	o, here := h.Overview(), h.link("/status")
	p := statusPage{
		page: h.refreshing(w, "Vulnerability scans", here, f), StatusNames: scan.StatusNames(),
		Types: bars(o.Accounts, f.account), Accounts: o.Accounts, Account: f.account, Search: f.search, State: f.state, States: states,
	}
	p.At = o.At
	p.Problems, p.ProblemCount = o.Problems(f.of(f.problems))
	p.ProblemPages = f.paged("Pages of failing and stalled subtasks", here, f.problems, p.ProblemCount, func(f filter, n int) filter { f.problems = n; return f })
	p.Servers, p.ServerCount = o.Servers(f.of(f.page))
	p.ServerPages = f.paged("Pages of servers", here, f.page, p.ServerCount, func(f filter, n int) filter { f.page = n; return f })
	h.show(w, http.StatusOK, "status", p)
}

// refreshing is a page that loads itself anew unless the filter says otherwise.
// A header does that: a meta element could not be turned off.
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
