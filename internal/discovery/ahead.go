package discovery

import (
	"context"
	"sync"

	"aliyun_vulscan_exporter/internal/sas"
)

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
