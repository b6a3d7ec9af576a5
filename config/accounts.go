package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// allTypes are the types of vulnerabilities that the API checks for, and the default.
var allTypes = []string{"cve", "sys", "cms", "sca"}

// Types returns the types of vulnerabilities that the API checks for.
func Types() []string { return slices.Clone(allTypes) }

// root is the schema of the main file.
func (d *decoder) root(c *Config) fields {
	names := map[string]int{} // account's name to its line
	return fields{
		{"global", d.global(&c.Global)},
		{"accounts", d.list("a list of accounts", d.accountSchema(&Account{}, nil),
			func(v value) { c.Accounts = append(c.Accounts, d.account(v, c.Global, names)) },
			func() any {
				return shownList(c.Accounts, func(a *Account) fields { return d.accountSchema(a, nil) })
			})},
	}
}

// config fills in c from the main file.
func (d *decoder) config(v value, c *Config) {
	c.Global = defaultSettings()
	if v.null() {
		d.problem(v, "is empty; it needs at least one account (config/reference.yml shows every key)")
		return
	}
	found := d.mapping(v, d.root(c))
	if accounts, ok := found["accounts"]; !ok && found != nil {
		d.problem(v, "needs at least one account (accounts: [{name: ..., region: ...}])")
	} else if ok && (accounts.null() || accounts.node.Kind == yaml.SequenceNode && len(accounts.node.Content) == 0) {
		d.problem(accounts, "needs at least one account")
	}
}

func (d *decoder) global(s *Settings) codec {
	schema := d.settings(s)
	return codec{
		set:   func(v value) { d.checkSettings(d.mapping(v, schema), *s) },
		show:  func() any { return schema.shown() },
		inner: schema,
	}
}

// settings returns the schema that `global` and every account share.
func (d *decoder) settings(s *Settings) fields {
	return fields{
		{"poll_interval", d.duration(&s.PollInterval, time.Second)},
		{"settled_interval", d.duration(&s.SettledInterval, time.Second)},
		{"stale_after", d.duration(&s.StaleAfter, 0)},
		{"timeout", d.duration(&s.Timeout, positive)},
		{"stall_after", d.duration(&s.StallAfter, positive)},
		{"series", d.string(&s.Series, oneOf(SeriesAll, SeriesOpen))},
		{"success_codes", d.strings(&s.SuccessCodes)},
	}
}

// accountSchema returns the schema of an account. The entries of the account's own list of servers
// are appended to servers.
func (d *decoder) accountSchema(a *Account, servers *[]listing) fields {
	return append(fields{
		{"name", d.string(&a.Name, checkAccountName)},
		{"region", d.string(&a.Region, checkRegion)},
		{"endpoint", d.endpoint(&a.Endpoint)},
		{"credentials", d.credentials(&a.Credentials)},
		{"resource_directory_account_id", d.string(&a.ResourceDirectoryAccountID, checkAccountID)},
		{"requests_per_second", d.rate(&a.RequestsPerSecond)},
		{"concurrency", d.count(&a.Concurrency, 1000)},
		{"types", d.strings(&a.Types, oneOf(allTypes...))},
		{"task_ids", d.strings(&a.TaskIDs, checkTaskID)},
		{"servers", d.list("a list of servers", d.serverSchema(&Server{}),
			func(v value) { *servers = append(*servers, d.server(v)) },
			func() any { return shownList(a.Servers[:a.listed], d.serverSchema) })},
		{"server_files", d.strings(&a.ServerFiles, checkGlob)},
		{"discovery", d.discovery(&a.Discovery)},
	}, d.settings(&a.Settings)...)
}

// account returns one account, its server files read and everything inherited.
func (d *decoder) account(v value, global Settings, names map[string]int) Account {
	a := Account{Settings: global, RequestsPerSecond: 10, Concurrency: 8}
	var servers []listing
	found := d.mapping(v, d.accountSchema(&a, &servers))
	if found == nil && !v.null() {
		return a // no mapping, which is reported
	}
	if len(a.Types) == 0 {
		a.Types = allTypes
	}
	d.checkNameIsNew(v, found, a.Name, names)
	d.resolveEndpoint(v, found, &a)
	d.checkSettings(found, a.Settings)
	a.listed = len(servers)
	servers = slices.Concat(servers, d.serverFiles(found["server_files"], &a))
	d.adopt(&a, servers, tasksMeant(found, a))
	d.checkSources(v, found, a)
	return a
}

