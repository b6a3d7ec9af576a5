// Package scan holds what is known of servers and their scans.
//
// Its one half is pure: a Record is what is known of one server at one moment, Record.Next makes
// the following one of a poll's answers, and Totals adds records up. Its other half is the Store,
// to which polls publish records and from which scrapes and pages read them. The package makes no
// calls, waits for nothing and logs nothing.
package scan
