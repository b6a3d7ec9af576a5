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
	// maxPolls bounds the servers that are polled, patience how long that may take at the account's
	// quota.
	maxPolls = 20
	patience = 10 * time.Second
	// maxTaskIDs is how many task IDs one call carries.
	maxTaskIDs = 50
	// nobody takes the place of a server and a task if there are none, so that at least the
	// permission is checked.
	nobody = "00000000-0000-0000-0000-000000000000"
)

// poll polls the servers, and says which of them the service does not know. It tells whether polls
// work.
func (e *examination) poll(ctx context.Context, targets []config.Server) bool {
	targets = slices.DeleteFunc(targets, func(s config.Server) bool { return len(s.TaskIDs) == 0 })
	nothing := len(targets) == 0
	if nothing {
		targets = []config.Server{{UUID: nobody, TaskIDs: []string{strings.ReplaceAll(nobody, "-", "")}, Types: e.account.Types}}
	}
	answered, subtasks := 0, 0
	for i, s := range targets {
		answer, goOn := e.pollOne(ctx, s, i == 0, nothing)
		if !goOn {
			return false
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
	return true
}

// pollOne makes a real poll. The first one prints whether the permission is there.
func (e *examination) pollOne(ctx context.Context, s config.Server, first, nothing bool) (answer *sas.Answer, goOn bool) {
	failed := e.call(ctx, func(ctx context.Context) (err error) {
		answer, err = e.api.VulCheckTaskStatusDetail(ctx, sas.Query{UUID: s.UUID, TaskIDs: s.TaskIDs, Types: s.Types})
		return err
	})
	if nothing && failed != nil && illegalParameter(failed) {
		failed = nil // expected: there is no such server
	}
	if failed == nil && !first {
		return answer, true
	}
	goOn, done := e.report(sas.ActionVulCheckTaskStatusDetail, failed)
	if !done || nothing {
		return nil, goOn && (failed == nil || !failed.Denied)
	}
	return answer, true
}

// known reports whether an answer has anything of the server in it.
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

// listed reports whether the configuration names the server.
func (e *examination) listed(s config.Server) bool {
	return slices.ContainsFunc(e.account.Servers, func(c config.Server) bool { return strings.EqualFold(c.UUID, s.UUID) })
}
