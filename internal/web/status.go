package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	perPage     = 50        // lines that a page's list has
	mostPerPage = 500       // and that JSON may ask for
	maxSearch   = 200       // bytes of a text that is searched for
	maxPage     = 1_000_000 // no list has so many pages; arithmetic must not overflow
)

// states are what servers can be searched by.
func states() []string { return []string{scan.StateOK, scan.StateFailing, scan.StatePending} }

// readFilter returns which servers a request asks for, and which page of failed and stalled
// subtasks. An error says what is wrong with the request's parameters.
func readFilter(q url.Values) (servers collector.Filter, troubled int, err error) {
	f := collector.Filter{Account: q.Get("account"), Search: q.Get("search"), State: q.Get("state")}
	number := func(name string, usual, highest int) int {
		text := q.Get(name)
		if text == "" {
			return usual
		}
		n, parseErr := strconv.Atoi(text)
		if parseErr != nil || n < 1 || n > highest {
			err = errors.Join(err, fmt.Errorf("%s must be a number from 1 to %d", name, highest))
		}
		return n
	}
	f.Page, troubled, f.Limit = number("page", 1, maxPage), number("troubled", 1, maxPage), number("limit", perPage, mostPerPage)
	if f.State != "" && !slices.Contains(states(), f.State) {
		err = errors.Join(err, fmt.Errorf("state must be one of %q", states()))
	}
	if len(f.Search) > maxSearch || !utf8.ValidString(f.Search) || !utf8.ValidString(f.Account) {
		err = errors.Join(err, fmt.Errorf("search must be at most %d bytes of UTF-8", maxSearch))
	}
	return f, troubled, err
}

// with returns a page's address with one parameter changed; an empty value leaves it out.
func with(path string, q url.Values, name, value string) string {
	q = maps.Clone(q)
	q.Set(name, value)
	maps.DeleteFunc(q, func(_ string, values []string) bool { return values[0] == "" })
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// pager leads to the pages beside one.
type pager struct {
	Label         string
	Number, Last  int
	Before, After string // empty: there is none
	Beyond        bool   // the list has lines, and no such page
}

// pagerOf returns the pager of a list. name is the parameter that chooses the page.
func pagerOf[T any](list collector.List[T], label, path string, q url.Values, name string) pager {
	p := pager{Label: label, Number: list.Page, Last: max(1, (list.Total+list.Limit-1)/list.Limit)}
	p.Beyond = p.Number > p.Last && list.Total > 0
	to := func(n int) string {
		if n == 1 {
			return with(path, q, name, "")
		}
		return with(path, q, name, strconv.Itoa(n))
	}
	if p.Number > 1 {
		p.Before = to(min(p.Number-1, p.Last))
	}
	if p.Number < p.Last {
		p.After = to(p.Number + 1)
	}
	return p
}

// content is what /status shows, as a page and as JSON.
type content struct {
	collector.Filter `json:"-"`

	At       collector.Time                   `json:"at"`
	Accounts []collector.AccountOverview      `json:"accounts"` // that the filter chooses
	All      []collector.AccountOverview      `json:"-"`
	Problems collector.List[collector.Scan]   `json:"troubled"`
	Servers  collector.List[collector.Server] `json:"servers"`
}

// content returns what a request asks for, or what is wrong with it and the HTTP status for that.
func (h *handler) content(q url.Values) (*content, int, error) {
	f, troubled, err := readFilter(q)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	o := h.Overview()
	c := &content{Filter: f, At: o.At, Accounts: o.Accounts, All: o.Accounts, Servers: o.Servers(f)}
	if f.Account != "" {
		at := slices.IndexFunc(o.Accounts, func(a collector.AccountOverview) bool { return a.Name == f.Account })
		if at < 0 {
			return nil, http.StatusNotFound, fmt.Errorf("no account %.200q is configured", f.Account)
		}
		c.Accounts = o.Accounts[at : at+1]
	}
	f.Page = troubled
	c.Problems = o.Problems(f)
	return c, http.StatusOK, nil
}

// bar is the subtasks of one type, of all accounts that are shown.
type bar struct {
	Type         string
	Parts        collector.Parts
	Sum, Stalled int
	InWords      string // for those who do not see it
	Pieces       []piece
}

// piece is what a part has of a bar that is 100 wide.
type piece struct {
	Part     int
	X, Width float64
}

// bars sums the accounts' subtasks by type.
func bars(accounts []collector.AccountOverview) []bar {
	var all []bar
	for _, a := range accounts {
		for _, t := range a.Types {
			at := slices.IndexFunc(all, func(b bar) bool { return b.Type == t.Type })
			if at < 0 {
				at = len(all)
				all = append(all, bar{Type: t.Type})
			}
			all[at].Stalled += t.Stalled
			for place, n := range t.Parts {
				all[at].Parts[place] += n
				all[at].Sum += n
			}
		}
	}
	for i := range all {
		b, x := &all[i], 0.0
		b.InWords = fmt.Sprintf("of %d: %d succeeded, %d failed", b.Sum, b.Parts[sas.StatusComplete], b.Parts[collector.PartFailed])
		for place, n := range b.Parts {
			if n > 0 {
				width := float64(n) * 100 / float64(b.Sum)
				b.Pieces = append(b.Pieces, piece{place, x, width})
				x += width
			}
		}
	}
	return all
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	q, here := r.URL.Query(), h.link("/status")
	c, status, err := h.content(q)
	if err != nil {
		h.problem(w, r, status, err.Error())
		return
	}
	p := struct {
		page
		*content
		Types                     []bar
		Tasks                     []collector.Task // that the page has room for
		TaskCount                 int              // all
		TasksLeftOut              int              // that run and are not followed
		ProblemPages, ServerPages pager
	}{
		page: reloading(w, "Vulnerability scans", here, q), content: c, Types: bars(c.Accounts),
		ProblemPages: pagerOf(c.Problems, "Pages of failed and stalled subtasks", here, q, "troubled"),
		ServerPages:  pagerOf(c.Servers, "Pages of servers", here, q, "page"),
	}
	for _, a := range c.Accounts {
		p.Tasks = append(p.Tasks, a.Tasks...)
		p.TasksLeftOut += a.TasksLeftOut
	}
	collector.RunningFirst(p.Tasks)
	p.TaskCount = len(p.Tasks)
	p.Tasks = p.Tasks[:min(p.TaskCount, perPage)]
	h.show(w, r, http.StatusOK, "status", p)
}

// server serves the page of one server.
func (h *handler) server(w http.ResponseWriter, r *http.Request) {
	q, o := r.URL.Query(), h.Overview()
	detail, known := o.Server(q.Get("account"), q.Get("uuid"))
	if !known {
		h.problem(w, r, http.StatusNotFound, "No such server is watched: it may have left the configuration, or discovery.")
		return
	}
	h.show(w, r, http.StatusOK, "server", struct {
		page
		At     collector.Time
		Detail *collector.Detail
	}{reloading(w, detail.Name, h.link("/status/server"), q), o.At, detail})
}

// landing serves the start page.
func (h *handler) landing(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusOK, "landing", struct {
		page
		Options
		Accounts []collector.AccountOverview
	}{page{Title: "aliyun_vulscan_exporter"}, h.Options, h.Overview().Accounts})
}

// problem shows why there is no page.
func (h *handler) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	h.show(w, r, status, "problem", struct {
		page
		Problem string
	}{page{Title: http.StatusText(status)}, text})
}
