package doctor

import (
	"context"
	"fmt"
	"slices"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// scanList is what a task's list of server scans says.
type scanList struct {
	root  string            // the task's ID
	scans []scanOf          // those of which server and leaf ID are known
	byKey map[string]string // leaf ID by server, as sas.UUIDKey has it
}

// scanOf is the scan of one server.
type scanOf struct{ uuid, leafID string }

// listScans reads the first page of the newest task's list of servers, and says whether it is of
// use.
func (e *examination) listScans(ctx context.Context, tasks []sas.Task) scanList {
	if len(tasks) == 0 {
		return scanList{}
	}
	list := scanList{root: tasks[0].ID, byKey: make(map[string]string)}
	var page *sas.Page[sas.ServerScan]
	failed := e.call(ctx, func(ctx context.Context) (err error) {
		page, err = e.api.ServerScans(ctx, sas.ServerScanQuery{TaskID: list.root, Number: 1, Size: firstPage})
		return err
	})
	const without = "nothing: servers are polled as without the list, only later on a large fleet"
	if failed != nil {
		e.say(warning, "server list", "that of the newest task cannot be read: "+failed.Error(), without)
		return list
	}
	named := 0
	for _, s := range page.Items {
		if !s.NamesServer() {
			continue
		}
		named++
		if uuid := e.uuidOf(s); uuid != "" && s.TaskID != "" {
			list.scans = append(list.scans, scanOf{uuid, s.TaskID})
			list.byKey[sas.UUIDKey(uuid)] = s.TaskID
		}
	}
	text := fmt.Sprintf("that of the newest task names servers in %d of the first %d entries", named, page.Entries)
	switch {
	case page.Entries == 0:
		e.say(warning, "server list", "that of the newest task is empty", without)
	case named == 0:
		e.say(warning, "server list", text, without)
	default:
		e.say(fine, "server list", text, "")
	}
	return list
}

// uuidOf returns the UUID of a scan's server as the service writes it: the list of servers has it
// with a prefix, or only knows it by its instance ID.
func (e *examination) uuidOf(s sas.ServerScan) string {
	for _, c := range e.account.Servers {
		if s.UUID != "" && sas.UUIDKey(c.UUID) == s.UUID {
			return c.UUID
		}
	}
	at := slices.IndexFunc(e.instances, func(i sas.Instance) bool {
		if s.UUID != "" {
			return sas.UUIDKey(i.UUID) == s.UUID
		}
		return i.InstanceID == s.InstanceID
	})
	if at >= 0 {
		return e.instances[at].UUID
	}
	return s.UUID
}

// addTo lets servers be polled under the IDs of their leaf tasks as well.
func (l scanList) addTo(targets []config.Server) []config.Server {
	for i, s := range targets {
		if leaf := l.byKey[sas.UUIDKey(s.UUID)]; leaf != "" {
			targets[i].TaskIDs = distinct([]string{leaf}, s.TaskIDs)
		}
	}
	return targets
}

// compareIDs asks about one server under the newest task's own ID and under that of the server's
// leaf task, and says which of them the service answers.
func (e *examination) compareIDs(ctx context.Context, list scanList) {
	if len(list.scans) == 0 {
		return
	}
	s := list.scans[0]
	var answers [2]bool
	for i, id := range []string{list.root, s.leafID} {
		failed := e.call(ctx, func(ctx context.Context) error {
			answer, err := e.api.VulCheckTaskStatusDetail(ctx, sas.Query{UUID: s.uuid, TaskIDs: []string{id}, Types: e.account.Types})
			answers[i] = err == nil && len(answer.Subtasks) > 0
			return err
		})
		if failed != nil && !illegalParameter(failed) {
			e.say(warning, "task IDs", failed.Error(), "start --doctor again")
			return
		}
	}
	const subject = "task IDs"
	switch answers {
	case [2]bool{true, true}:
		e.say(fine, subject, "the service answers under the task's own ID and under that of the server's part of it", "")
	case [2]bool{true, false}:
		e.say(fine, subject, "the service answers under the task's own ID, not under that of the server's part of it", "")
	case [2]bool{false, true}:
		e.say(fine, subject, "the service answers under the ID of the server's part of the task only, which the task's list of servers tells", "")
	default:
		e.say(warning, subject, "the service answers neither under the task's own ID nor under that of the server's part of it",
			"start --doctor again while a scan is under way")
	}
}