// tasksMeant reports whether the account says where task IDs come from. It may say so in a way that
// is wrong, which is reported, and need not be reported twice.
func tasksMeant(found keys, a Account) bool {
	broken := found.filled("discovery") && a.Discovery == Discovery{}
	return a.Discovery.Tasks != nil || found.filled("task_ids") || broken
}

// checkNameIsNew reports a missing name, and one that an earlier account has.
func (d *decoder) checkNameIsNew(v value, found keys, name string, names map[string]int) {
	if name == "" {
		if !found.given("name") {
			d.problem(v, "needs a name, the value of the label account")
		}
		return
	}
	if line, taken := names[name]; taken {
		d.problem(found["name"], "the account of line %d is named %s already", line, quote(name))
		return
	}
	names[name] = found["name"].line
}

// checkSettings warns of settings that defeat each other, at the first of them that is among the
// keys found.
func (d *decoder) checkSettings(found keys, s Settings) {
	if at, ok := found.first("settled_interval", "poll_interval"); ok && s.SettledInterval < s.PollInterval {
		d.warn(at, "settled_interval (%v) is shorter than poll_interval (%v): servers at rest will be polled more often than others",
			s.SettledInterval, s.PollInterval)
	}
	longest := max(s.PollInterval, s.SettledInterval)
	if at, ok := found.first("stale_after", "settled_interval", "poll_interval"); ok && s.StaleAfter > 0 && s.StaleAfter < longest {
		d.warn(at, "stale_after (%v) is shorter than the longest interval between polls (%v): values will come and go", s.StaleAfter, longest)
	}
	if at, ok := found.first("stall_after", "poll_interval"); ok && s.StallAfter < s.PollInterval {
		d.warn(at, "stall_after (%v) is shorter than poll_interval (%v): subtasks will count as stalled between polls", s.StallAfter, s.PollInterval)
	}
}

// checkSources reports what an account watches that cannot be asked for, and warns of one that
// watches nothing.
func (d *decoder) checkSources(v value, found keys, a Account) {
	switch {
	case a.Discovery.Servers != nil && !tasksMeant(found, a):
		d.problem(found["discovery"], "servers are discovered, but no task IDs for them; give task_ids to the account, or turn on discovery.tasks")
	case len(a.Servers) == 0 && a.Discovery.Servers == nil:
		d.warn(v, "account %s has nothing to poll: it lists no servers, and discovery.servers is off", quote(a.Name))
	}
	if a.Discovery.Tasks != nil && a.ResourceDirectoryAccountID != "" {
		d.problem(found["resource_directory_account_id"], "tasks of a member account cannot be discovered: list its task_ids, and remove discovery.tasks")
	}
}

// resolveEndpoint sets the region's endpoint if the file has none.
func (d *decoder) resolveEndpoint(v value, found keys, a *Account) {
	vpc := a.Endpoint == vpcEndpoint
	switch {
	case found.given("endpoint") && !vpc:
	case vpc && !found.given("region"):
		d.problem(found["endpoint"], "vpc is the VPC endpoint of a region: give the region, too")
	case !found.given("region"):
		d.problem(v, "needs a region (such as cn-hangzhou) or an endpoint")
	case a.Region != "":
		a.Endpoint = regionEndpoint(a.Region, vpc)
		d.warnOfRegion(found["region"], a.Region, "calls go to "+a.Endpoint.Host+", which is a guess")
	}
}

func checkAccountName(text string) error {
	const most = 128
	if len(text) > most {
		return fmt.Errorf("longer than %d bytes", most)
	}
	return checkName(text)
}

// checkName refuses a name with control characters, or with blanks at its ends, which pages would
// show like another name.
func checkName(text string) error {
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("holds a line break or another control character")
	case strings.TrimSpace(text) != text:
		return errors.New("begins or ends with a blank")
	}
	return nil
}

func checkAccountID(text string) error {
	if len(text) > 20 || strings.Trim(text, "0123456789") != "" {
		return fmt.Errorf("not the ID of an account: %s (want digits alone, such as 1234567890123456)", quote(text))
	}
	return nil
}

func checkTaskID(text string) error {
	if text == "" || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("not a task ID: %s (want 1 to 128 printable ASCII characters without spaces)", quote(text))
	}
	return nil
}

// shownList returns a list of mappings for the page /config.
func shownList[T any](items []T, schema func(*T) fields) *yaml.Node {
	page := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range items {
		page.Content = append(page.Content, schema(&items[i]).shown())
	}
	return page
}
