package collector

import "fmt"

// Verdict returns an error if anything of what was to be polled once was not, or
// not with success.
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
