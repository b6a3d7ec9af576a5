package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWarningsNameTheirPlace(t *testing.T) {
	const discovers = "discovery: {tasks: , servers: }"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing to poll": {
			"accounts:\n- name: a\n  region: cn-hangzhou",
			`test.yml:2: accounts[0]: account "a" has nothing to poll: it lists no servers, and discovery.servers is off`,
		},
		"stale between polls": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  stale_after: 5m\n  " + discovers,
			"test.yml:4: accounts[0].stale_after: stale_after (5m0s) is shorter than the longest interval between polls (10m0s): values will come and go",
		},
		"stalled between polls": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  stall_after: 10s\n  " + discovers,
			"test.yml:4: accounts[0].stall_after: stall_after (10s) is shorter than poll_interval (30s): subtasks will count as stalled between polls",
		},
		"settings of all accounts, once": {
			"global: {settled_interval: 10s}\naccounts:\n- {name: a, region: cn-hangzhou, " + discovers + "}\n- {name: b, region: cn-hangzhou, " + discovers + "}",
			"test.yml:1: global.settled_interval: settled_interval (10s) is shorter than poll_interval (30s): servers at rest will be polled more often than others",
		},
		"an unknown region": {
			"accounts:\n- name: a\n  region: cn-hangzou\n  " + discovers,
			`test.yml:3: accounts[0].region: "cn-hangzou" is no region that this exporter knows (did you mean cn-hangzhou?); calls go to tds.cn-shanghai.aliyuncs.com, which is a guess`,
		},
		"an unknown region of servers": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  discovery:\n    tasks:\n    servers:\n      regions: [cn-hangzhou, cn-hangzou]",
			`test.yml:7: accounts[0].discovery.servers.regions: "cn-hangzou" is no region that this exporter knows (did you mean cn-hangzhou?); servers are compared with it as it is`,
		},
		"a source of tasks that is not documented": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  discovery:\n    servers:\n    tasks:\n      sources: [console, cron]",
			`test.yml:7: accounts[0].discovery.tasks.sources: "cron" is none of the documented sources, schedule and console: maybe no task is ever started by it`,
		},
		"a file pattern for an expression": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  discovery:\n    tasks:\n    servers:\n      include: 'web-*'",
			`test.yml:7: accounts[0].discovery.servers.include: "web-*" looks like a file pattern, but is a regular expression: for any text write .* instead of *`,
		},
		"labels of Prometheus, once": {
			"accounts:\n- name: a\n  region: cn-hangzhou\n  task_ids: [t]\n  servers:\n  - {uuid: " + uuid1 + ", labels: {job: x}}\n  - {uuid: " + uuid2 + ", labels: {job: y}}",
			"test.yml:6: accounts[0].servers[0].labels.job: Prometheus sets a label of this name itself, and renames this one to exported_job: choose another",
		},
		"a server of two accounts, once": {
			"accounts:\n- {name: a, region: cn-hangzhou, task_ids: [t], servers: [{uuid: " + uuid1 + "}, {uuid: " + uuid2 + "}]}\n" +
				"- {name: b, region: cn-hangzhou, task_ids: [t], servers: [{uuid: inet-" + strings.ToUpper(uuid1) + "}, {uuid: " + uuid2 + "}]}",
			`test.yml:3: accounts[1].servers[0].uuid: account "a" lists this server too: both poll it, and each publishes it under its own name (said only for the first such server)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(parse(t, tt.text).Warnings(), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOnlyWhatIsOddIsWarnedOf(t *testing.T) {
	for _, more := range []string{
		"include: 'web-.*|db[0-9]*'", "include: '(a|b)*'", "regions: [cn-shanghai-mybk, cn-qingdao-acdr-ut-1]",
	} {
		c := parse(t, "accounts: [{name: a, region: us-east-1, poll_interval: 1s, discovery: {tasks: , servers: {"+more+"}}}]")
		if got := c.Warnings(); len(got) > 0 {
			t.Errorf("%s: %q", more, got)
		}
	}
}

func TestServerScansAndMemberAccounts(t *testing.T) {
	c := parse(t, `
accounts:
- {name: a, region: cn-hangzhou, discovery: {tasks: {server_scans: off, server_scans_interval: 5m}, servers: }}
- {name: b, region: cn-hangzhou, resource_directory_account_id: 1234567890123456, task_ids: [t], servers: [{uuid: `+uuid1+`}]}
- {name: c, region: cn-hangzhou, resource_directory_account_id: "1234567890123456", task_ids: [t], discovery: {servers: }}
`)
	tasks := c.Accounts[0].Discovery.Tasks
	if tasks.ServerScans || tasks.ServerScansInterval.Minutes() != 5 {
		t.Errorf("%+v", tasks)
	}
	for _, a := range c.Accounts[1:] {
		if a.ResourceDirectoryAccountID != "1234567890123456" {
			t.Errorf("%s: %q", a.Name, a.ResourceDirectoryAccountID)
		}
	}
	page, err := c.ScrubbedYAML()
	for _, text := range []string{"server_scans: off", "server_scans_interval: 5m", `resource_directory_account_id: "1234567890123456"`} {
		if err != nil || !strings.Contains(string(page), text) {
			t.Errorf("%v: /config lacks %s:\n%s", err, text, page)
		}
	}
}

func TestLinesAreFoundInLongFiles(t *testing.T) {
	server := "  - uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00001\n    labels: {team: payments}\n"
	text := "accounts:\n- name: a\n  servers:\n" + strings.Repeat(server, 1_500) + "  - uuid: \"open\n" + strings.Repeat(server, 1_500)
	text = strings.Replace(text, `"open`, `"`, 1)
	_, err := Parse("long.yml", []byte(text))
	if want := "long.yml:3004: not YAML: a quote is opened here and not closed"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	_, err = Parse("wide.yml", []byte("accounts: [{name: ]"+strings.Repeat("x", 100_000)))
	if err == nil || !strings.HasPrefix(err.Error(), "wide.yml:1: not YAML: ") {
		t.Errorf("got %v", err)
	}
}

func TestKeyFilesAreLookedAt(t *testing.T) {
	const key = "LTAI5tSECRETMARKER"
	dir := t.TempDir()
	text := "accounts: [{name: a, region: cn-hangzhou, credentials: {access_key_id_file: key, access_key_secret: x}}]"
	for name, tt := range map[string]struct{ content, want string }{
		"plain":             {key, ""},
		"a line":            {key + "\r\n", ""},
		"byte order mark":   {"\ufeff" + key + "\n", ""},
		"UTF-16":            {"\xff\xfeL\x00T\x00A\x00I\x00", "is UTF-16 text; save it as UTF-8"},
		"UTF-16 big":        {"\xfe\xff\x00L\x00T\x00A\x00I", "is UTF-16 text; save it as UTF-8"},
		"UTF-16 unmarked":   {"L\x00T\x00A\x00I\x00", "is UTF-16 text; save it as UTF-8"},
		"two lines":         {key + "\n" + key, "has several lines; leave the key or token alone, on one line"},
		"a blank":           {key + " " + key, "has a blank inside; leave the key or token alone"},
		"a strange blank":   {key + "\u00a0" + key, "has a blank inside; leave the key or token alone"},
		"invisible":         {key + "\u200b", "has characters that no key or token has; copy it anew, as plain text"},
		"quotes":            {`"` + key + `"`, "has quotes around the key or token; take them off"},
		"only a mark":       {"\ufeff", "is empty"},
		"variable":          {"${" + key + "}", "is a variable, and nothing replaces variables here; write the value, or name a file that holds it (..._file)"},
		"plain variable":    {"$ALIBABA_KEY", "is a variable, and nothing replaces variables here; write the value, or name a file that holds it (..._file)"},
		"template":          {"{{ .Values.key }}", "is a variable, and nothing replaces variables here; write the value, or name a file that holds it (..._file)"},
		"README's":          {"YOUR-KEY-ID", "is a placeholder; put the real key or token here"},
		"another's":         {"your_access_key_id", "is a placeholder; put the real key or token here"},
		"PLACEHOLDER":       {"PLACEHOLDER", "is a placeholder; put the real key or token here"},
		"angle brackets":    {"<access key>", "is a placeholder; put the real key or token here"},
		"of the page":       {"<secret>", "is what the page /config shows in place of a key; put the real one here"},
		"half shown":        {"LTAI5t****", "is a placeholder; put the real key or token here"},
		"crossed out":       {"xxxxxxxx", "is a placeholder; put the real key or token here"},
		"a token of base64": {"CAIS/+" + key + "==", ""},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(dir, "key"), tt.content)
			_, err := Parse(filepath.Join(dir, "main.yml"), []byte(text))
			_, later := SecretSource{File: filepath.Join(dir, "key")}.Read()
			if tt.want == "" {
				if err != nil || later != nil {
					t.Errorf("%v, %v", err, later)
				}
				return
			}
			if err == nil || !strings.HasSuffix(err.Error(), "main.yml:1: accounts[0].credentials.access_key_id_file: the file that this names "+tt.want) {
				t.Errorf("at load: %v", err)
			}
			if later == nil || !strings.HasSuffix(later.Error(), tt.want) || strings.Contains(later.Error(), "SECRETMARKER") {
				t.Errorf("at a later reading: %v", later)
			}
		})
	}
}
