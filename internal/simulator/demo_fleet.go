package simulator

import (
	"fmt"
	"strings"
	"time"
)

// DemoFleet is an account for looking at large fleets, beside those of a Demo:
// n servers and a scan every ten minutes, of which a few fail, stall until they
// time out, or lose their agent for a while.
func DemoFleet(now time.Time, n int) Account {
	return Account{
		Name: "fleet", AccessKeyID: "LTAI5tDemoFleet000000001", AccessKeySecret: "demo-fleet-secret",
		Fleet: Fleet{
			Seed: 5, Start: now.Add(-11 * time.Minute), Size: n, TaskEvery: 10 * time.Minute,
			ScanDuration: 3 * time.Minute, ScanTimeout: 8 * time.Minute,
			FailRatio: 0.03, StallRatio: 0.004, OfflineRatio: 0.01, DropRatio: 0.01,
		},
	}
}

// DemoFleetConfig is the account's part of the exporter's configuration; it goes
// behind DemoConfig.
func DemoFleetConfig(endpoint string, n int) []byte {
	var b strings.Builder
	writeDemoAccount(&b, DemoFleet(time.Time{}, n), endpoint)
	b.WriteString(`    requests_per_second: 50
    poll_interval: 30s
    settled_interval: 10m
    stale_after: 1h
    stall_after: 2m
    discovery:
      tasks: {refresh_interval: 10s, max_age: 30m, max_tasks: 2}
      servers: {refresh_interval: 1m}
`)
	return []byte(b.String())
}

// DemoFleetWelcome goes behind DemoWelcome.
func DemoFleetWelcome(n int) string {
	return fmt.Sprintf("The account fleet has %d servers more; they take some minutes to be polled.\n\n", n)
}
