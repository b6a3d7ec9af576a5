// Package config is the configuration file: its types, how it is read, what is wrong with it, and
// how it is replaced while the exporter runs.
//
// Parse turns text into a whole Config or into all of its problems, each with file, line and key
// path; nothing in between exists. A Manager owns the Config that runs and swaps it, or changes
// nothing. reference.yml beside this file shows every key once.
//
// A key has its type and its default in config.go, one row in a schema, which reads it, shows it on
// the page /config and knows it by name in hints, and its line in reference.yml.
//
// The package neither talks to Security Center nor knows what its types and task IDs are for.
package config
