package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// firstPage is how much of a list is read: enough to see that it works.
	firstPage = 100
	// maxPages bounds the search for a server that no setting leaves out.
	maxPages = 20
)

// discover reads the lists that the configuration asks for. It returns the servers to poll and the
// tasks that discovery would follow, and tells whether other calls can succeed.
func (e *examination) discover(ctx context.Context) (targets []config.Server, tasks []sas.Task, ok bool) {
	if e.account.Discovery.Tasks != nil {
		if tasks, ok = e.discoverTasks(ctx, *e.account.Discovery.Tasks); !ok {
			return nil, nil, false
		}
	} else if !e.tasksConfigured() {
		e.say(broken, "tasks", "none to watch", "turn on discovery.tasks, or list task_ids")
	}
	affordable := max(1, int(e.account.RequestsPerSecond*patience.Seconds()))
	targets = slices.Clone(e.account.Servers[:min(maxPolls, affordable, len(e.account.Servers))])
	if e.account.Discovery.Servers != nil {
		found, ok := e.discoverServers(ctx, *e.account.Discovery.Servers)
		if !ok {
			return nil, nil, false
		}
		if len(targets) == 0 {
			targets = found
		}
	} else if len(targets) == 0 {
		e.say(broken, "servers", "none to watch", "turn on discovery.servers, or list servers")
	}
	for i := range targets {
		targets[i].TaskIDs = distinct(targets[i].TaskIDs, idsOf(tasks))
	}
	return targets, tasks, true
}

// tasksConfigured reports whether any server has tasks by the configuration.
func (e *examination) tasksConfigured() bool {
	return len(e.account.TaskIDs) > 0 || slices.ContainsFunc(e.account.Servers, func(s config.Server) bool { return len(s.TaskIDs) > 0 })
}

func idsOf(tasks []sas.Task) []string {
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	return ids
}

// distinct returns the first IDs of both lists that one call can carry, each once.
func distinct(configured, found []string) []string {
	ids := slices.Clone(configured)
	for _, id := range found {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids[:min(maxTaskIDs, len(ids))]
}

// worse is the verdict on a list of which nothing is watched: without anything configured the
// account has nothing to watch at all.
func worse(configured bool) string {
	if configured {
		return warning
	}
	return broken
}

// leftOut is how many entries each setting leaves out.
type leftOut map[string]int

func (l leftOut) String() string {
	parts := make([]string, 0, len(l))
	for _, setting := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%s leaves out %d", setting, l[setting]))
	}
	return strings.Join(parts, ", ")
}

// discoverTasks returns the tasks that would be followed, the newest first.
func (e *examination) discoverTasks(ctx context.Context, settings config.TaskDiscovery) (tasks []sas.Task, ok bool) {
	sources, left := settings.Sources, leftOut{}
	if len(sources) == 0 {
		sources = []string{""}
	}
	listed := 0
	for _, source := range sources {
		page, goOn, done := e.tasksOf(ctx, source)
		if !done {
			return nil, goOn
		}
		for _, t := range page {
			switch {
			case source != "" && t.Source != "" && t.Source != source:
				continue // found with its own source, if that is wanted
			case !t.Start.IsZero() && time.Since(t.Start) > settings.MaxAge:
				left["max_age"]++
			case !slices.Contains(idsOf(tasks), t.ID):
				tasks = append(tasks, t)
			}
			listed++
		}
	}
	if listed == 0 && len(settings.Sources) > 0 {
		if page, _, done := e.tasksOf(ctx, ""); done && len(page) > 0 {
			left["sources"] = len(page)
		}
	}
	slices.SortStableFunc(tasks, func(a, b sas.Task) int { return b.Start.Compare(a.Start) })
	tasks = tasks[:min(len(tasks), settings.MaxTasks)]
	switch {
	case len(tasks) > 0:
		e.say(fine, "tasks", fmt.Sprintf("%d would be followed now", len(tasks)), "")
	case len(left) > 0:
		e.say(worse(e.tasksConfigured()), "tasks", "none of the first page would be followed: "+left.String(),
			"start a vulnerability scan in the Security Center console, or change discovery.tasks")
	default:
		e.say(worse(e.tasksConfigured()), "tasks", "the account has none", "start a vulnerability scan in the Security Center console")
	}
	return tasks, true
}

// tasksOf reads the first page of the tasks of a source.
func (e *examination) tasksOf(ctx context.Context, source string) (tasks []sas.Task, goOn, done bool) {
	failed := e.call(ctx, func(ctx context.Context) error {
		page, err := e.api.OnceTasks(ctx, sas.TaskQuery{Source: source, Number: 1, Size: firstPage})
		if err == nil {
			tasks = page.Items
		}
		return err
	})
	goOn, done = e.report(sas.ActionOnceTask, failed)
	return tasks, goOn, done
}

// discoverServers returns one server to poll of those that would be watched, rather one that is
// online.
func (e *examination) discoverServers(ctx context.Context, settings config.ServerDiscovery) (one []config.Server, ok bool) {
	var (
		watched []sas.Instance
		left    = leftOut{}
		token   string
	)
	for n := range maxPages {
		page, failed := e.serversFrom(ctx, token)
		if n == 0 {
			if goOn, done := e.report(sas.ActionInstances, failed); !done {
				return nil, goOn
			}
		}
		if failed != nil {
			break
		}
		for _, i := range page.Items {
			if by := discovery.LeftOutBy(settings, e.account.Types, i); by != "" {
				left[by]++
			} else {
				watched = append(watched, i)
			}
		}
		e.instances = append(e.instances, page.Items...)
		if token = page.NextToken; token == "" || len(watched) > 0 {
			break
		}
	}
	configured := len(e.account.Servers) > 0
	switch listed := len(e.instances); {
	case len(watched) > 0:
		text := fmt.Sprintf("%d of the first %d would be watched", len(watched), listed)
		if len(left) > 0 {
			text += ": " + left.String()
		}
		e.say(fine, "servers", text, "")
	case listed == 0:
		e.say(worse(configured), "servers", "the account has none", "see in the Security Center console whether this is the right account and region")
		return nil, true
	default:
		e.say(worse(configured), "servers", fmt.Sprintf("none of the first %d would be watched: %s", listed, left), "change discovery.servers, or list servers")
		return nil, true
	}
	i := watched[max(0, slices.IndexFunc(watched, func(i sas.Instance) bool { return i.Online }))]
	return []config.Server{{UUID: i.UUID, Name: i.Name, TaskIDs: e.account.TaskIDs, Types: e.account.Types}}, true
}

// serversFrom reads the page of servers to which a token leads.
func (e *examination) serversFrom(ctx context.Context, token string) (page *sas.Page[sas.Instance], failed *sas.Error) {
	failed = e.call(ctx, func(ctx context.Context) (err error) {
		page, err = e.api.Instances(ctx, sas.InstanceQuery{Token: token, Size: firstPage})
		return err
	})
	return page, failed
}
