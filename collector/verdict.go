package collector

import "fmt"

// Verdict returns the first reason why polling everything once did not
// succeed, or nil if every server of every account was polled with success.
func Verdict(summaries []Summary) error {
	for _, s := range summaries {
		if s.Incomplete > 0 {
			return fmt.Errorf("account %q: not everything could be discovered: the log says why", s.Account)
		}
		if s.Failing > 0 || s.Refused || s.Waiting > 0 {
			return fmt.Errorf("account %q: the polls of %d of its %d servers did not succeed", s.Account, s.Failing+s.Pending, s.Servers())
		}
	}
	return nil
}
