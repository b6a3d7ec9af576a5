package processtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/internal/simulator"
)

// ledger is a fleet whose scans fail in ever other ways, and the books on it: a server's code
// changes only after a scrape has shown it.
type ledger struct {
	t       *testing.T
	random  *rand.Rand
	servers []simulator.Server
	status  int // of all subtasks

	mu    sync.Mutex
	codes map[string]string // by UUID: what the service says now
	moved map[string]int    // how often that has changed

	shown   map[string]bool           // whether a scrape has shown that
	counted map[string]map[string]int // by UUID and code: times it went into it, shown ones
	changed map[string]float64        // last_change of the code that was shown
	moves   int                       // errors that scrapes have shown to begin
	scrapes int
}

func newLedger(t *testing.T, servers []simulator.Server, status int) *ledger {
	const seed = 20261124
	l := &ledger{
		t: t, random: rand.New(rand.NewPCG(seed, seed)), servers: servers, status: status, codes: map[string]string{}, moved: map[string]int{},
		shown: map[string]bool{}, counted: map[string]map[string]int{}, changed: map[string]float64{},
	}
	for _, s := range servers {
		l.codes[s.UUID], l.counted[s.UUID] = l.otherThan(""), map[string]int{}
	}
	return l
}

func (l *ledger) otherThan(code string) string {
	for {
		if next := fmt.Sprintf("E%d", l.random.IntN(5)); next != code {
			return next
		}
	}
}

// answer answers a call about a server.
func (l *ledger) answer(w http.ResponseWriter, r *simulator.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(w, `{"RequestId":"R","TotalCount":1,"TaskStatuses":[{"TaskId":%q,"TaskStatusList":[{"Type":"cve","Status":"%d","Code":%q}]}]}`,
		testTask, l.status, l.codes[r.UUID])
	return true
}

// enter compares a scrape with the books, and brings them up to date.
func (l *ledger) enter(s Samples) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s[`aliyun_vulscan_servers{account="a", state="ok"}`]+s[`aliyun_vulscan_servers{account="a", state="pending"}`] < float64(len(l.servers)) {
		return // they are not discovered yet
	}
	for _, server := range l.servers {
		id := server.UUID
		code := l.codes[id]
		series := fmt.Sprintf(`{account="a", code=%q, server=%q, task_id=%q, type="cve", uuid=%q}`, code, server.Name, testTask, id)
		seen := s["aliyun_vulscan_subtask_error"+series] == 1
		change := s[fmt.Sprintf(`aliyun_vulscan_subtask_last_change_timestamp_seconds{account="a", server=%q, task_id=%q, type="cve", uuid=%q}`, server.Name, testTask, id)]
		switch {
		case l.shown[id] && !seen:
			l.t.Errorf("%s: %s was shown, and is not any more", server.Name, code)
		case l.shown[id] && change != l.changed[id]:
			l.t.Errorf("%s: last change of %s moved from %f to %f", server.Name, code, l.changed[id], change)
		case seen && !l.shown[id]:
			l.shown[id], l.changed[id] = true, change
			l.counted[id][code]++
			l.moves++
		}
		for i := range 5 {
			counted := fmt.Sprintf(`aliyun_vulscan_subtask_errors_total{account="a", code="E%d", server=%q, type="cve", uuid=%q}`, i, server.Name, id)
			if got, want := s[counted], l.counted[id][fmt.Sprintf("E%d", i)]; int(got) != want {
				l.t.Errorf("%s is %v, want %d", counted, got, want)
			}
		}
		if l.shown[id] && l.random.IntN(3) == 0 {
			l.codes[id], l.shown[id] = l.otherThan(code), false
			l.moved[id]++
		}
	}
}

// scrapeUnlessGone is a scrape of a process that may not listen yet, or not any more.
func (p *Process) scrapeUnlessGone() (s Samples, ok bool) {
	p.t.Helper()
	if !p.Listens() {
		return nil, false
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.URL+"/metrics", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := Exchange(http.DefaultClient, r)
	if err != nil || a.Status != http.StatusOK {
		return nil, false
	}
	return Decode(p.t, a.Body, expfmt.NewFormat(expfmt.TypeTextPlain)), true
}

// live enters what the process shows until so many errors have begun.
func (l *ledger) live(p *Process, errors int) {
	l.t.Helper()
	until := l.moves + errors
	p.Until(fmt.Sprint(errors, " errors have begun"), func() bool {
		for {
			s, ok := p.scrapeUnlessGone()
			if ok {
				l.scrapes++
				l.enter(s)
			}
			if l.moves >= until || !ok {
				return l.moves >= until
			}
		}
	})
}

// Whatever the moment, what a scrape has shown is known after a kill: no error is counted twice,
// none is lost, no last change moves.
func TestKillsCountNothingTwiceAndLoseNothing(t *testing.T) {
	t.Parallel()
	fleet := testFleet(8)
	l := newLedger(t, fleet.Servers(), 1)
	l.survive(200, l.answer, accountFile{name: "a", servers: fleet.Servers(), more: "    poll_interval: 1s\n"})
}

// survive kills an exporter again and again, whose account's calls answer answers.
func (l *ledger) survive(kills int, answer func(http.ResponseWriter, *simulator.Request) bool, account accountFile) {
	t := l.t
	t.Helper()
	c := newCenter(t, simulator.New(simulator.Options{Accounts: []simulator.Account{testAccount(simulator.Fleet{})}, Intercept: answer}))
	account.endpoint = c.url
	path := configured(t, account)
	args := []string{"--config.file=" + path, "--state.file=" + filepath.Join(t.TempDir(), "state"), "--web.listen-address=127.0.0.1:0"}
	start := time.Now()
	first := Serve(t, args...)
	boot := time.Since(start)
	first.Kill()
	for range kills {
		// Killed before it listens, or at any moment after some errors have begun.
		errors, moment := l.random.IntN(4), boot
		p := Launch(t, args...)
		if errors > 0 {
			l.live(p, errors)
			moment = 20 * time.Millisecond
		}
		select {
		case <-time.After(time.Duration(l.random.Int64N(int64(moment)))):
		case <-p.Ended:
			t.Fatalf("it ended by itself:\n%s", p.Stderr)
		}
		p.Kill()
		if text := p.Stderr.String(); strings.Contains(text, "level=error") || t.Failed() {
			t.Fatalf("killed after %d errors:\n%s", errors, text)
		}
	}
	before := l.moves
	l.live(Serve(t, args...), 2*len(l.servers))
	t.Logf("%d kills in %v, %d scrapes, %d errors began, of which %d were shown after the last kill",
		kills, time.Since(start).Round(time.Second), l.scrapes, l.moves, l.moves-before)
}
