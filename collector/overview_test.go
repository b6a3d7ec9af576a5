package collector_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/simulator"
)

// overview returns a fresh one.
func (w *world) overview() *collector.Overview {
	pass(time.Second)
	return w.collector.Overview()
}

// noFilter leaves nothing out.
var noFilter = collector.Filter{Page: 1, Limit: 1000}

func namesOf(scans []collector.Scan) string {
	var b strings.Builder
	for _, s := range scans {
		fmt.Fprintf(&b, "%s/%s/%s/%s ", s.Server, s.TaskID, s.Type, s.Code)
	}
	return strings.TrimSpace(b.String())
}

func TestTroubleIsShownLongestFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		s.says(2, "t/cve/4", "t/sca/4")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "stall_after: 10m\nsettled_interval: 1m", serversYAML(2)...)))
		pass(time.Minute)
		s.says(2, "t/cve/4/early", "t/sca/4")
		pass(15 * time.Minute)
		s.says(2, "t/cve/4/early", "t/sca/4/late")
		pass(2 * time.Minute)

		o := w.overview()
		found := o.Problems(noFilter)
		wantEqual(t, "trouble", namesOf(found.Items), "web-1/t/cve/ web-2/t/cve/early web-2/t/sca/late")
		wantEqual(t, "of", found.Total, 3)
		wantEqual(t, "stalled", fmt.Sprint(found.Items[0].Stalled, found.Items[1].Stalled), "true false")
		for search, want := range map[string]string{
			"LATE":  "web-2/t/sca/late",
			"web-1": "web-1/t/cve/",
			"none":  "",
		} {
			found := o.Problems(collector.Filter{Search: search, Page: 1, Limit: 10})
			wantEqual(t, "trouble of "+search, namesOf(found.Items), want)
		}
		second := o.Problems(collector.Filter{Page: 2, Limit: 1})
		wantEqual(t, "the second page", namesOf(second.Items), "web-2/t/cve/early")
		wantEqual(t, "of", second.Total, 3)
		wantEqual(t, "in another account", o.Problems(collector.Filter{Account: "other", Page: 1, Limit: 10}).Total, 0)
	})
}

func TestServersAreSearchedAndPaged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		s.says(2, "t/cve/4/code")
		s.fails(3, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "stall_after: 10m\nsettled_interval: 1m", serversYAML(3)...)))
		o := w.overview()
		list := func(f collector.Filter) string {
			var b strings.Builder
			found := o.Servers(f)
			for _, s := range found.Items {
				fmt.Fprintf(&b, "%s %s %d/%d/%d, ", s.Name, s.State, s.Subtasks, s.Complete, s.Failing)
			}
			return fmt.Sprintf("%sof %d", &b, found.Total)
		}
		wantEqual(t, "all", list(noFilter), "web-1 ok 1/0/0, web-2 ok 1/1/1, web-3 failing 0/0/0, of 3")
		wantEqual(t, "a page", list(collector.Filter{Page: 2, Limit: 2}), "web-3 failing 0/0/0, of 3")
		wantEqual(t, "failing", list(collector.Filter{State: scan.StateFailing, Page: 1, Limit: 9}), "web-3 failing 0/0/0, of 1")
		wantEqual(t, "by name", list(collector.Filter{Search: "WEB-2", Page: 1, Limit: 9}), "web-2 ok 1/1/1, of 1")
		wantEqual(t, "by UUID", list(collector.Filter{Search: uuid(1)[30:], Page: 1, Limit: 9}), "web-1 ok 1/0/0, of 1")
		wantEqual(t, "of no account", list(collector.Filter{Account: "other", Page: 1, Limit: 9}), "of 0")

		a := o.Accounts[0]
		wantEqual(t, "account", fmt.Sprint(a.Name, a.OK, a.Failing, a.Pending, a.CallsConfigured == a.CallsAllowed, a.CallsUsed > 0), "main2 1 0 true true")
		wantEqual(t, "types", fmt.Sprint(a.Types), "[{cve map[collected:0 collecting:1 complete:1 matching:0 unhandled:0 unknown:0] 0 1 0 0 [0 1 0 0 0 0 1 0]}]")
		wantEqual(t, "its last error", fmt.Sprint(a.LastError.Result, a.LastError.RequestID != ""), "ServerErrortrue")
	})
}

func TestAServersLastChangesAreKept(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1", "u/sca/4")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "settled_interval: 1m", serverYAML(1))))
		changes := func() string {
			d, ok := w.overview().Server("main", strings.ToUpper(uuid(1)))
			wantEqual(t, "found", ok, true)
			var b strings.Builder
			for _, c := range d.Changes {
				fmt.Fprintf(&b, "%s/%s/%s/%s ", c.TaskID, c.Type, c.StatusName, c.Code)
			}
			return strings.TrimSpace(b.String())
		}
		wantEqual(t, "at first sight", changes(), "")
		s.says(1, "t/cve/3", "u/sca/4")
		pass(2 * time.Minute)
		wantEqual(t, "a step", changes(), "t/cve/matching/")
		s.says(1, "u/sca/4/code", "t/cve/3", "v/cms/0")
		pass(2 * time.Minute)
		wantEqual(t, "in another order, with a new subtask", changes(), "v/cms/unhandled/ u/sca/complete/code t/cve/matching/")
		s.says(1, "v/cms/0", "u/sca/4/code")
		pass(2 * time.Minute)
		wantEqual(t, "one is no longer reported", changes(), "v/cms/unhandled/ u/sca/complete/code")
		for i := range 2 * 20 {
			s.says(1, "v/cms/"+[]string{"1", "2"}[i%2], "u/sca/4/code")
			pass(2 * time.Minute)
		}
		wantEqual(t, "many", strings.Count(changes(), "v/cms"), 20)
		wantEqual(t, "the newest", strings.HasPrefix(changes(), "v/cms/collected/ v/cms/collecting/"), true)
		_, ok := w.overview().Server("main", "nobody")
		wantEqual(t, "an unknown server", ok, false)
	})
}

func TestAServersLastErrorIsRememberedForADay(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.fails(1, 500, "ServerError")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "settled_interval: 10m", serverYAML(1))))
		trouble := func() string {
			d, _ := w.overview().Server("main", uuid(1))
			if d.LastError == nil {
				return d.State
			}
			return d.State + " " + d.LastError.Result
		}
		wantEqual(t, "failing", trouble(), "failing ServerError")
		s.says(1, "t/cve/4")
		pass(time.Hour)
		wantEqual(t, "an hour later", trouble(), "ok ServerError")
		pass(24 * time.Hour)
		wantEqual(t, "a day later", trouble(), "ok")
	})
}

func TestAnOverviewIsMadeOnceASecond(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/1")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "", serverYAML(1))))
		first := w.overview()
		pass(time.Second - time.Millisecond)
		wantEqual(t, "the same", w.collector.Overview() == first, true)
		pass(time.Millisecond)
		wantEqual(t, "a new one", w.collector.Overview() != first, true)
	})
}

// That of a large fleet takes a while to gather.
func TestAnOverviewIsASecondOldAtMost(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var slow atomic.Bool
		clock := scan.NewClock(func() time.Time {
			if slow.Load() {
				time.Sleep(600 * time.Millisecond)
			}
			return time.Now()
		})
		c := collector.New(scan.NewStore(), clock)
		slow.Store(true)
		first := c.Overview()
		slow.Store(false)
		time.Sleep(399 * time.Millisecond)
		wantEqual(t, "the same", c.Overview() == first, true)
		time.Sleep(2 * time.Millisecond)
		wantEqual(t, "a new one", c.Overview() != first, true)
	})
}
