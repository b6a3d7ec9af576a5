// Package poll polls the servers of all accounts, each account on its own, and publishes what it
// finds to a scan.Store.
//
// An account has a queue of servers in the order of their urgency, and a limiter that keeps its
// calls within the quota. Discovery tells it of servers and tasks that nobody configured. With a
// State, a stateWriter writes what was found before it is published. The package makes no metrics
// and serves nothing.
package poll
