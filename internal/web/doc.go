// Package web serves the exporter's HTTP paths: the exposition, the pages for people and the same
// as JSON, the scrubbed configuration, health, readiness and reload. It renders what others know
// and keeps nothing but whether the exporter was ready once.
package web
