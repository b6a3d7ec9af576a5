package simulator

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPageSize = 20
	maxPageSize     = 1000 // the API's is not documented; published templates use 100
)

// page is which part of a list is asked for.
type page struct {
	number, size int
	offset       int
	byToken      bool
}

// pageInfo describes the part that is answered. TotalCount is absent when paging by token,
// NextToken when paging by number.
type pageInfo struct {
	Count       int     `json:"Count"`
	CurrentPage int     `json:"CurrentPage"`
	PageSize    int     `json:"PageSize"`
	TotalCount  *int    `json:"TotalCount,omitempty"`
	NextToken   *string `json:"NextToken,omitempty"`
}

// pageByNumber reads CurrentPage and PageSize.
func pageByNumber(params url.Values) (page, *apiError) {
	number, err := positive(params.Get("CurrentPage"), 1, 1<<31-1)
	if err != nil {
		return page{}, err
	}
	size, err := positive(params.Get("PageSize"), defaultPageSize, maxPageSize)
	if err != nil {
		return page{}, err
	}
	return page{number: number, size: size, offset: (number - 1) * size}, nil
}

// pageByToken reads UseNextToken and NextToken as well.
func pageByToken(params url.Values) (page, *apiError) {
	p, err := pageByNumber(params)
	if err != nil {
		return page{}, err
	}
	token := params.Get("NextToken")
	if token == "" && !strings.EqualFold(params.Get("UseNextToken"), "true") {
		return p, nil
	}
	p.byToken, p.number, p.offset = true, 1, 0
	if token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return page{}, illegalParam()
		}
		// Read strictly: it must be a token that this code has made.
		p.offset, err = strconv.Atoi(strings.TrimPrefix(string(text), "after:"))
		if err != nil || p.offset < 1 || nextToken(p.offset) != token {
			return page{}, illegalParam()
		}
	}
	return p, nil
}

// cut returns the bounds of the page in a list of n, and its description.
func (p page) cut(n int) (from, to int, info pageInfo) {
	from = min(p.offset, n)
	to = min(from+p.size, n)
	info = pageInfo{Count: to - from, CurrentPage: p.number, PageSize: p.size}
	if !p.byToken {
		info.TotalCount = &n
		return from, to, info
	}
	token := ""
	if to < n {
		token = nextToken(to)
	}
	info.NextToken = &token
	return from, to, info
}

func nextToken(offset int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("after:" + strconv.Itoa(offset)))
}

func positive(text string, absent, most int) (int, *apiError) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, illegalParam()
	}
	return n, nil
}
