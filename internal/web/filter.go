package web

import (
	"errors"
	"fmt"
	"maps"
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
