package simulator

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	demoTask = "e900f528f5a6229bb640ca27cb44c98e"
	// The documentation's example: it asks for the first ID and is answered under the second.
	demoExampleTask     = "ad8afca3914a5fff4636e67f18e259c7"
	demoExampleAnswered = "16190385"

	// demoStallAfter is when the first scans, which stand still from the start, count as stalled.
	demoStallAfter = 20 * time.Second

	// Places of two servers in the production fleet.
	demoExampleServer = 4
	demoFaultyServer  = 8
)

// demoProduction repeats one task for ever. The seed was chosen for its luck: four stalled
// subtasks, and early failures of more than one kind.
func demoProduction(start time.Time) Account {
	return Account{
		Name: "production", AccessKeyID: "LTAI5tDemoProduction0001", AccessKeySecret: "demo-production-secret",
		// The demo's configuration asks for 10 a second: sometimes that is too much.
		RequestsPerSecond: 8, ThrottleHints: true,
		Fleet: Fleet{
			Seed: 7, Start: start, Size: 18, TaskIDs: []string{demoTask},
			ScanDuration: 29 * time.Second, ScanPeriod: 100 * time.Second,
			FailRatio: 0.12, StallRatio: 0.06, OfflineRatio: 0.06,
			Pinned: []Pinned{{
				Server: demoExampleServer, TaskID: demoExampleTask, AnsweredTaskID: demoExampleAnswered,
				Type: "cve", Status: "4", Code: "push_command_failed",
			}},
		},
	}
}

// demoStaging is a small and quick account that begins a scan every minute. The exporter has to
// discover its servers and tasks. Agents are lost for a while, and what stalls is timed out.
func demoStaging(start time.Time) Account {
	return Account{
		Name: "staging", AccessKeyID: "LTAI5tDemoStaging0000001", AccessKeySecret: "demo-staging-secret",
		Fleet: Fleet{
			Seed: 2, Start: start, Size: 7, TaskEvery: time.Minute,
			ScanDuration: 20 * time.Second, FailRatio: 0.1,
			StallRatio: 0.03, ScanTimeout: 50 * time.Second, DropRatio: 0.15, DropFor: 10 * time.Second,
		},
	}
}

// Demo is a Security Center worth looking at: 25 servers in two accounts, with scans under way at
// once, failures, stalls, throttling, and a server that answers HTTP 500 for 20 s in every minute.
// A fleet above 0 adds a third account with so many servers.
func Demo(now time.Time, fleet int) Options {
	production := demoProduction(now)
	faulty := production.Fleet.uuid(demoFaultyServer)
	accounts := []Account{production, demoStaging(now)}
	if fleet > 0 {
		accounts = append(accounts, demoFleet(now, fleet))
	}
	return Options{
		Latency:  20 * time.Millisecond,
		Accounts: accounts,
		Intercept: func(w http.ResponseWriter, r *Request) bool {
			second := int(r.Time.Sub(now).Seconds()) % 60
			if r.UUID != faulty || second < 6 || second >= 26 {
				return false
			}
			r.Fail(w, http.StatusInternalServerError, "ServerError", "ServerError")
			return true
		},
	}
}

// DemoConfig is the exporter's configuration for a Demo with a fleet, which is served at the
// endpoint, such as http://127.0.0.1:34567.
func DemoConfig(endpoint string, fleet int) []byte {
	var b strings.Builder
	b.WriteString(`# Configuration of --demo: quick intervals, made-up keys, Security Center on loopback.
global:
  poll_interval: 2s
  settled_interval: 5s
  stale_after: 5m
  timeout: 5s
`)
	fmt.Fprintf(&b, "  stall_after: %s\naccounts:\n", demoStallAfter)
	production, staging := demoProduction(time.Time{}), demoStaging(time.Time{})
	writeDemoAccount(&b, production, endpoint)
	fmt.Fprintf(&b, "    requests_per_second: 10\n    task_ids: [%q]\n    servers:\n", demoTask)
	for i, s := range production.Fleet.Servers() {
		writeDemoServer(&b, s)
		if i == demoExampleServer {
			fmt.Fprintf(&b, "        task_ids: [%q]\n        types: [cve]\n", demoExampleTask)
		}
	}

	writeDemoAccount(&b, staging, endpoint)
	b.WriteString(`    discovery: # nothing is listed by hand
      tasks: {refresh_interval: 5s, max_age: 5m, max_tasks: 2, server_scans_interval: 5s}
      servers: {refresh_interval: 30s, online_only: false}
`)
	if fleet > 0 {
		writeDemoFleet(&b, endpoint)
	}
	return []byte(b.String())
}

func writeDemoAccount(b *strings.Builder, a Account, endpoint string) {
	fmt.Fprintf(b, `  - name: %s
    region: cn-hangzhou
    endpoint: %q
    credentials:
      access_key_id: %s
      access_key_secret: %s
`, a.Name, endpoint, a.AccessKeyID, a.AccessKeySecret)
}

func writeDemoServer(b *strings.Builder, s Server) {
	team := "platform"
	switch role, _, _ := strings.Cut(s.Name, "-"); role {
	case "web", "app":
		team = "shop"
	case "db", "cache", "queue", "sql":
		team = "data"
	}
	fmt.Fprintf(b, "      - uuid: %q\n        name: %s\n        labels: {team: %s}\n", s.UUID, s.Name, team)
}

// DemoWelcome tells somebody who tries a Demo with a fleet where to look, given the address at
// which the exporter listens, the prefix of its paths ("/": none) and the path of its metrics below
// that.
func DemoWelcome(address, prefix, metrics string, fleet int) string {
	if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("localhost", port)
	}
	base := "http://" + address + strings.TrimSuffix(prefix, "/")
	more := ""
	if fleet > 0 {
		more = fmt.Sprintf("The account fleet has %d servers more; it takes some minutes to poll them all.\n", fleet)
	}
	return fmt.Sprintf(`
Demo: two accounts, 25 servers, an embedded Security Center. Look at
  %[1]s/status   what fails and hangs, and every server
  %[1]s%[2]s  what Prometheus scrapes; for instance
      curl -s %[1]s%[2]s | grep aliyun_vulscan_subtask
  %[1]s/config   the configuration that runs
Scans progress and fail at once; the first ones count as stalled after %[3]d s.
%[4]sCtrl-C ends it.

`, base, metrics, demoStallAfter/time.Second, more)
}
