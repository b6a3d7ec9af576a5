package collector_test

import (
	"fmt"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestRefusedAccountFailsAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		f, s := &refusing{}, newScript()
		for i := range 80 {
			s.says(i+1, fmt.Sprintf("t/cve/%d", 4-i%2))
		}
		w := startWorld(t, simulator.Options{Intercept: both(f.intercept, s.intercept)},
			yamlOf(yamlAccount("main", "poll_interval: 1m\nstall_after: 10m\nstale_after: 0s", serversYAML(80)...), yamlAccount("other", "", serverYAML(100))))
		pass(time.Minute)
		wantEqual(t, "up", w.value("server_up", "account=main"), 80)
		f.set(403, "NoPermission")
		pass(time.Minute)
		wantEqual(t, "up, refused", w.value("server_up", "account=main"), 0)
		wantEqual(t, "failing, refused", w.value("servers", "account=main", "state=failing"), 80)
		wantEqual(t, "ok, refused", w.value("servers", "account=main", "state=ok"), 0)
		servers := w.overview().Servers(noFilter)
		wantEqual(t, "of all", servers.Total, 81)
		wantEqual(t, "on pages", servers.Items[77].State, "failing")

		pass(9 * time.Minute) // nothing stalls that was not seen to
		wantEqual(t, "stalled, refused for minutes", w.value("subtasks_stalled"), 0)
		pass(5 * time.Hour)
		wantEqual(t, "stalled, refused for hours", w.value("subtasks_stalled"), 0)
		wantEqual(t, "status series", len(w.tasksOf("subtask_status")), 80)
		f.set(0, "")
		pass(time.Minute)
		wantEqual(t, "up again", w.value("server_up", "account=main"), 80)
		wantEqual(t, "stalled as is seen now", w.value("subtasks_stalled"), 40)
		f.set(403, "NoPermission")
		pass(5 * time.Hour)
		wantEqual(t, "still stalled, refused", w.value("subtasks_stalled"), 40)
	})
}

// Servers that were never polled fail too: they are not pending.
func TestAccountThatIsRefusedFromTheStartFailsAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		f := &refusing{}
		f.set(403, "NoPermission")
		w := startWorld(t, simulator.Options{Intercept: f.intercept}, yamlOf(yamlAccount("main", "", serversYAML(20)...)))
		pass(time.Second)
		wantEqual(t, "failing", w.value("servers", "state=failing"), 20)
		wantEqual(t, "pending", w.value("servers", "state=pending"), 0)
		wantEqual(t, "series that say so", len(w.counts("server_up", "uuid")), 20)
	})
}

// The quota is far too small for the servers. Those that wait for longer than stall_after stay
// stalled, or not, as they were.
func TestServersThatAreNotSeenDoNotStall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		for i := range 10 {
			s.says(i+1, "t/cve/1")
		}
		text := func(rate string) string {
			return yamlOf(yamlAccount("main", "poll_interval: 10s\nstall_after: 10m\nstale_after: 0s\n"+rate, serversYAML(10)...))
		}
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, text("requests_per_second: 10"))
		pass(time.Minute)
		w.apply(text("requests_per_second: 0.0001\nconcurrency: 1"))
		pass(9*time.Minute + 30*time.Second)
		wantEqual(t, "stalled when stall_after is over", w.value("subtasks_stalled"), 10) // due for less than that
		pass(10 * time.Minute)
		wantEqual(t, "stalled, not seen for so long", w.value("subtasks_stalled"), 0)
		compareWithPromhttp(t, w.collector)
		w.apply(text("requests_per_second: 10"))
		pass(20 * time.Second)
		wantEqual(t, "stalled, seen again", w.value("subtasks_stalled"), 10)
	})
}
