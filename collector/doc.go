// Package collector knows what every scan subtask is doing: it polls Security
// Center for each configured server, keeps what the answers said and since
// when, and gives it to Prometheus.
//
// A status goes from sas.Answer (decoded elsewhere) through record.answered
// (what changed, since when) to exposition.go (series). Policies are pure
// functions; poller.go is the loop around them. The package neither signs nor
// decodes, and serves no HTTP.
package collector
