package collector_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

const everything = "subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds server_up server_tasks " +
	"server_last_success_timestamp_seconds server_info"

func TestServerThatLeavesTheConfigurationLeavesTheMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/4/A")
		s.says(2, "t/cve/4/A")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "", serversYAML(2)...)))
		pass(time.Minute)
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(2))))
		for _, name := range strings.Fields(everything) {
			wantEqual(t, name+" of the server that left", w.value(name, "server=web-1"), 0)
			if w.value(name, "server=web-2") == 0 {
				t.Errorf("%s of the server that stays is gone", name)
			}
		}
		wantEqual(t, "servers", w.value("servers"), 1)
		pass(time.Hour)
		wantEqual(t, "calls about the server that left", len(w.questionsOf(uuid(1))), 1)
	})
}

func TestAccountThatLeavesTheConfigurationLeavesTheMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/4/A")
		s.says(2, "t/cve/four/A")
		w := startWorld(t, simulator.Options{Intercept: s.intercept, Accounts: []simulator.Account{simulated("main"), simulated("second")}},
			yamlOf(yamlAccount("main", "", serverYAML(1)), yamlAccount("second", "", serverYAML(2))))
		pass(time.Minute)
		if !strings.Contains(w.exposition(), `account="second"`) {
			t.Fatal("the account was never there")
		}
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(1))))
		if text := w.exposition(); strings.Contains(text, `account="second"`) || !strings.Contains(text, `account="main"`) {
			t.Errorf("published:\n%s", text)
		}
	})
}

func TestServerThatStaysKeepsItsValuesAndCounters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		more, server string // of the new configuration
		polledAnew   bool
	}{
		"another account setting": {more: "requests_per_second: 5", server: serverYAML(1)},
		"other task IDs":          {server: serverYAML(1, "task_ids: [task-b]"), polledAnew: true},
		"other types":             {server: serverYAML(1, "types: [cve, sca]"), polledAnew: true},
		"more task IDs":           {server: serverYAML(1, "task_ids: ["+taskList(70)+"]"), polledAnew: true},
		"a label":                 {server: serverYAML(1, "labels: {team: a}")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newScript()
				s.says(1, "t/cve/4/A")
				w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "settled_interval: 10m", serverYAML(1))))
				pass(time.Minute)
				w.apply(yamlOf(yamlAccount("main", "settled_interval: 10m\n"+tt.more, tt.server)))
				want := shown(1, []string{"t/cve/4/A"}) + errorsAre("cve", "A", 1) + changedAt("t", epoch) + upIs(1, 1)
				const families = "subtask_status subtask_error subtask_errors_total subtask_last_change_timestamp_seconds server_up"
				w.wants(families, want)
				pass(time.Minute)
				w.wants(families, want)
				wantEqual(t, "calls counted", w.value("api_requests_total", "result=ok"), len(w.questionsOf(uuid(1))))
				wantEqual(t, "polled anew", len(w.questionsOf(uuid(1))) > 1, tt.polledAnew)
				pass(20 * time.Minute)
				w.wants(families, want)
			})
		})
	}
}

func TestUnchangedAccountIsNotDisturbed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var canceled atomic.Int64
		slow := func(w http.ResponseWriter, r *simulator.Request) bool {
			if r.Account == "second" {
				return false
			}
			select {
			case <-time.After(5 * time.Second):
			case <-r.HTTP.Context().Done():
				canceled.Add(1)
			}
			return false
		}
		main := yamlAccount("main", "", serverYAML(1))
		w := startWorld(t, simulator.Options{Intercept: slow, Accounts: []simulator.Account{simulated("main"), simulated("second")}},
			yamlOf(main, yamlAccount("second", "", serverYAML(2))))
		pass(time.Second)
		w.apply(yamlOf(main, yamlAccount("second", "requests_per_second: 3", serverYAML(2), serverYAML(3))))
		w.apply(yamlOf(yamlAccount("third", "", serverYAML(4)), main))
		pass(5 * time.Second)
		wantEqual(t, "calls canceled", canceled.Load(), 0)
		wantEqual(t, "calls about the server", len(w.questionsOf(uuid(1))), 1)
		wantEqual(t, "up", w.value("server_up", "server=web-1"), 1)
	})
}

