//go:build pictures

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestPicturesOfTheDemo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, prometheus string
		native           bool
	}{{"demo", "PROMETHEUS_OLDEST", false}, {"native", "PROMETHEUS_NEWEST", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := scraped(t, c.prometheus, c.native, exporter(t, "--demo"))
			s.watched()
			fleet := draw(t, s, "fleet", "", c.name+"-fleet")
			fleet.filled(t, "aliyun-vulscan-fleet")
			fleet.shows(t, "Servers watched", "25")
			fleet.shows(t, "Accounts not polled", "0")
			fleet.shows(t, "Configuration loaded", "Yes")
			fleet.warns(t, false, "Accounts not polled", "Accounts", "Configuration loaded")
			fleet.warns(t, true, "Failing subtasks", "Stalled subtasks")
			fleet.shows(t, "Subtasks by status", "unhandled\ncollecting\ncollected\nmatching\ncomplete")
			fleet.shows(t, "Odd answers", "none: every answer fits the documentation")
			if fleet["Subtasks by status"].Marks == 0 {
				t.Error("no alert is marked")
			}
			fleet.shows(t, "Running tasks", "progress", "staging")
			fleet.shows(t, "Failing subtasks, newest first", "push_command_failed", "16190385", "ago")
			fleet.shows(t, "Stalled subtasks, oldest first", "ago", "production")
			server := draw(t, s, "server", s.stuck(t), c.name+"-server")
			server.shows(t, "State of every subtask", "stalled", "complete")
			server.shows(t, "Polled", "Yes")
			server.warns(t, false, "Polled")
			namesakesAreApart(t, s, c.name)
		})
	}
}

// namesakesAreApart draws a server whose name another account's server has too, with all accounts
// chosen.
func namesakesAreApart(t *testing.T, s *server, picture string) {
	t.Helper()
	found, err := s.query(`topk(1, aliyun_vulscan_server_info{account="staging"} and on (server) (count by (server) (aliyun_vulscan_server_info) > 1))`)
	if err != nil || len(found) != 1 {
		t.Fatalf("no name is that of two servers: %v %v", found, err)
	}
	server := draw(t, s, "server", found[0].Metric["uuid"], picture+"-namesake")
	server.shows(t, "What is known of the server", "staging", found[0].Metric["server"])
	server.shows(t, "Scan in the tasks' lists", "staging")
	for title, p := range server {
		if strings.Contains(p.Text, "production") {
			t.Errorf("%s shows the other account's server: %q", title, p.Text)
		}
	}
}

// Two replicas, or two shards, poll the same Security Center.
func TestPicturesOfTwoExporters(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string][2][]string{
		"pair":   {},
		"shards": {{"--shard=0", "--total-shards=2"}, {"--shard=1", "--total-shards=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			center, err := simulator.Start(t.Context(), simulator.Demo(time.Now(), 0))
			if err != nil {
				t.Fatal(err)
			}
			config := "--config.file=" + write(t, filepath.Join(t.TempDir(), "vulscan.yml"), string(simulator.DemoConfig(center.URL, 0)))
			s := scraped(t, "PROMETHEUS_OLDEST", false, exporter(t, append(arguments[0], config)...), exporter(t, append(arguments[1], config)...))
			s.watched()
			fleet := draw(t, s, "fleet", "", name+"-fleet")
			fleet.filled(t, "aliyun-vulscan-fleet")
			fleet.shows(t, "Servers watched", "25")
			fleet.shows(t, "Accounts", "18", "7")
			draw(t, s, "server", s.stuck(t), name+"-server").shows(t, "State of every subtask", "stalled")
		})
	}
}

// An account whose permission is taken away while its servers are scanned.
func TestPicturesOfARefusedAccount(t *testing.T) {
	t.Parallel()
	account := func(name string, size int) simulator.Account {
		return simulator.Account{
			Name: name, AccessKeyID: "LTAI5tPictures" + name, AccessKeySecret: "secret-of-" + name,
			Fleet: simulator.Fleet{Seed: int64(size), Size: size, TaskEvery: time.Minute, ScanDuration: 30 * time.Second, FailRatio: 0.1},
		}
	}
	refused, good := account("refused-one", 40), account("good-one", 12)
	var refuse atomic.Bool
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{refused, good}, Intercept: func(w http.ResponseWriter, r *simulator.Request) bool {
		if !refuse.Load() || r.Account != refused.Name {
			return false
		}
		r.Fail(w, http.StatusForbidden, "Forbidden.RAM", "User not authorized to operate on the specified resource")
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("global: {poll_interval: 5s, settled_interval: 10s}\naccounts:\n")
	for _, a := range []simulator.Account{refused, good} {
		fmt.Fprintf(&b, "  - name: %s\n    endpoint: %s\n    credentials: {access_key_id: %s, access_key_secret: %s}\n    discovery: {tasks: {refresh_interval: 10s}, servers: {online_only: false}}\n",
			a.Name, center.URL, a.AccessKeyID, a.AccessKeySecret)
	}
	s := scraped(t, "PROMETHEUS_OLDEST", false, exporter(t, "--config.file="+write(t, filepath.Join(t.TempDir(), "vulscan.yml"), b.String())))
	s.value("count(aliyun_vulscan_server_up)", is(52))
	refuse.Store(true)
	s.value(`sum(aliyun_vulscan_servers{account="refused-one", state="failing"})`, is(40))
	s.watched()
	fleet := draw(t, s, "fleet", "", "refused-fleet")
	fleet.shows(t, "Accounts not polled", "1")
	fleet.warns(t, true, "Accounts not polled", "Servers not polled", "Accounts")
	fleet.shows(t, "Accounts", "refused-one", "refused\n40", "Forbidden.RAM", "polled\n12")
	found, err := s.query(`topk(1, aliyun_vulscan_server_up{account="refused-one"} == 0)`)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	server := draw(t, s, "server", found[0].Metric["uuid"], "refused-server")
	server.shows(t, "Polled", "No")
	server.warns(t, true, "Polled")
}
