package discovery

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// clockTolerance is how far in the future a task may start before it is said.
const clockTolerance = time.Minute

// taskFinder finds the account's vulnerability scans.
type taskFinder struct {
	name   string
	config config.TaskDiscovery
	api    API
}

func newTaskList(o Options) *list[sas.Task] {
	l := newList[sas.Task](o, KindTasks, sas.ActionOnceTask, o.Tasks.RefreshInterval)
	f := taskFinder{l.name, *o.Tasks, o.API}
	l.find, l.trim, l.known = f.find, f.trim, o.Known.Tasks
	l.key = func(t sas.Task) string { return t.ID }
	return l
}

// find reads the list, or where sources are configured the list of each: the
// newest published models have a source in the question, not in the answer.
func (f taskFinder) find(ctx context.Context) (finding[sas.Task], error) {
	found := finding[sas.Task]{anomalies: make(map[sas.Anomaly]int)}
	sources := f.config.Sources
	if len(sources) == 0 {
		sources = []string{""}
	}
	seen := make(map[string]bool)
	for _, source := range sources {
		r, err := f.pager(source).read(ctx, place{number: 1})
		if err != nil {
			return finding[sas.Task]{}, err
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

// startedBy says whether a task may be from a source; the empty one means any.
func startedBy(t sas.Task, source string) bool {
	return source == "" || t.Source == "" || t.Source == source
}

// pager reads as far as the newest tasks go that are followed.
func (f taskFinder) pager(source string) pager[sas.Task] {
	return pager[sas.Task]{
		name: f.name,
		key:  func(t sas.Task) string { return t.ID },
		ask: func(ctx context.Context, at place) (*sas.Page[sas.Task], error) {
			return f.api.OnceTasks(ctx, sas.TaskQuery{Source: source, Number: at.number, Size: pageSize})
		},
		enough: func(all, page []sas.Task) bool {
			if len(page) > 0 && !f.young(page[len(page)-1]) {
				return true // what follows is older still
			}
			wanted := 0
			for _, t := range all {
				if f.young(t) && startedBy(t, source) {
					wanted++
				}
			}
			return wanted >= f.config.MaxTasks
		},
	}
}

// young says whether a task is not too old to be followed. One whose start is
// not known is not.
func (f taskFinder) young(t sas.Task) bool {
	return t.Start.IsZero() || time.Since(t.Start) <= f.config.MaxAge
}

// trim gives the tasks that are followed, the newest first; those whose start
// is not known come last, in the service's order.
func (f taskFinder) trim(tasks []sas.Task) []sas.Task {
	tasks = slices.DeleteFunc(tasks, func(t sas.Task) bool { return !f.young(t) })
	slices.SortStableFunc(tasks, func(a, b sas.Task) int { return b.Start.Compare(a.Start) })
	return tasks[:min(len(tasks), f.config.MaxTasks)]
}

// remark tells of tasks whose times do not go with the clock, and of tasks that
// are not followed although there is no other.
func (f taskFinder) remark(tasks []sas.Task) remark {
	if len(tasks) == 0 {
		return remark{}
	}
	newest := slices.MaxFunc(tasks, func(a, b sas.Task) int { return a.Start.Compare(b.Start) })
	detail := []any{"newest_start", newest.Start.UTC().Format(time.RFC3339), "clock", time.Now().UTC().Format(time.RFC3339)}
	running := func(t sas.Task) bool { return t.End.IsZero() && !(t.Progress >= 1) }
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
