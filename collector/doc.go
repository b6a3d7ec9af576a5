// Package collector is the scrape side: it reads what polls have published from a scan.Store, and
// makes metrics of it for Prometheus and an Overview for people. All metrics are in one table, in
// metrics.go. Nothing here polls, and nothing waits for a poll.
package collector
