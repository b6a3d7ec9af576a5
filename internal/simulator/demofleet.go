package simulator

import (
	"strings"
	"time"
)

// demoFleet is an account for looking at large fleets: n servers and a scan every ten minutes, of
// which a few fail, stall until they time out, or lose their agent for a while.
func demoFleet(now time.Time, n int) Account {
	return Account{
		Name: "fleet", AccessKeyID: "LTAI5tDemoFleet000000001", AccessKeySecret: "demo-fleet-secret",
		Fleet: Fleet{
			Seed: 5, Start: now.Add(-11 * time.Minute), Size: n, TaskEvery: 10 * time.Minute,
			ScanDuration: 3 * time.Minute, ScanTimeout: 8 * time.Minute,
			FailRatio: 0.03, StallRatio: 0.004, OfflineRatio: 0.01, DropRatio: 0.01,
		},
	}
}

// writeDemoFleet writes that account's part of the exporter's configuration.
func writeDemoFleet(b *strings.Builder, endpoint string) {
	writeDemoAccount(b, demoFleet(time.Time{}, 0), endpoint)
	b.WriteString(`    requests_per_second: 50
    poll_interval: 30s
    settled_interval: 10m
    stale_after: 1h
    stall_after: 2m
    discovery:
      tasks: {refresh_interval: 10s, max_age: 30m, max_tasks: 2, server_scans_interval: 15s}
      servers: {refresh_interval: 1m}
`)
}
