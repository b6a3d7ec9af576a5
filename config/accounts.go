package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// allTypes are the types of vulnerabilities that the API checks for, and the default.
var allTypes = []string{"cve", "sys", "cms", "sca"}

// config fills in c from the main file.
func (d *decoder) config(v value, c *Config) {
	c.Global = defaultSettings()
	if v.null() {
		d.problem(v, "is empty; it needs at least one account (config/reference.yml shows every key)")
		return
	}
	names := map[string]int{} // account's name to its line
	found := d.mapping(v, fields{
		{"global", func(v value) { d.mapping(v, d.settings(&c.Global)) }},
		{"accounts", d.each("a list of accounts", func(v value) {
			c.Accounts = append(c.Accounts, d.account(v, c.Global, names))
		})},
	})
	if accounts, ok := found["accounts"]; !ok && found != nil {
		d.problem(v, "needs at least one account (accounts: [{name: ..., region: ...}])")
	} else if ok && (accounts.null() || accounts.node.Kind == yaml.SequenceNode && len(accounts.node.Content) == 0) {
		d.problem(accounts, "needs at least one account")
	}
}

// settings is the schema that `global` and every account share.
func (d *decoder) settings(s *Settings) fields {
	return fields{
		{"poll_interval", d.duration(&s.PollInterval, false)},
		{"settled_interval", d.duration(&s.SettledInterval, false)},
		{"stale_after", d.duration(&s.StaleAfter, true)},
		{"timeout", d.duration(&s.Timeout, false)},
		{"stall_after", d.duration(&s.StallAfter, false)},
		{"series", d.text(&s.Series, oneOf(SeriesAll, SeriesOpen))},
		{"success_codes", d.texts(&s.SuccessCodes)},
	}
}

// account returns one account, its server files read and everything inherited.
func (d *decoder) account(v value, global Settings, names map[string]int) Account {
	a := Account{Settings: global, RequestsPerSecond: 10, Concurrency: 8}
	var servers []listing
	found := d.mapping(v, append(fields{
		{"name", d.text(&a.Name, checkName)},
		{"region", d.text(&a.Region, checkRegionShape)},
		{"endpoint", d.endpoint(&a.Endpoint)},
		{"credentials", d.credentials(&a.Credentials)},
		{"requests_per_second", d.rate(&a.RequestsPerSecond)},
		{"concurrency", d.count(&a.Concurrency, 1000)},
		{"types", d.texts(&a.Types, oneOf(allTypes...))},
		{"task_ids", d.texts(&a.TaskIDs, checkTaskID)},
		{"servers", d.each("a list of servers", func(v value) { servers = append(servers, d.server(v)) })},
		{"server_files", d.texts(&a.ServerFiles, checkGlob)},
		{"discovery", d.discovery(&a.Discovery)},
	}, d.settings(&a.Settings)...))
	if found == nil && !v.null() {
		return a // no mapping, which is reported
	}
	if len(a.Types) == 0 {
		a.Types = allTypes
	}
	d.checkAccountName(v, found, a.Name, names)
	d.resolveEndpoint(v, found, &a)
	a.listed = len(servers)
	servers = append(servers, d.serverFiles(&a)...)
	d.adopt(&a, servers)
	d.checkDiscovered(found, a)
	return a
}

// checkAccountName reports a missing name, and one that an earlier account has.
func (d *decoder) checkAccountName(v value, found keys, name string, names map[string]int) {
	if name == "" {
		if !given(found, "name") {
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

// resolveEndpoint fills in the region's endpoint where the file gives none.
func (d *decoder) resolveEndpoint(v value, found keys, a *Account) {
	switch region, endpoint := given(found, "region"), given(found, "endpoint"); {
	case endpoint:
	case !region:
		d.problem(v, "needs a region (such as cn-hangzhou) or an endpoint")
	case a.Region != "":
		var err error
		if a.Endpoint, err = regionEndpoint(a.Region); err != nil {
			d.problem(found["region"], "%v", err)
		}
	}
}

// given tells whether a key holds anything, be it wrong.
func given(found keys, key string) bool {
	return found.has(key) && (found[key].node.Kind != yaml.ScalarNode || found[key].node.Value != "")
}

// checkDiscovered reports servers that would be found with nothing to poll them for.
func (d *decoder) checkDiscovered(found keys, a Account) {
	if a.Discovery.Servers != nil && a.Discovery.Tasks == nil && len(a.TaskIDs) == 0 {
		d.problem(found["discovery"], "servers are discovered, but no task IDs for them; give task_ids to the account, or turn on discovery.tasks")
	}
}

func checkName(text string) error {
	const most = 128
	switch {
	case len(text) > most:
		return fmt.Errorf("longer than %d bytes", most)
	case !utf8.ValidString(text):
		return errors.New("not valid UTF-8")
	case strings.TrimSpace(text) == "":
		return errors.New("a name of nothing but white space")
	}
	return nil
}

func checkTaskID(text string) error {
	if text == "" || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("not a task ID: %s (want 1 to 128 printable ASCII characters without spaces)", quote(text))
	}
	return nil
}
