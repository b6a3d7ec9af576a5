package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// firstPage is how much of a list is read: enough to see that it works.
	firstPage = 100
	// maxPolls bounds the servers that are polled, patience how long that may
	// take at the account's quota.
	maxPolls = 20
	patience = 10 * time.Second
	// maxTaskIDs is how many task IDs one call carries.
	maxTaskIDs = 50
	// nobody stands for server and task where there is none to ask about, so
	// that at least the permission is examined.
	nobody = "00000000-0000-0000-0000-000000000000"
)

// discover reads the first page of each list that the configuration asks for,
// and gives the servers to poll. It tells whether other calls can succeed.
func (e *examination) discover(ctx context.Context) (targets []config.Server, ok bool) {
	taskIDs, ok := e.discoverTasks(ctx)
	if !ok {
		return nil, false
	}
	affordable := max(1, int(e.account.RequestsPerSecond*patience.Seconds()))
	targets = slices.Clone(e.account.Servers[:min(maxPolls, affordable, len(e.account.Servers))])
	if e.account.Discovery.Servers != nil {
		found, ok := e.discoverServers(ctx)
		if !ok {
			return nil, false
		}
		if len(targets) == 0 {
			targets = found
		}
	}
	for i := range targets {
		targets[i].TaskIDs = distinct(targets[i].TaskIDs, taskIDs)
	}
	return targets, true
}

// distinct gives the first IDs of both lists that one call can carry, each once.
func distinct(configured, found []string) []string {
	ids := slices.Clone(configured)
	for _, id := range found {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids[:min(maxTaskIDs, len(ids))]
}

// discoverTasks gives the IDs of the newest tasks.
func (e *examination) discoverTasks(ctx context.Context) (ids []string, ok bool) {
	settings := e.account.Discovery.Tasks
	if settings == nil {
		return nil, true
	}
	query := sas.TaskQuery{Number: 1, Size: firstPage}
	if len(settings.Sources) > 0 {
		query.Source = settings.Sources[0]
	}
	var page *sas.Page[sas.Task]
	failed := e.call(ctx, func(ctx context.Context) (err error) {
		page, err = e.api.OnceTasks(ctx, query)
		return err
	})
	goOn, done := e.judge(sas.ActionOnceTask, failed)
	if !done {
		return nil, goOn
	}
	for _, t := range page.Items {
		if len(ids) < settings.MaxTasks && (t.Start.IsZero() || time.Since(t.Start) <= settings.MaxAge) {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		e.say(warning, "tasks", fmt.Sprintf("%d on the first page, none younger than max_age", len(page.Items)),
			"start a vulnerability scan in the Security Center console, or raise discovery.tasks.max_age")
		return nil, true
	}
	e.say(fine, "tasks", fmt.Sprintf("%d would be followed now", len(ids)), "")
	return ids, true
}

// discoverServers gives one server to poll, rather one that is online.
func (e *examination) discoverServers(ctx context.Context) (one []config.Server, ok bool) {
	var page *sas.Page[sas.Instance]
	failed := e.call(ctx, func(ctx context.Context) (err error) {
		page, err = e.api.Instances(ctx, sas.InstanceQuery{Size: firstPage})
		return err
	})
	goOn, done := e.judge(sas.ActionInstances, failed)
	if !done {
		return nil, goOn
	}
	if len(page.Items) == 0 {
		e.say(warning, "servers", "the account has none", "see in the Security Center console whether this is the right account and region")
		return nil, true
	}
	online := func(i sas.Instance) bool { return i.Online }
	at := max(0, slices.IndexFunc(page.Items, online))
	e.say(fine, "servers", fmt.Sprintf("%d on the first page", len(page.Items)), "")
	i := page.Items[at]
	return []config.Server{{UUID: i.UUID, Name: i.Name, TaskIDs: e.account.TaskIDs, Types: e.account.Types}}, true
}

// poll polls the servers, and says which of them the service does not know.
func (e *examination) poll(ctx context.Context, targets []config.Server) {
	targets = slices.DeleteFunc(targets, func(s config.Server) bool { return len(s.TaskIDs) == 0 })
	nothing := len(targets) == 0
	if nothing {
		targets = []config.Server{{UUID: nobody, TaskIDs: []string{strings.ReplaceAll(nobody, "-", "")}, Types: e.account.Types}}
	}
	answered, subtasks := 0, 0
	for i, s := range targets {
		answer, goOn := e.pollOne(ctx, s, i == 0, nothing)
		if !goOn {
			return
		}
		if answer != nil && e.known(s, answer) {
			answered++
			subtasks += len(answer.Subtasks)
		}
	}
	switch {
	case nothing:
		e.say(warning, "poll", "there is no server and task to poll yet", "see the lines above")
	case answered > 0:
		e.say(fine, "poll", fmt.Sprintf("%d of %d servers asked answered with %d subtasks", answered, len(targets), subtasks), "")
	}
}

// pollOne makes a real poll. The first one tells of the permission.
func (e *examination) pollOne(ctx context.Context, s config.Server, first, nothing bool) (answer *sas.Answer, goOn bool) {
	failed := e.call(ctx, func(ctx context.Context) (err error) {
		answer, err = e.api.VulCheckTaskStatusDetail(ctx, sas.Query{UUID: s.UUID, TaskIDs: s.TaskIDs, Types: s.Types})
		return err
	})
	if nothing && failed != nil && illegalParameter(failed) {
		failed = nil // of course: there is no such server
	}
	if failed == nil && !first {
		return answer, true
	}
	goOn, done := e.judge(sas.ActionVulCheckTaskStatusDetail, failed)
	if !done || nothing {
		return nil, goOn && (failed == nil || !failed.Denied)
	}
	return answer, true
}

// known says whether an answer has anything of the server in it.
func (e *examination) known(s config.Server, answer *sas.Answer) bool {
	if len(answer.Subtasks) > 0 {
		return true
	}
	who := "server " + s.Name + " (" + s.UUID + ")"
	if answer.TotalCount > 0 {
		e.say(warning, who, fmt.Sprintf("it has %d scan subtasks, but none of these tasks and types", answer.TotalCount),
			"compare task_ids with the console's list of tasks, or turn on discovery.tasks")
		return false
	}
	if e.listed(s) {
		e.say(broken, who, "the service knows no scan of a server with this UUID",
			"compare the UUID with the console's list of assets (not the instance ID), and see that this is the right account; if both are right, start a scan of it")
		return false
	}
	e.say(warning, who, "no scan of it yet", "start a vulnerability scan in the Security Center console")
	return false
}

// listed says whether the configuration names the server.
func (e *examination) listed(s config.Server) bool {
	return slices.ContainsFunc(e.account.Servers, func(c config.Server) bool { return strings.EqualFold(c.UUID, s.UUID) })
}
