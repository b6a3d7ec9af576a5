package web

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
)

const (
	// perPage is how many lines a page's list has; JSON may ask for mostPerPage.
	perPage     = 50
	mostPerPage = 500
	// maxSearch is the longest text that is searched for.
	maxSearch = 200
	// maxPage keeps arithmetic from overflowing; no list has so many pages.
	maxPage = 1_000_000
)

var states = []string{scan.StateOK, scan.StateFailing, scan.StatePending}

// filter is what a request asks for.
type filter struct {
	account, search, state string
	page, problems         int // pages of servers and of subtasks, from 1
	limit                  int // of a page
	refresh                bool
}

// readFilter reads a request's parameters. An error says what is wrong with them.
func readFilter(q url.Values) (filter, error) {
	f := filter{
		account: q.Get("account"), search: q.Get("search"), state: q.Get("state"), refresh: q.Get("refresh") != "off",
	}
	var err error
	for _, number := range []struct {
		name    string
		into    *int
		usual   int
		highest int
	}{{"page", &f.page, 1, maxPage}, {"troubled", &f.problems, 1, maxPage}, {"limit", &f.limit, perPage, mostPerPage}} {
		*number.into = number.usual
		if text := q.Get(number.name); text != "" {
			n, parseErr := strconv.Atoi(text)
			if parseErr != nil || n < 1 || n > number.highest {
				err = errors.Join(err, fmt.Errorf("%s must be a number from 1 to %d", number.name, number.highest))
				continue
			}
			*number.into = n
		}
	}
	if f.state != "" && !slices.Contains(states, f.state) {
		err = errors.Join(err, fmt.Errorf("state must be one of %q", states))
	}
	if len(f.search) > maxSearch || !utf8.ValidString(f.search) || !utf8.ValidString(f.account) {
		err = errors.Join(err, fmt.Errorf("search must be at most %d bytes of UTF-8", maxSearch))
	}
	return f, err
}

// accounts returns those that the filter chooses; an error says that there is none of the name
// asked for.
func (f filter) accounts(o *collector.Overview) ([]collector.AccountOverview, error) {
	if f.account == "" {
		return o.Accounts, nil
	}
	at := slices.IndexFunc(o.Accounts, func(a collector.AccountOverview) bool { return a.Name == f.account })
	if at < 0 {
		return nil, fmt.Errorf("no account %.200q is configured", f.account)
	}
	return o.Accounts[at : at+1], nil
}

// of gives the collector's filter for some page of a list.
func (f filter) of(page int) collector.Filter {
	return collector.Filter{Account: f.account, Search: f.search, State: f.state, Offset: (page - 1) * f.limit, Limit: f.limit}
}

// query gives the filter as a query, as readFilter reads it.
func (f filter) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"account": f.account, "search": f.search, "state": f.state} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, n := range map[string]int{"page": f.page, "troubled": f.problems} {
		if n > 1 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	if f.limit != perPage {
		q.Set("limit", strconv.Itoa(f.limit))
	}
	if !f.refresh {
		q.Set("refresh", "off")
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// pager leads to the pages beside one.
type pager struct {
	Label         string
	Number, Last  int
	Before, After string // empty: there is none
	Beyond        bool   // the list has lines, and no such page
}

// paged makes the pager of a list of so many lines. to gives the filter of another page.
func (f filter) paged(label, path string, page, lines int, to func(filter, int) filter) pager {
	p := pager{Label: label, Number: page, Last: max(1, (lines+f.limit-1)/f.limit)}
	p.Beyond = page > p.Last && lines > 0
	if page > 1 {
		p.Before = path + to(f, min(page-1, p.Last)).query()
	}
	if page < p.Last {
		p.After = path + to(f, page+1).query()
	}
	return p
}
