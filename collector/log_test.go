package collector_test

import (
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// linesOf returns the lines of the log that have a message.
func (l *lines) linesOf(msg string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `msg="`+msg) {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}

func TestLinesOfFailuresNameEverythingOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		code   string
		msg    string
		server bool // the server is named
	}{
		"a server's":         {500, "ServerError", "poll failed", true},
		"an account's":       {403, "NoPermission", "calls are refused", false},
		"each single call's": {400, "IllegalParam", "call failed", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.fails(1, tt.status, tt.code)
				w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "", serverYAML(1, "task_ids: [t, u]"))))
				pass(time.Second)
				found := w.log.linesOf(tt.msg)
				if len(found) != 1 {
					t.Fatalf("logged %q", w.log.String())
				}
				once := []string{"main", tt.code, "err="}
				if tt.server {
					once = append(once, "server=web-1", "uuid="+uuid(1), "task_id=t,u")
				}
				for _, part := range once {
					wantEqual(t, part+" in "+found[0], strings.Count(found[0], part), 1)
				}
				if strings.Count(found[0], uuid(1)) > 1 {
					t.Errorf("the UUID is named twice: %s", found[0])
				}
			})
		})
	}
}

func TestPollsAndChangesAreToldAtLevelDebug(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "poll_interval: 1m\nsettled_interval: 1m", serverYAML(1))))
		pass(time.Minute + time.Second)
		s.says(1, "t/cve/4/A", "u/cve/0")
		pass(time.Minute)
		s.fails(1, 500, "ServerError")
		pass(time.Minute)
		polls := w.log.linesOf("poll succeeded")
		wantEqual(t, "polls told", len(polls), 3)
		for _, part := range []string{"level=debug", "account=main", "server=web-1", "uuid=" + uuid(1), "task_id=task-a", "subtasks=2"} {
			wantEqual(t, part+" in "+polls[2], strings.Count(polls[2], part), 1)
		}
		wantEqual(t, "new subtasks", len(w.log.linesOf("new subtask")), 2)
		changes := w.log.linesOf("subtask changed")
		wantEqual(t, "changes told", len(changes), 1)
		for _, part := range []string{"level=debug", "account=main", "server=web-1", "task_id=t ", "type=cve", "status=4", "code=A", "status_before=1", "code_before="} {
			wantEqual(t, part+" in "+changes[0], strings.Count(changes[0], part), 1)
		}
	})
}
