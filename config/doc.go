// Package config is the configuration file: its types, how it is read, what is wrong with it, and how it is
// replaced while the exporter runs.
//
// Parse turns text into a whole Config or into all of its problems, each with file, line and key path; nothing in
// between exists. A Holder owns the Config that runs and swaps it, or changes nothing. reference.yml beside this
// file shows every key once.
//
// The package neither talks to Security Center nor knows what its types and task IDs are for.
package config
