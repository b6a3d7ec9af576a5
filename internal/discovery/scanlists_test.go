package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// leafEntry is the started scan of server n within a task.
func leafEntry(n int) string { return leafOf(n, n, 1) }

// leafOf is a leaf task of the given number about a server, with a status.
func leafOf(leaf, server, status int) string {
	return fmt.Sprintf(`{"TaskId":"leaf-%d","TaskStatus":%d,"TaskStartTime":%d,"DetailData":"[{\"uuid\":\"%s\"}]"}`,
		leaf, status, 1_649_732_012_000+1000*leaf, uuidOf(server))
}

// scanPages is an API that makes a task's pages of a function's answer.
type scanPages func(q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error)

func (f scanPages) ServerScans(_ context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
	return f(q)
}

// Odd lists are told apart from complete ones, and cost a bounded number of calls.
func TestAListOfServersIsOnlyReliedUponIfItIsWhole(t *testing.T) {
	t.Parallel()
	fresh := func(n int) []string { return times(pageSize, func(i int) string { return leafEntry(1000*n + i) }) }
	incomplete := map[sas.Anomaly]int{sas.ListIncomplete: 1}
	tests := map[string]struct {
		leaves    []string
		bend      func(n int, p *pageOf)
		scans     int
		calls     int
		anomalies map[sas.Anomaly]int
		err       string
	}{
		"three pages":       {times(250, leafEntry), nil, 250, 3, nil, ""},
		"whole pages":       {times(200, leafEntry), nil, 200, 2, nil, ""},
		"one server":        {times(1, leafEntry), nil, 1, 1, nil, ""},
		"no servers":        {nil, nil, 0, 1, incomplete, "it is empty"},
		"no total":          {times(250, leafEntry), func(_ int, p *pageOf) { p.info = `{}` }, 250, 3, nil, ""},
		"a total of nought": {times(250, leafEntry), func(_ int, p *pageOf) { p.info = totalOf(0) }, 250, 3, nil, ""},
		"a total too high":  {times(250, leafEntry), func(_ int, p *pageOf) { p.info = totalOf(999) }, 0, 4, incomplete, "it ended after 250 of 999 entries"},
		"a page that lacks": {times(250, leafEntry), func(n int, p *pageOf) { p.entries = p.entries[:len(p.entries)-n%2] }, 0, 4, incomplete, "it ended after 248 of 250 entries"},
		"a shrinking total": {times(250, leafEntry), func(n int, p *pageOf) { p.info = totalOf(252 - n) }, 0, 3, incomplete, "it shrank from 251 to 250 entries"},
		"a repeated page":   {times(250, leafEntry), func(_ int, p *pageOf) { p.entries = times(pageSize, leafEntry) }, 0, 2, incomplete, "page 2 has nothing new, though the list goes on"},
		"a page half repeated": {times(250, leafEntry), func(n int, p *pageOf) {
			p.entries = append(times(50*min(n-1, 1), leafEntry), p.entries[:min(50, len(p.entries))]...)
		}, 0, 4, incomplete, "entries"},
		"no end": {nil, func(n int, p *pageOf) {
			p.entries, p.info = fresh(n)[:1], totalOf(1<<40)
		}, 0, 1500, incomplete, "the list has no end after 1500 pages"},
		"entries that nobody can use": {times(1, func(int) string { return `{}` }), nil, 0, 1, incomplete, "it is empty"},
		"a failure halfway": {times(250, leafEntry), func(n int, p *pageOf) {
			if n >= 2 {
				p.status, p.code = http.StatusInternalServerError, "ServerError"
			}
		}, 0, 1 + maxAttempts, nil, "ServerError"},
		"a failure that passes": {times(250, leafEntry), func(n int, p *pageOf) {
			if n == 2 {
				p.status, p.code = http.StatusInternalServerError, "ServerError"
			}
		}, 250, 4, nil, ""},
		"no permission": {nil, func(_ int, p *pageOf) { p.refuseTasks() }, 0, 1, incomplete, "grant the RAM action yundun-sas:DescribeOnceTask"},
		"no such operation": {nil, func(_ int, p *pageOf) {
			p.status, p.code = http.StatusNotFound, "InvalidAction.NotFound"
		}, 0, 1, incomplete, "InvalidAction.NotFound"},
		"a server twice": {[]string{leafOf(1, 1, 3), leafOf(2, 2, 1), leafOf(3, 1, 2), leafOf(2, 1, 1)}, nil, 2, 1, map[sas.Anomaly]int{sas.Duplicate: 2}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{leaves: map[string][]string{"root": tt.leaves}}
				w := startWorldOf(t, one(), Options{Scans: &ScanOptions{}}, s.answer)
				s.set(func(s *service) { s.bend = tt.bend })
				scans, anomalies, err := ReadServerScans(t.Context(), w.client, "main", "root")
				wantEqual(t, "scans", len(scans), tt.scans)
				wantEqual(t, "anomalies", anomalies, tt.anomalies)
				wantEqual(t, "calls", len(w.callsOf(sas.ActionOnceTask)), tt.calls)
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "main")) {
					t.Errorf("got the error %v, want %q", err, tt.err)
				}
			})
		})
	}
}

