package discovery

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// A list whose end is never reached changes nothing, costs a bounded number of calls, and is read
// again after the interval.
func TestListsWithoutAnEndChangeNothing(t *testing.T) {
	t.Parallel()
	fresh := func(n int) []string { return times(pageSize, func(i int) string { return serverEntry(1000*n + i) }) }
	tests := map[string]struct {
		noTokens bool
		bend     func(n int, p *pageOf)
		told     string
		calls    int
	}{
		"the first page comes again and again": {true, func(_ int, p *pageOf) {
			p.entries = times(pageSize, serverEntry)
		}, "page 2 has nothing new, though the list goes on", 2},
		"the first page comes for the last": {true, func(_ int, p *pageOf) {
			p.entries, p.info = times(pageSize, serverEntry), totalOf(200)
		}, "page 2 has nothing new, though the list goes on", 2},
		"a token leads to itself": {false, func(n int, p *pageOf) {
			if n > 1 {
				p.entries, p.info = fresh(1), tokenOf("again")
			}
		}, "page 3 has nothing new, though the list goes on", 3},
		"two tokens lead to one another": {false, func(n int, p *pageOf) {
			p.entries, p.info = fresh(n%2), tokenOf(strconv.Itoa(n%2))
		}, "page 3 has nothing new, though the list goes on", 3},
		"a page that nobody can use": {false, func(n int, p *pageOf) {
			if n == 2 {
				p.entries = times(pageSize, func(int) string { return "null" })
			}
		}, "page 2 has nothing new, though the list goes on", 2},
		"ever new pages by token": {false, func(n int, p *pageOf) {
			p.entries, p.info = fresh(n)[:1], tokenOf(strconv.Itoa(n))
		}, "the list has no end after 2000 pages", 2000},
		"ever new pages by number": {true, func(n int, p *pageOf) {
			p.entries, p.info = fresh(n)[:1], totalOf(math.MaxInt32)
		}, "the list has no end after 2000 pages", 2000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{servers: times(250, serverEntry), noTokens: tt.noTokens}
				w := startService(t, s, Options{Servers: everyServer()})
				before, calls := w.known().Servers, len(w.callsOf(sas.ActionInstances))
				s.set(func(s *service) { s.bend = tt.bend })
				pass(10 * time.Minute)
				after := w.known().Servers
				wantEqual(t, "servers stay", slices.Equal(uuidsOf(after.Items), uuidsOf(before.Items)), true)
				wantEqual(t, "last complete list", after.At, before.At)
				wantEqual(t, "calls", len(w.callsOf(sas.ActionInstances))-calls, tt.calls)
				w.wantTold([]string{"level=warn", "kind=servers", "result=partial", `account \"main\": ` + tt.told})
				s.set(func(*service) {})
				pass(10 * time.Minute)
				wantEqual(t, "error afterwards", w.known().Servers.Err, nil)
				w.wantTold([]string{"level=info", "the list is complete", "entries=250"})
			})
		})
	}
}

// Tasks have pages by number only, and end in the same ways.
func TestTaskPagesThatRepeatChangeNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{tasks: times(250, taskEntry)}
		w := startService(t, s, Options{Tasks: everyTask()})
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 250)
		s.set(func(s *service) {
			s.tasks = s.tasks[50:]
			s.bend = func(_ int, p *pageOf) { p.entries = s.tasks[:pageSize] }
		})
		pass(10 * time.Minute)
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 250)
		w.wantTold([]string{"level=warn", "kind=tasks", "result=partial", "page 2 has nothing new"})
	})
}

