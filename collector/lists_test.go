package collector_test

import (
	"testing"
	"time"
)

// What lists say of each server is published as they have it, and leaves with the task.
func TestServerScansArePublishedAsListed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c, s := newTaskCenter(3), newScript()
		for n := range 3 {
			s.says(n+1, "t/cve/1")
		}
		c.list(running("t", leavesOf("t", 0, 1, 1)...), ended("u", leavesOf("u", 2, 3, 4)...))
		w := startListed(t, c, s, discovering("requests_per_second: 100\nstall_after: 1d"))
		pass(10 * time.Second)
		old := scanStatusIs(1, "u", 2) + scanStatusIs(2, "u", 3) + scanStatusIs(3, "u", 4)
		w.wants("server_scan_status server_scans", scanStatusIs(1, "t", 0)+scanStatusIs(2, "t", 1)+scanStatusIs(3, "t", 1)+old+
			scansAre("t", 1, 2, 0, 0, 0)+scansAre("u", 0, 0, 1, 1, 1))
		wantEqual(t, "pages of the ended task", c.read("u"), 1)
		compareWithPromhttp(t, w.collector)

		c.list(running("t", leavesOf("t", 2, 3)...), ended("u", leavesOf("u", 2, 3, 4)...)) // the third server is in the task no more
		pass(2*time.Minute + time.Second)
		w.wants("server_scan_status server_scans", scanStatusIs(1, "t", 2)+scanStatusIs(2, "t", 3)+old+
			scansAre("t", 0, 0, 1, 1, 0)+scansAre("u", 0, 0, 1, 1, 1))
		wantEqual(t, "status series", w.value("subtask_status"), 3) // each 1
		c.list(running("t", leavesOf("t", 2, 3)...))
		pass(time.Minute)
		w.wants("server_scan_status server_scans", scanStatusIs(1, "t", 2)+scanStatusIs(2, "t", 3)+scansAre("t", 0, 0, 1, 1, 0))
		c.list()
		pass(time.Minute + time.Second) // an empty list is believed the second time
		w.wants("server_scan_status server_scans", "")
		compareWithPromhttp(t, w.collector)
	})
}

func TestServerScansOfAnyStatus(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status    any
		published any // nil: nothing
		sums      string
		anomalies string
	}{
		"undocumented":     {7, 7, scansAre("t", 0, 0, 0, 0, 0) + labelled("server_scans", `,status="unknown",task_id="t"`, 1), "map[status_unknown:1]"},
		"negative":         {-1, -1, scansAre("t", 0, 0, 0, 0, 0) + labelled("server_scans", `,status="unknown",task_id="t"`, 1), "map[status_unknown:1]"},
		"a number as text": {`"3"`, 3, scansAre("t", 0, 0, 0, 1, 0), "map[wrong_type:1]"},
		"a word":           {`"done"`, nil, scansAre("t", 0, 0, 0, 0, 0) + labelled("server_scans", `,status="unknown",task_id="t"`, 1), "map[status_invalid:1]"},
		"null":             {"null", nil, scansAre("t", 0, 0, 0, 0, 0) + labelled("server_scans", `,status="unknown",task_id="t"`, 1), "map[status_invalid:1]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c, s := newTaskCenter(1), newScript()
				s.says(1, "t/cve/1")
				c.list(running("t", leafOf("t", 1, tt.status)))
				w := startListed(t, c, s, discovering("stall_after: 1d\npoll_interval: 30s"))
				pass(10 * time.Second)
				want := tt.sums
				if tt.published != nil {
					want += scanStatusIs(1, "t", tt.published)
				}
				w.wants("server_scan_status server_scans", want)
				wantEqual(t, "anomalies", w.counted("response_anomalies_total", "reason"), tt.anomalies)
				pass(10*time.Minute - 10*time.Second)
				w.wants("server_scan_status server_scans subtask_status", want+statusIs(1, "t", "cve", 1))
				if polls := len(pollTimes(w, 1)); name != "a number as text" && polls != 20 {
					t.Errorf("%d polls in ten minutes, want 20, as without lists", polls)
				}
			})
		})
	}
}
