// Package e2e tests the built exporter together with what it is made for: real Prometheus servers,
// a real Alertmanager, VictoriaMetrics. .ci/e2e gets these and tells the tests, by environment
// variables, where they are.
package e2e
