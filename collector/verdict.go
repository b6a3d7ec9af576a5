package collector

import "fmt"

// Verdict returns an error if a server or list was not polled, or its poll failed. It is for
// --once.
func (o *Overview) Verdict() error {
	for i := range o.Accounts {
		a := &o.Accounts[i]
		if len(a.Incomplete()) > 0 {
			return fmt.Errorf("account %q: not everything could be discovered: the log says why", a.Name)
		}
		if a.Failing > 0 || a.Status.Refused || a.Waiting > 0 {
			return fmt.Errorf("account %q: the polls of %d of its %d servers did not succeed", a.Name, a.Failing+a.Pending, a.Servers())
		}
	}
	return nil
}
