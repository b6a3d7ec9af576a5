package discovery

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// slowList is the list of a task's servers, each page of which takes a second.
type slowList struct {
	servers, fails int // fails is the page that fails at first

	mu          sync.Mutex
	calls, most int // calls made, and under way at once at most
	underWay    int
}

func (l *slowList) ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	l.mu.Lock()
	l.calls++
	l.underWay++
	l.most = max(l.most, l.underWay)
	l.mu.Unlock()
	ok := sleep(ctx, time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay--
	switch {
	case !ok:
		return nil, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
	case q.Number == l.fails:
		l.fails = 0
		return nil, &sas.Error{Class: sas.Retryable, Result: sas.ResultTimeout}
	}
	page := &sas.Page[sas.ServerScan]{Total: int64(l.servers)}
	for i := (q.Number - 1) * q.Size; i < min(q.Number*q.Size, l.servers); i++ {
		page.Items = append(page.Items, sas.ServerScan{UUID: strconv.Itoa(i), Status: 1})
	}
	page.Entries = len(page.Items)
	return page, nil
}

// Slow answers do not make a long list's reading slow; each page is asked for once.
func TestLongListsAreReadAFewPagesAtATime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		servers, fails int
		calls, most    int
		took           time.Duration
	}{
		"long":                     {4000, 0, 40, 4, 11 * time.Second},
		"long, one page fails":     {4000, 7, 41, 4, 14 * time.Second},
		"long, with a part at end": {4001, 0, 41, 4, 11 * time.Second},
		"short":                    {1900, 0, 19, 1, 19 * time.Second},
		"one page":                 {5, 0, 1, 1, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				list, start := &slowList{servers: tt.servers, fails: tt.fails}, time.Now()
				scans, _, err := ReadServerScans(t.Context(), list, "main", "root")
				wantEqual(t, "error", err, nil)
				for i := range scans {
					if scans[i].UUID != strconv.Itoa(i) {
						t.Fatalf("place %d has server %s", i, scans[i].UUID)
					}
				}
				wantEqual(t, "servers", len(scans), tt.servers)
				wantEqual(t, "calls", list.calls, tt.calls)
				wantEqual(t, "calls at once", list.most, tt.most)
				wantEqual(t, "took", time.Since(start), tt.took)
			})
		})
	}
}

// Nothing of a reading that is cut short goes on.
func TestAReadingThatIsCutShortLeavesNoCallBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		list := &slowList{servers: 4000}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, _, err := ReadServerScans(ctx, list, "main", "root")
		wantEqual(t, "failed", err != nil, true)
		wantEqual(t, "took", time.Since(start), 3500*time.Millisecond)
		wantEqual(t, "calls under way", list.underWay, 0)
	})
}
