package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"aliyun_vulscan_exporter/internal/sas"
)

// ScanAPI is what reading a task's list of server scans needs of Security Center; *sas.Client
// implements it. It has no other method, so that a caller can wrap it to limit these calls to a
// part of the quota.
type ScanAPI interface {
	// ServerScans makes one attempt to read a page of a task's server scans.
	ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error)
}

// ReadServerScans reads all server scans of one task. The error says why the list cannot be relied
// upon: it could not be read to its end, or contradicts itself, or is empty; nothing is returned of
// it then. Of several scans of one server the one that began last is returned. anomalies counts
// what was odd about the list as a whole; what was odd on a page is counted there.
func ReadServerScans(ctx context.Context, api ScanAPI, account, taskID string) (scans []sas.ServerScan, anomalies map[sas.Anomaly]int, err error) {
	name := fmt.Sprintf("list of servers of task %s for account %q", taskID, account)
	pages := &aheadReader{api: api, taskID: taskID, pending: make(map[int]<-chan pageResult)}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		pages.running.Wait()
	}()
	r, err := pager[sas.ServerScan]{
		name: name, most: maxScanPages,
		key: func(s sas.ServerScan) string { return s.TaskID + " " + s.UUID + s.InstanceID },
		ask: func(ctx context.Context, at place) (*sas.Page[sas.ServerScan], error) {
			return pages.ask(ctx, at.number)
		},
	}.read(ctx, place{number: 1})
	switch {
	case err != nil:
	case r.doubt != "":
		err = &incomplete{resultPartial, name + ": " + r.doubt}
	case len(r.items) == 0:
		err = &incomplete{resultPartial, name + ": it is empty"}
	}
	if err != nil {
		var failed *sas.Error
		if !errors.As(err, &failed) || failed.Class == sas.Permanent || failed.Denied {
			anomalies = map[sas.Anomaly]int{sas.ListIncomplete: 1}
		}
		return nil, anomalies, err
	}
	scans, repeated := onePerServer(r.items)
	if repeated > 0 {
		anomalies = map[sas.Anomaly]int{sas.Duplicate: repeated}
	}
	return scans, anomalies, nil
}

// onePerServer drops all but the latest scan of each server, and says how many it dropped. Scans
// that name no server all stay.
func onePerServer(all []sas.ServerScan) (scans []sas.ServerScan, dropped int) {
	place := make(map[string]int, len(all))
	latest := all[:0]
	for _, s := range all {
		server := s.UUID + s.InstanceID
		at, twice := place[server]
		switch {
		case !s.NamesServer():
			latest = append(latest, s)
		case !twice:
			place[server] = len(latest)
			latest = append(latest, s)
		case s.Start().After(latest[at].Start()):
			latest[at] = s
			dropped++
		default:
			dropped++
		}
	}
	return slices.Clone(latest), dropped // without the unused capacity
}

const (
	// pagesAtOnce is how many pages of a long list are asked for at the same time: with one after
	// the other, slow answers would make the reading last longer than the quota does.
	pagesAtOnce = 4
	// longList is from how many entries on a list is long.
	longList = 20 * pageSize
)

// aheadReader reads the pages of one task's list of servers, and those that follow ahead of time.
// One goroutine at a time may use it.
type aheadReader struct {
	api     ScanAPI
	taskID  string
	total   int64                     // of the list, by the last answer
	pending map[int]<-chan pageResult // by the page's number
	running sync.WaitGroup
}

type pageResult struct {
	page *sas.Page[sas.ServerScan]
	err  error
}

// ask returns a page.
func (r *aheadReader) ask(ctx context.Context, number int) (*sas.Page[sas.ServerScan], error) {
	for n := number; n < number+pagesAtOnce; n++ {
		if n == number || r.total >= longList && int64(n-1)*pageSize < r.total && n <= maxScanPages {
			r.begin(ctx, n)
		}
	}
	result := <-r.pending[number]
	delete(r.pending, number)
	if result.err == nil {
		r.total = result.page.Total
	}
	return result.page, result.err
}

// begin asks for a page unless that is under way.
func (r *aheadReader) begin(ctx context.Context, number int) {
	if r.pending[number] != nil {
		return
	}
	result := make(chan pageResult, 1)
	r.pending[number] = result
	r.running.Go(func() {
		page, err := r.api.ServerScans(ctx, sas.ServerScanQuery{TaskID: r.taskID, Number: number, Size: pageSize})
		result <- pageResult{page, err}
	})
}
