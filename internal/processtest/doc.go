// Package processtest runs the built exporter, and other programs beside it, as processes of their
// own, and is where the tests of signals, exit codes and everything else that only a whole process
// shows are. Its harness serves other packages' tests too.
package processtest