// Of several scans of one server the latest counts, in whatever order they come.
func TestAServersLatestScanCounts(t *testing.T) {
	t.Parallel()
	page := func(q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
		return &sas.Page[sas.ServerScan]{Entries: 3, Total: 3, Items: []sas.ServerScan{
			{TaskID: "a", UUID: "u", Status: 1}, {TaskID: "b", Status: 2}, {TaskID: "c", UUID: "u", Status: 3},
		}}, nil
	}
	scans, _, err := ReadServerScans(t.Context(), scanPages(page), "main", "root")
	wantEqual(t, "of equal ones the first", fmt.Sprint(scans, err), fmt.Sprint([]sas.ServerScan{{TaskID: "a", UUID: "u", Status: 1}, {TaskID: "b", Status: 2}}, nil))
	inBubble(t, func(t *testing.T) {
		w := startWorldOf(t, one(), Options{Scans: &ScanOptions{}}, (&service{leaves: map[string][]string{
			"root": {leafOf(1, 1, 3), leafOf(3, 1, 2), leafOf(2, 1, 1)},
		}}).answer)
		scans, _, err := ReadServerScans(t.Context(), w.client, "main", "root")
		if err != nil || len(scans) != 1 || scans[0].TaskID != "leaf-3" || scans[0].Status != sas.ScanCompleted {
			t.Errorf("got %+v, %v", scans, err)
		}
	})
}

// The largest list that the project promises to read is kept in little memory.
func TestListsOf100000ServersAreSmall(t *testing.T) {
	const n = 100_000
	page := func(q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
		items := make([]sas.ServerScan, q.Size)
		for i := range items {
			number := (q.Number-1)*q.Size + i
			items[i] = sas.ServerScan{TaskID: fmt.Sprintf("%032x", number), UUID: uuidOf(number), Status: 1}
		}
		return &sas.Page[sas.ServerScan]{Items: items, Entries: len(items), Total: n}, nil
	}
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	scans, _, err := ReadServerScans(t.Context(), scanPages(page), "main", "root")
	after := held()
	if err != nil || len(scans) != n {
		t.Fatalf("got %d, %v", len(scans), err)
	}
	if each := (after - before) / n; each > 150 {
		t.Errorf("%d bytes a server, want at most 150", each)
	}
	runtime.KeepAlive(scans)
}

func TestWhenAListIsReadNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const interval = 2 * time.Minute
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	running := func(id string, started time.Duration) sas.Task { return sas.Task{ID: id, Start: ago(started)} }
	ended := func(id string, started time.Duration) sas.Task {
		return sas.Task{ID: id, Start: ago(started), End: ago(time.Minute)}
	}
	failed := func(class sas.Class) error { return &sas.Error{Class: class, Result: "X"} }
	partial, unnamed := &incomplete{result: resultPartial}, &incomplete{result: resultUnnamed}
	tests := map[string]struct {
		tasks []scanState
		want  string // empty: nothing
		in    time.Duration
	}{
		"no task":                                    {nil, "", 0},
		"a new task, at once":                        {[]scanState{{task: running("a", 0)}}, "a", -1},
		"a running one, after the interval":          {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute)}}, "a", time.Minute},
		"after a list that is not whole, the same":   {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: partial}}, "a", time.Minute},
		"after trouble, the same":                    {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: failed(sas.Retryable)}}, "a", time.Minute},
		"after a denial, later":                      {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: &sas.Error{Class: sas.Refused, Denied: true}}}, "a", 9 * time.Minute},
		"after refused credentials, the same":        {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: failed(sas.Refused)}}, "a", time.Minute},
		"after a wrong clock, the same":              {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: failed(sas.Clock)}}, "a", time.Minute},
		"after an unknown operation, later":          {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: failed(sas.Permanent)}}, "a", 9 * time.Minute},
		"held back by the caller, soon":              {[]scanState{{task: running("a", time.Hour), began: ago(10 * time.Second), err: failed(sas.Canceled)}}, "a", 20 * time.Second},
		"names no server yet":                        {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: unnamed, unnamed: 2}}, "a", time.Minute},
		"never names a server, later":                {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: unnamed, unnamed: 3}}, "a", 9 * time.Minute},
		"one that has ended, once more":              {[]scanState{{task: ended("a", time.Hour), began: ago(3 * time.Minute)}}, "a", -time.Minute},
		"one that has ended, but not before":         {[]scanState{{task: ended("a", time.Hour), began: ago(time.Minute)}}, "a", time.Minute},
		"one that had ended before we came":          {[]scanState{{task: ended("a", time.Hour)}}, "a", -1},
		"no more":                                    {[]scanState{{task: ended("a", time.Hour), began: ago(time.Hour), final: true}}, "", 0},
		"an odd one that has ended, not for ever":    {[]scanState{{task: ended("a", time.Hour), began: ago(time.Hour), err: partial, attempts: 3}}, "", 0},
		"running ones before those that have ended":  {[]scanState{{task: ended("a", time.Hour)}, {task: running("b", time.Hour), began: ago(3 * time.Minute)}}, "b", -time.Minute},
		"but not before they are due":                {[]scanState{{task: ended("a", time.Hour)}, {task: running("b", time.Hour), began: ago(time.Minute)}}, "a", -1},
		"who has waited for longest":                 {[]scanState{{task: running("a", time.Hour), began: ago(3 * time.Minute)}, {task: running("b", 2*time.Hour), began: ago(4 * time.Minute)}}, "b", -2 * time.Minute},
		"new ones first, the newest of them":         {[]scanState{{task: running("a", 2*time.Hour)}, {task: running("b", time.Hour)}, {task: running("c", time.Minute), began: ago(time.Hour)}}, "b", -1},
		"of those that are not due, the next":        {[]scanState{{task: running("a", time.Hour), began: ago(time.Second)}, {task: ended("b", time.Hour), began: ago(time.Minute)}}, "b", time.Minute},
		"a failing one does not keep others waiting": {[]scanState{{task: running("a", time.Hour), began: ago(time.Minute), err: failed(sas.Permanent)}, {task: running("b", time.Hour), began: ago(time.Second)}}, "b", interval - time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next, at := nextReading(tt.tasks, interval, now)
			got := ""
			if next != nil {
				got = next.task.ID
			}
			wantEqual(t, "task", got, tt.want)
			if wait := at.Sub(now); tt.in == -1 && !at.IsZero() || tt.in != -1 && tt.want != "" && wait != tt.in {
				t.Errorf("read in %v, want in %v", wait, tt.in)
			}
		})
	}
}

func TestErrorsOfTheCallerAreNotTheLists(t *testing.T) {
	t.Parallel()
	page := func(sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error) {
		return nil, &sas.Error{Class: sas.Canceled, Result: sas.ResultCanceled}
	}
	_, anomalies, err := ReadServerScans(t.Context(), scanPages(page), "main", "root")
	var failed *sas.Error
	if !errors.As(err, &failed) || failed.Class != sas.Canceled || len(anomalies) != 0 {
		t.Errorf("got %v, %v", anomalies, err)
	}
}
