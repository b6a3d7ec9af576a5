package scan

import (
	"slices"

	"aliyun_vulscan_exporter/internal/sas"
)

// Totals adds up servers and their scans. The zero value is that of no server.
type Totals struct {
	OK, Failing, Pending int // servers by State
	Waiting              int // pending servers that polling will still come to
	Types                []TypeTotals
	Codes                []CodeTotal
}

// TypeTotals adds up the subtasks of one type.
type TypeTotals struct {
	Type     string
	ByStatus [statuses]int // in the order of StatusNames
	Stalled  int
	Failing  int
}

// CodeTotal counts the subtasks of one type that fail with one code.
type CodeTotal struct {
	Type, Code string // Code as a label
	Count      int
}

// statuses is how many are told apart: the documented ones and, last, all others together.
const statuses = sas.StatusComplete + 2

// StatusNames returns the names of subtasks' statuses, in their order; the last one is that of all
// statuses that Alibaba does not document.
func StatusNames() []string {
	return []string{"unhandled", "collecting", "collected", "matching", "complete", "unknown"}
}

// ServerScanNames is StatusNames for the statuses of server scans.
func ServerScanNames() []string {
	return []string{"not_started", "started", "completed", "failed", "timed_out", "unknown"}
}

// StatusPlace returns the place of a reported status among StatusNames, and among ServerScanNames.
func StatusPlace(status float64) int {
	if place := int(status); float64(place) == status && 0 <= place && place < statuses {
		return place
	}
	return statuses - 1
}

// StatusName returns the name of a status as it is reported.
func StatusName(status float64) string { return StatusNames()[StatusPlace(status)] }

// Count adds a server to the totals.
func (t *Totals) Count(v View) {
	switch v.State(v.Refused) {
	case StateOK:
		t.OK++
	case StateFailing:
		t.Failing++
	default:
		t.Pending++
		if len(v.Target.TaskIDs) > 0 {
			t.Waiting++
		}
	}
	if v.Stale() {
		return
	}
	for i := range v.Subtasks {
		s := &v.Subtasks[i]
		of := t.Type(s.Type)
		of.ByStatus[StatusPlace(s.Status)]++
		if v.Stalled(s) {
			of.Stalled++
		}
		if s.Failing() {
			of.Failing++
			t.addCode(CodeTotal{s.Type, s.CodeLabel, 1})
		}
	}
}

// Add adds other totals.
func (t *Totals) Add(other *Totals) {
	t.OK += other.OK
	t.Failing += other.Failing
	t.Pending += other.Pending
	t.Waiting += other.Waiting
	for _, from := range other.Types {
		of := t.Type(from.Type)
		for place, n := range from.ByStatus {
			of.ByStatus[place] += n
		}
		of.Stalled += from.Stalled
		of.Failing += from.Failing
	}
	for _, c := range other.Codes {
		t.addCode(c)
	}
}

// Type returns the totals of a type, from 0 on. Types are few: a search is quicker than a map.
func (t *Totals) Type(typ string) *TypeTotals {
	at := slices.IndexFunc(t.Types, func(of TypeTotals) bool { return of.Type == typ })
	if at < 0 {
		at = len(t.Types)
		t.Types = append(t.Types, TypeTotals{Type: typ})
	}
	return &t.Types[at]
}

func (t *Totals) addCode(c CodeTotal) {
	at := slices.IndexFunc(t.Codes, func(of CodeTotal) bool { return of.Type == c.Type && of.Code == c.Code })
	if at < 0 {
		t.Codes = append(t.Codes, c)
		return
	}
	t.Codes[at].Count += c.Count
}