func TestListsAreReadInWhateverPagesTheyCome(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		servers  int
		noTokens bool
		bend     func(n int, p *pageOf)
		want     int // servers
		calls    int
	}{
		"by token":                            {250, false, nil, 250, 3},
		"by token, whole pages":               {200, false, nil, 200, 2},
		"by token, one whole page":            {100, false, nil, 100, 2}, // no token: there might be a second page
		"by token, one page":                  {99, false, nil, 99, 1},
		"by number":                           {250, true, nil, 250, 3},
		"by number, whole pages":              {200, true, nil, 200, 2},
		"by number, without a total":          {250, true, func(_ int, p *pageOf) { p.info = `{}` }, 250, 3},
		"by number, whole, without a total":   {200, true, func(_ int, p *pageOf) { p.info = `{}` }, 200, 3},
		"by number, a total of nought":        {250, true, func(_ int, p *pageOf) { p.info = totalOf(0) }, 250, 3},
		"by number, a total that is too high": {250, true, func(_ int, p *pageOf) { p.info = totalOf(1000) }, 250, 4},
		"smaller pages than asked for, by token": {99, false, func(n int, p *pageOf) {
			p.entries, p.info = times(33, func(i int) string { return serverEntry(33*(n-1) + i) }), tokenOf(strings.Repeat("x", 3-n))
		}, 99, 3},
		"smaller pages than asked for, by number": {99, true, func(n int, p *pageOf) {
			p.entries = times(33, func(i int) string { return serverEntry(33*(n-1) + i) })
		}, 99, 3},
		"a last page that comes again, and a total that is too high": {30, true, func(n int, p *pageOf) {
			p.entries, p.info = times(30, serverEntry), totalOf(1000)
		}, 30, 2},
		"an end without token or entries": {100, false, func(n int, p *pageOf) {
			if p.info = tokenOf(""); n == 1 {
				p.info = tokenOf("more")
			} else {
				p.entries = nil
			}
		}, 100, 2},
		"one that grows while it is read": {250, true, func(n int, p *pageOf) {
			if n > 1 { // everything moved down by one
				p.info = totalOf(251)
			}
			if n == 2 || n == 3 {
				p.entries = append([]string{serverEntry(100*(n-1) - 1)}, p.entries[:min(len(p.entries), pageSize-1)]...)
			}
		}, 250, 4},
		"servers that come twice on their page": {150, false, func(_ int, p *pageOf) {
			p.entries = append(p.entries, p.entries[0])
		}, 150, 2},
		"servers that come on two pages": {150, false, func(n int, p *pageOf) {
			if n == 2 {
				p.entries = append(p.entries, serverEntry(0), serverEntry(1))
			}
		}, 150, 2},
		"no servers": {0, false, nil, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{servers: times(tt.servers, serverEntry), noTokens: tt.noTokens, bend: tt.bend}
				w := startService(t, s, Options{Servers: everyServer()})
				known := w.known().Servers
				wantEqual(t, "error", known.Err, nil)
				uuids := uuidsOf(known.Items)
				slices.Sort(uuids)
				wantEqual(t, "servers, each once", len(slices.Compact(uuids)), tt.want)
				wantEqual(t, "calls", len(w.callsOf(sas.ActionInstances)), tt.calls)
			})
		})
	}
}

func TestEntriesThatCannotBeUsedSpoilNoOther(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{
			servers: []string{
				`null`, serverEntry(1), `{"Uuid":""}`, `{"Uuid":null}`, `{"Uuid":"web-1"}`, serverEntry(1), `{}`, `[]`,
				`{"Uuid":"inet-` + uuidOf(2) + `","InstanceName":7}`,
			},
			tasks: []string{
				`null`, taskEntry(1), `{"TaskId":""}`, `{"TaskId":"a b"}`, taskEntry(1),
				`{"TaskId":"t0","Progress":""}`, `{"TaskId":"t1","Progress":"abc"}`, `{"TaskId":"t2","Progress":"140%"}`,
				`{"TaskId":"t3","TaskStartTime":7}`,
			},
		}
		w := startWorldOf(t, one(), Options{Servers: everyServer(), Tasks: everyTask()}, s.answer)
		pass(time.Hour)
		wantEqual(t, "servers", uuidsOf(w.known().Servers.Items), []string{uuidOf(1), "inet-" + uuidOf(2)})
		tasks := w.known().Tasks.Items
		wantEqual(t, "tasks", idsOf(tasks), "[task-1 t0 t1 t2 t3]")
		wantEqual(t, "progress", times(len(tasks), func(i int) float64 { return tasks[i].Progress }), "[0.4 NaN NaN 1 NaN]")

		var servers, tasksTold []string
		for _, line := range w.log.told() {
			if strings.Contains(line, "level=warn") && strings.Contains(line, "kind=servers") {
				servers = append(servers, line)
			} else if strings.Contains(line, "level=warn") {
				tasksTold = append(tasksTold, line)
			}
		}
		const msg = "what does not fit the documentation was mended or left out"
		if len(servers) != 1 || !strings.Contains(servers[0], msg) ||
			!strings.Contains(servers[0], `anomalies="duplicate=1 invalid_id=1 malformed_entry=2 missing_id=3 wrong_type=1"`) {
			t.Errorf("logged %q", servers)
		}
		if len(tasksTold) != 1 || !strings.Contains(tasksTold[0], msg) ||
			!strings.Contains(tasksTold[0], `anomalies="duplicate=1 invalid_id=1 malformed_entry=1 missing_id=1 progress_invalid=2 time_invalid=1"`) {
			t.Errorf("logged %q", tasksTold)
		}
		s.set(func(s *service) { s.servers, s.tasks = s.servers[1:2], s.tasks[1:2] })
		pass(20 * time.Minute)
		told := w.log.told()
		slices.Sort(told)
		if len(told) != 2 || !strings.Contains(told[0], "kind=servers") || !strings.Contains(told[0], "no longer: "+msg) || !strings.Contains(told[1], "no longer: "+msg) {
			t.Errorf("logged %q", told)
		}
	})
}
