package collector

import (
	"strings"
	"testing"

	"aliyun_vulscan_exporter/collector/scan"
)

func TestVerdictNamesTheFirstAccountThatDidNotSucceed(t *testing.T) {
	t.Parallel()
	account := func(name string, t scan.Totals, refused bool) AccountOverview {
		return AccountOverview{Name: name, OK: t.OK, Failing: t.Failing, Pending: t.Pending, Waiting: t.Waiting, Refused: refused}
	}
	good, unread := account("good", scan.Totals{OK: 3}, false), account("b", scan.Totals{OK: 1}, false)
	unread.DiscoveryProblems = []string{"no permission"}
	for name, c := range map[string]struct {
		accounts []AccountOverview
		want     string // empty: success
	}{
		"no account":             {nil, ""},
		"nothing to poll":        {[]AccountOverview{account("idle", scan.Totals{}, false)}, ""},
		"all polled":             {[]AccountOverview{good, account("b", scan.Totals{OK: 1}, false)}, ""},
		"without tasks to ask":   {[]AccountOverview{account("b", scan.Totals{Pending: 2}, false)}, ""},
		"a poll failed":          {[]AccountOverview{good, account("b", scan.Totals{OK: 2, Failing: 1}, false)}, `account "b": the polls of 1 of its 3 servers`},
		"refused":                {[]AccountOverview{account("b", scan.Totals{Failing: 2}, true)}, `account "b": the polls of 2 of its 2 servers`},
		"not polled":             {[]AccountOverview{account("b", scan.Totals{OK: 1, Pending: 1, Waiting: 1}, false)}, `account "b": the polls of 1 of its 2 servers`},
		"a list cannot be read":  {[]AccountOverview{unread}, `account "b": not everything could be discovered`},
		"the first is the named": {[]AccountOverview{account("a", scan.Totals{Failing: 1}, false), account("b", scan.Totals{Failing: 1}, false)}, `account "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&Overview{Accounts: c.accounts}).Verdict()
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
