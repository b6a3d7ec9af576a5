package poll

import (
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_vulscan_exporter/collector/scan"
)

// noticeProgress logs a poll that succeeded, and every subtask that it found changed, at level
// debug. What it does before that level is looked at is next to nothing. It is called with a.mu
// held.
func (a *account) noticeProgress(next *scan.Record, transitions []scan.Transition, took time.Duration) {
	a.notice(func(l log.Logger) {
		if next.Failure == "" {
			level.Debug(ofServer(l, next)).Log("msg", "poll succeeded", "subtasks", len(next.Subtasks), "took", took)
		}
		for _, s := range transitions {
			line := log.With(l, "server", next.Target.Name, "uuid", next.Target.UUID, "task_id", s.TaskID, "type", s.Type, "status", s.Status, "code", s.Code)
			if s.Before == nil {
				level.Debug(line).Log("msg", "new subtask")
				continue
			}
			level.Debug(line).Log("msg", "subtask changed", "status_before", s.Before.Status, "code_before", s.Before.Code)
		}
	})
}

// ofServer returns a logger whose lines name the server and what it is asked for.
func ofServer(l log.Logger, r *scan.Record) log.Logger {
	return log.With(l, "server", r.Target.Name, "uuid", r.Target.UUID, "task_id", commaSeparated(r.Target.TaskIDs))
}

// commaSeparated is a list whose text is made only where it is logged.
type commaSeparated []string

func (c commaSeparated) String() string { return strings.Join(c, ",") }