// A call that a reload cuts short is no failure of the server, and is made again.
func TestCallCutShortByAReloadIsMadeAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startWorld(t, simulator.Options{Latency: 5 * time.Second}, yamlOf(yamlAccount("main", "", serverYAML(1))))
		pass(time.Second)
		w.apply(yamlOf(yamlAccount("main", "", serversYAML(2)...)))
		w.wants("server_up", "")
		pass(6 * time.Second)
		w.wants("server_up", upIs(1, 1)+upIs(2, 1))
		wantEqual(t, "results", w.counted("api_requests_total", "result"), "map[canceled:1 ok:2]")
	})
}

func TestServersCarryTheUnionOfLabels(t *testing.T) {
	t.Parallel()
	info := func(server int, values string) string {
		return labelled("server_info", `,`+values+`uuid="`+uuid(server)+`"`, 1)
	}
	inBubble(t, func(t *testing.T) {
		w := startWorld(t, simulator.Options{}, yamlOf(yamlAccount("main", "", serverYAML(1, `labels: {team: "a\"b"}`), serverYAML(2, "labels: {zone: z}"))))
		const none = `instance_id="",ip="",os="",region="",`
		w.wants("server_info", labelled("server_info", `,`+none+`server="web-1",team="a\"b",uuid="`+uuid(1)+`",zone=""`, 1)+
			labelled("server_info", `,`+none+`server="web-2",team="",uuid="`+uuid(2)+`",zone="z"`, 1))
		w.apply(yamlOf(yamlAccount("main", "", serverYAML(1, "labels: {env: e}"), serverYAML(2))))
		w.wants("server_info", info(1, `env="e",`+none+`server="web-1",`)+info(2, `env="",`+none+`server="web-2",`))
		w.apply(yamlOf(yamlAccount("main", "", serversYAML(2)...)))
		w.wants("server_info", info(1, none+`server="web-1",`)+info(2, none+`server="web-2",`))
	})
}

// Wherever a name sorts among the others: before account, between them, behind.
func TestLabelsMayHaveAnyLegalName(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"Team"}, {"A", "zzz", "b"}, {"_x", "Zone", "accounts"}, {"uui", "uuids", "serve", "i", "o", "re"}, {"T", "t", "TT", "a1"}} {
		t.Run(strings.Join(names, " "), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				labels := make(map[string]string)
				var text []string
				for i, name := range names {
					labels[name] = fmt.Sprint("value ", i)
					text = append(text, fmt.Sprintf("%s: value %d", name, i))
				}
				w := startWorld(t, simulator.Options{}, yamlOf(yamlAccount("main", "", serverYAML(1, "labels: {"+strings.Join(text, ", ")+"}"), serverYAML(2))))
				pass(time.Second)
				for _, accept := range []string{acceptText, acceptOpenMetrics} {
					body, err := io.ReadAll(scraped(t, w.handler, accept, "gzip"))
					if err != nil {
						t.Fatal(err)
					}
					for line := range strings.Lines(string(body)) {
						if !strings.HasPrefix(line, namespace+"_server_info{") || !strings.Contains(line, uuid(1)) {
							continue
						}
						for _, name := range []string{"account", "uuid", "server"} {
							wantEqual(t, name+" in "+line, strings.Count(strings.Replace(line, "{", ",", 1), ","+name+"="), 1)
						}
						for name, value := range labels {
							wantEqual(t, name+" in "+line, strings.Count(strings.Replace(line, "{", ",", 1), ","+name+"=\""+value+"\""), 1)
						}
					}
				}
				want := []string{"server=web-1", "account=main", "uuid=" + uuid(1)}
				for name, value := range labels {
					want = append(want, name+"="+value)
				}
				wantEqual(t, "in protobuf", w.value("server_info", want...), 1)
				compareWithPromhttp(t, w.collector)
			})
		})
	}
}

// The configuration refuses only the names of server_info's own labels.
func TestConfiguredLabelsMayBeCalledLikeThoseOfOtherMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newScript()
		s.says(1, "t/cve/4/broken", "t/sca/4")
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "", serverYAML(1, "labels: {task_id: ours, type: big, code: red}"))))
		pass(time.Second)
		of := func(more, task, typ string) string {
			return more + `,server="web-1",task_id="` + task + `",type="` + typ + `",uuid="` + uuid(1) + `"`
		}
		w.wants("server_info", labelled("server_info", of(`,code="red",instance_id="",ip="",os="",region=""`, "ours", "big"), 1))
		w.wants("subtask_status", labelled("subtask_status", of("", "t", "cve"), 4)+labelled("subtask_status", of("", "t", "sca"), 4))
		w.wants("subtask_error", labelled("subtask_error", of(`,code="broken"`, "t", "cve"), 1))
	})
}
