package sas

import (
	"context"
	"errors"
	"fmt"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// Page is one page of a list.
type Page[T any] struct {
	// Items are the entries that can be used, each ID once.
	Items []T
	// Entries is the number of all entries on the page.
	Entries int
	// Total is the length of the whole list, -1 if the service did not say. By Alibaba's
	// documentation it does not when pages go by token.
	Total int64
	// NextToken asks for the next page; empty after the last one, and where pages go by number.
	NextToken string
	// Anomalies counts what did not fit the documentation.
	Anomalies map[Anomaly]int
}

// askPage makes one call for a page of the named list.
func askPage[T any](ctx context.Context, c *Client, r requests.AcsRequest, list string, entry entryDecoder[T]) (*Page[T], error) {
	var page *Page[T]
	if err := c.call(ctx, r, func(body []byte) (err error) {
		page, err = decodePage(body, list, entry)
		return err
	}); err != nil {
		return nil, err
	}
	return page, nil
}

// entryDecoder decodes an entry of a list and returns its ID. An entry that cannot be used is
// counted, and its ID is empty.
type entryDecoder[T any] func(anomalyCounter, object) (item T, id string)

// decodePage decodes the body of a 2xx answer with one page of a list. An error means that the
// answer cannot be believed at all.
func decodePage[T any](body []byte, list string, entry entryDecoder[T]) (*Page[T], error) {
	t := make(anomalyCounter)
	o, _, err := t.open(body)
	if err != nil {
		return nil, err
	}
	if success, _ := text(o["Success"]); success == "false" {
		return nil, errors.New("the answer says that it is no success")
	}
	raw, present := o[list]
	entries, ok := decodeList(raw)
	switch {
	case !present:
		t.count(MissingList)
	case isNull(raw):
		t.count(NullList)
	case !ok:
		return nil, fmt.Errorf("%s is not a list", list)
	}
	page := &Page[T]{Entries: len(entries), Anomalies: t}
	page.Total, page.NextToken = t.pageInfo(o["PageInfo"])
	seen := make(map[string]bool, len(entries))
	for _, raw := range entries {
		o, ok := decodeObject(raw)
		if !ok {
			t.count(MalformedEntry)
			continue
		}
		switch item, id := entry(t, o); {
		case id == "":
		case seen[id]:
			t.count(Duplicate)
		default:
			seen[id] = true
			page.Items = append(page.Items, item)
		}
	}
	return page, nil
}

// pageInfo reads the list's length and the next page's token.
func (t anomalyCounter) pageInfo(raw []byte) (total int64, token string) {
	o, ok := decodeObject(raw)
	if !ok {
		t.count(TotalInvalid)
		return -1, ""
	}
	total = -1
	if count, present := o["TotalCount"]; present && !isNull(count) {
		total = t.wholeNumber(count, TotalInvalid)
	}
	// The token is not clipped, because it must be sent back unchanged.
	token, exact := text(o["NextToken"])
	if !exact {
		t.count(WrongType)
	}
	return total, token
}
