package discovery

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// clockTolerance is how far in the future a task may start before this is logged.
const clockTolerance = time.Minute

// maxRunning is how many running tasks are followed at most, whatever max_tasks says: a task that
// runs is worth more than one that has ended.
const maxRunning = 100

// taskFinder finds the account's vulnerability scans.
type taskFinder struct {
	name   string
	config config.TaskDiscovery
	api    API
	known  func() []sas.Task // what is followed
}

func newTaskList(o Options) *list[sas.Task] {
	l := newList[sas.Task](o, KindTasks, sas.ActionOnceTask, o.Tasks.RefreshInterval)
	f := taskFinder{l.name, *o.Tasks, o.API, func() []sas.Task { return l.known.Items }}
	l.find, l.trim, l.known = f.find, f.trim, o.Known.Tasks
	l.key = func(t sas.Task) string { return t.ID }
	return l
}

// find reads the list of tasks. If sources are configured, it reads one list for each: in the
// newest published models the request has a source, and the answer has none.
func (f taskFinder) find(ctx context.Context) (listing[sas.Task], error) {
	found := listing[sas.Task]{anomalies: make(map[sas.Anomaly]int)}
	sources := f.config.Sources
	if len(sources) == 0 {
		sources = []string{""}
	}
	seen := make(map[string]bool)
	for _, source := range sources {
		r, err := f.pager(source).read(ctx, place{number: 1})
		if err != nil {
			return listing[sas.Task]{}, err
		}
		for a, n := range r.anomalies {
			found.anomalies[a] += n
		}
		found.doubt = cmp.Or(found.doubt, r.doubt)
		for _, t := range r.items {
			if startedBy(t, source) && !seen[t.ID] {
				seen[t.ID] = true
				t.Source = cmp.Or(t.Source, source)
				found.items = append(found.items, t)
			}
		}
	}
	found.remark = f.remark(found.items)
	return found, nil
}

// startedBy reports whether a task may be from a source; the empty one means any.
func startedBy(t sas.Task, source string) bool {
	return source == "" || t.Source == "" || t.Source == source
}

// pager reads as far as the newest tasks go that are followed.
func (f taskFinder) pager(source string) pager[sas.Task] {
	return pager[sas.Task]{
		name: f.name, most: maxPages,
		key: func(t sas.Task) string { return t.ID },
		ask: func(ctx context.Context, at place) (*sas.Page[sas.Task], error) {
			return f.api.OnceTasks(ctx, sas.TaskQuery{Source: source, Number: at.number, Size: pageSize})
		},
		enough: func(all, page []sas.Task) bool { return f.enough(source, all, page) },
	}
}

// enough reports whether the rest of a list is of no interest: what follows is too old, or
// max_tasks are found and neither the older ones of the last page nor a known one that was not seen
// yet still run.
func (f taskFinder) enough(source string, all, page []sas.Task) bool {
	if len(page) > 0 && !f.young(page[len(page)-1]) {
		return true
	}
	if slices.ContainsFunc(page[len(page)/2:], func(t sas.Task) bool { return f.runs(t) && startedBy(t, source) }) {
		return false
	}
	wanted, seen := 0, make(map[string]bool, len(all))
	for _, t := range all {
		seen[t.ID] = true
		if f.young(t) && startedBy(t, source) {
			wanted++
		}
	}
	unseen := func(t sas.Task) bool { return f.runs(t) && startedBy(t, source) && !seen[t.ID] }
	return wanted >= f.config.MaxTasks && !slices.ContainsFunc(f.known(), unseen)
}

// young reports whether a task is not too old to be followed. One whose start is not known is not.
func (f taskFinder) young(t sas.Task) bool {
	return t.Start.IsZero() || time.Since(t.Start) <= f.config.MaxAge
}

// runs reports whether a task must be followed, however many others there are. A task whose start
// is not known does not count: it would never become too old.
func (f taskFinder) runs(t sas.Task) bool { return f.young(t) && !t.Ended() && !t.Start.IsZero() }

// trim returns the tasks that are followed, and how many running ones are left out. All that run
// are followed, up to maxRunning or max_tasks; those that are followed already come first. Where
// fewer than max_tasks run, the newest others fill up. The newest is the first; tasks whose start
// is not known come last, in the service's order.
func (f taskFinder) trim(tasks []sas.Task) (followed []sas.Task, leftOut int) {
	tasks = slices.DeleteFunc(tasks, func(t sas.Task) bool { return !f.young(t) })
	slices.SortStableFunc(tasks, func(a, b sas.Task) int { return b.Start.Compare(a.Start) })
	before := make(map[string]bool)
	for _, t := range f.known() {
		before[t.ID] = true
	}
	limit := max(maxRunning, f.config.MaxTasks)
	taken := make(map[string]bool)
	take := func(limit int, wanted func(sas.Task) bool) {
		for _, t := range tasks {
			if len(taken) < limit && wanted(t) {
				taken[t.ID] = true
			}
		}
	}
	take(limit, func(t sas.Task) bool { return before[t.ID] && f.runs(t) })
	take(limit, f.runs)
	take(f.config.MaxTasks, func(t sas.Task) bool { return !f.runs(t) })
	for _, t := range tasks {
		switch {
		case taken[t.ID]:
			followed = append(followed, t)
		case f.runs(t):
			leftOut++
		}
	}
	return followed, leftOut
}

// remark returns what is unusual about the times of tasks: a start in the future, or that all of
// them are too old to be followed.
func (f taskFinder) remark(tasks []sas.Task) remark {
	if len(tasks) == 0 {
		return remark{}
	}
	newest := slices.MaxFunc(tasks, func(a, b sas.Task) int { return a.Start.Compare(b.Start) })
	detail := []any{"newest_start", newest.Start.UTC().Format(time.RFC3339), "clock", time.Now().UTC().Format(time.RFC3339)}
	running := func(t sas.Task) bool { return !t.Ended() }
	switch {
	case time.Until(newest.Start) > clockTolerance:
		return remark{msg: "a task starts in the future: check this machine's clock", detail: detail}
	case slices.ContainsFunc(tasks, f.young):
		return remark{}
	case slices.ContainsFunc(tasks, running):
		return remark{msg: "all tasks are older than max_age, though one still runs: check max_age and this machine's clock", detail: detail}
	}
	return remark{msg: "all tasks are older than max_age", normal: true, detail: detail}
}
