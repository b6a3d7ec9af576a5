// Package discovery finds an account's vulnerability scan tasks and its servers through Security
// Center, and finds them anew at every refresh interval. On demand it also reads which servers each
// task scans, and how far each is. The caller decides what to do with the results.
//
// A list is complete when it was read to its end and nothing speaks against it; it then replaces
// the one before. When a call fails, or pages repeat or never end, the last complete list stays as
// it is. A list that was read to its end but is doubtful may add entries, and takes one away only
// once the next list lacks it too. Doubtful is a list that is empty, ends before the length that
// the service says, shrinks while it is read, or ends with an empty page where a token promised
// more.
//
// A task that runs is followed until it ends or is older than max_age, however many newer ones
// there are. The list of a task's servers is used as a whole or not at all.
//
// The age of a task is judged by this machine's clock, and only when the list was read: Security
// Center refuses calls of a clock that is more than 15 minutes off (InvalidTimeStamp.Expired), so
// that such a clock fails the refresh rather than make every task too old. A smaller error that
// shows, in a task that starts in the future or runs although it is too old, is logged.
package discovery
