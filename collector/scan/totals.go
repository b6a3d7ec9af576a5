package scan

import (
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
	ByStatus [len(statusNames)]int // in the order of StatusNames
	Stalled  int
}

// CodeTotal counts the subtasks of one type that fail with one code.
type CodeTotal struct {
	Type, Code string // Code as a label
	Count      int
}

// statusNames are the names of statuses, that of undocumented ones last.
var statusNames = [...]string{"unhandled", "collecting", "collected", "matching", "complete", "unknown"}

// serverScanNames are the same for the statuses of server scans.
var serverScanNames = [...]string{"not_started", "started", "completed", "failed", "timed_out", "unknown"}

// StatusNames returns the names of subtasks' statuses, in their order; the last one is that of all
// statuses that Alibaba does not document.
func StatusNames() []string { return statusNames[:] }

// ServerScanNames is StatusNames for the statuses of server scans.
func ServerScanNames() []string { return serverScanNames[:] }

// StatusPlace returns the place of a reported status among StatusNames, and among ServerScanNames.
func StatusPlace(status float64) int {
	for i := range sas.StatusComplete + 1 {
		if status == float64(i) {
			return i
		}
	}
	return len(statusNames) - 1
}

// StatusName returns the name of a status as it is reported.
func StatusName(status float64) string { return statusNames[StatusPlace(status)] }

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
			t.code(s.Type, s.CodeLabel).Count++
		}
	}
}

// Add adds other totals.
func (t *Totals) Add(other *Totals) {
	t.OK += other.OK
	t.Failing += other.Failing
	t.Pending += other.Pending
	t.Waiting += other.Waiting
	for i := range other.Types {
		from := &other.Types[i]
		of := t.Type(from.Type)
		for place, n := range from.ByStatus {
			of.ByStatus[place] += n
		}
		of.Stalled += from.Stalled
	}
	for _, c := range other.Codes {
		t.code(c.Type, c.Code).Count += c.Count
	}
}

// Type returns the totals of a type, which begin at 0. Types are few: a search is quicker than a
// map.
func (t *Totals) Type(typ string) *TypeTotals {
	return found(&t.Types, func(of *TypeTotals) bool { return of.Type == typ }, TypeTotals{Type: typ})
}

func (t *Totals) code(typ, label string) *CodeTotal {
	return found(&t.Codes, func(of *CodeTotal) bool { return of.Code == label && of.Type == typ }, CodeTotal{Type: typ, Code: label})
}

// found returns the element of a list that fits, after adding fresh if none does.
func found[T any](list *[]T, fits func(*T) bool, fresh T) *T {
	for i := range *list {
		if fits(&(*list)[i]) {
			return &(*list)[i]
		}
	}
	*list = append(*list, fresh)
	return &(*list)[len(*list)-1]
}

// FailingOf counts the subtasks of a type that fail.
func (t *Totals) FailingOf(typ string) int {
	sum := 0
	for _, c := range t.Codes {
		if c.Type == typ {
			sum += c.Count
		}
	}
	return sum
}
