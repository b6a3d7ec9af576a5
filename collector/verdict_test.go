package collector

import (
	"strings"
	"testing"
)

func TestVerdictNamesTheFirstAccountThatDidNotSucceed(t *testing.T) {
	good := Summary{Account: "good", OK: 3}
	for name, c := range map[string]struct {
		summaries []Summary
		want      string // empty: success
	}{
		"no account":             {nil, ""},
		"nothing to poll":        {[]Summary{{Account: "idle"}}, ""},
		"all polled":             {[]Summary{good, {Account: "b", OK: 1}}, ""},
		"without tasks to ask":   {[]Summary{{Account: "b", Pending: 2}}, ""},
		"a poll failed":          {[]Summary{good, {Account: "b", OK: 2, Failing: 1}}, `account "b": the polls of 1 of its 3 servers`},
		"refused":                {[]Summary{{Account: "b", Pending: 2, Refused: true}}, `account "b": the polls of 2 of its 2 servers`},
		"not polled":             {[]Summary{{Account: "b", OK: 1, Pending: 1, Waiting: 1}}, `account "b": the polls of 1 of its 2 servers`},
		"a list cannot be read":  {[]Summary{{Account: "b", OK: 1, Incomplete: 1}}, `account "b": not everything could be discovered`},
		"the first is the named": {[]Summary{{Account: "a", Failing: 1}, {Account: "b", Failing: 1}}, `account "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Verdict(c.summaries)
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
