package web

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

// badScans are the places of the statuses of server scans that need somebody, among
// scan.ServerScanNames.
var badScans = []int{sas.ScanFailed, sas.ScanTimedOut}

// taskLine is a task that is followed.
type taskLine struct {
	sas.Task
	Account string
	// ReadsList says that the list of the task's servers is to be read.
	ReadsList bool
	List      scan.ListStatus
}

// tasksOf returns an account's tasks: those that run, then those that have ended, each the newest
// first.
func tasksOf(a collector.AccountOverview) []taskLine {
	settings := a.Status.Config.Discovery.Tasks
	all := make([]taskLine, len(a.Status.Found.Tasks.Items))
	for i, task := range a.Status.Found.Tasks.Items {
		all[i] = taskLine{Task: task, Account: a.Name, ReadsList: settings != nil && settings.ServerScans}
		if at := slices.IndexFunc(a.Status.Lists, func(l scan.ListStatus) bool { return l.TaskID == task.ID }); at >= 0 {
			all[i].List = a.Status.Lists[at]
		}
	}
	runningFirst(all)
	return all
}

func runningFirst(tasks []taskLine) {
	place := func(t taskLine) int {
		if t.Ended() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(tasks, func(a, b taskLine) int { return cmp.Compare(place(a), place(b)) })
}

// ProgressText is how far the task is.
func (t taskLine) ProgressText() string {
	if math.IsNaN(t.Progress) {
		return "not known"
	}
	return strconv.Itoa(int(t.Progress*100)) + "%"
}

// scanCount is how many servers of a task have some status.
type scanCount struct {
	Text string
	Bad  bool
}

// Counts are the servers of the task by status, those first that need somebody. Statuses that
// nobody documents are left out where there are none.
func (t taskLine) Counts() []scanCount {
	if t.List.At.IsZero() {
		return nil
	}
	var bad, others []scanCount
	for place, name := range scan.ServerScanNames() {
		n := t.List.ByStatus[place]
		count := scanCount{Text: strconv.Itoa(n) + " " + readable(name), Bad: n > 0}
		switch {
		case slices.Contains(badScans, place):
			bad = append(bad, count)
		case n > 0 || place < len(t.List.ByStatus)-1:
			count.Bad = false
			others = append(others, count)
		}
	}
	return append(bad, others...)
}
