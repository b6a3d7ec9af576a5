package collector

import (
	"iter"
	"slices"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// totals sums servers and subtasks, of a chunk or of an account.
type totals struct {
	ok, failing, pending int
	askable              int // pending servers that there is a task to ask for
	types                []typeTotals
	codes                []codeTotal
}

// typeTotals sums the subtasks of one type.
type typeTotals struct {
	typ      string
	byStatus [statusNames]int
	stalled  int
}

// codeTotal sums the subtasks of one type that report one code.
type codeTotal struct {
	typ, code string // code as a label
	count     int
}

// statusNames is how many names of statuses there are: the documented ones,
// and that of all others.
const statusNames = sas.StatusComplete + 2

// statusName gives the name of typeTotals.byStatus' places.
func statusName(i int) string {
	if names := sas.StatusNames(); i < len(names) {
		return names[i]
	}
	return "unknown"
}

// count adds a server to the totals, times times: -1 takes it out again.
func (t *totals) count(r *record, times int, s config.Settings, now time.Time) {
	switch {
	case !r.tried:
		t.pending += times
		if len(r.server.TaskIDs) > 0 {
			t.askable += times
		}
	case r.failure != "":
		t.failing += times
	default:
		t.ok += times
	}
	if r.stale(now, s.StaleAfter) {
		return
	}
	for i := range r.subtasks {
		st := &r.subtasks[i]
		of := t.of(st.typ)
		of.byStatus[statusPlace(st.status)] += times
		if st.stalled(now, s.StallAfter) {
			of.stalled += times
		}
		if st.code != "" {
			t.code(st.typ, st.codeLabel).count += times
		}
	}
}

func statusPlace(status float64) int {
	for i := range sas.StatusComplete + 1 {
		if status == float64(i) {
			return i
		}
	}
	return statusNames - 1
}

// add adds what another sum has, times times, and leaves out what came to
// nothing there.
func (t *totals) add(other *totals, times int) {
	t.ok += times * other.ok
	t.failing += times * other.failing
	t.pending += times * other.pending
	t.askable += times * other.askable
	for i := range other.types {
		from := &other.types[i]
		if *from == (typeTotals{typ: from.typ}) {
			continue
		}
		of := t.of(from.typ)
		for place, n := range from.byStatus {
			of.byStatus[place] += times * n
		}
		of.stalled += times * from.stalled
	}
	for _, c := range other.codes {
		if c.count != 0 {
			t.code(c.typ, c.code).count += times * c.count
		}
	}
}

// of gives the sums of a type, which begin at 0. They are few: a search is
// quicker than a map.
func (t *totals) of(typ string) *typeTotals {
	i := slices.IndexFunc(t.types, func(of typeTotals) bool { return of.typ == typ })
	if i < 0 {
		i = len(t.types)
		t.types = append(t.types, typeTotals{typ: typ})
	}
	return &t.types[i]
}

func (t *totals) code(typ, label string) *codeTotal {
	i := slices.IndexFunc(t.codes, func(c codeTotal) bool { return c.code == label && c.typ == typ })
	if i < 0 {
		i = len(t.codes)
		t.codes = append(t.codes, codeTotal{typ: typ, code: label})
	}
	return &t.codes[i]
}

// sum gives an account's totals. Every type that it polls is in them.
func (a *account) sum(parts iter.Seq[*totals]) *totals {
	t := &totals{}
	a.mu.Lock()
	types := a.types
	a.mu.Unlock()
	for _, typ := range types {
		t.of(typ)
	}
	for part := range parts {
		t.add(part, 1)
	}
	return t
}

// typesExpected is how many types there are, as far as is documented.
const typesExpected = 4

func newTotals() *totals { return &totals{types: make([]typeTotals, 0, typesExpected)} }

// totalsOf sums servers. until is as builder has it.
func totalsOf(records []*record, s config.Settings, now time.Time) (t *totals, until time.Time) {
	t = newTotals()
	for _, r := range records {
		t.count(r, 1, s, now)
		until = r.changesBy(until, s, now)
	}
	return t, until
}

// typesOf gives the types that any of the servers is asked for.
func typesOf(servers []*server) []string {
	var types []string
	for _, s := range servers {
		for _, typ := range s.latest.server.Types {
			if !slices.Contains(types, typ) {
				types = append(types, typ)
			}
		}
	}
	return types
}
