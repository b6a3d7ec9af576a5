package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const uuid1, uuid2 = "5d55af3c-35f3-4d4d-8ccc-8c5443b00001", "inet-5D55AF3C-35f3-4d4d-8ccc-8c5443b00002"

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("test.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMinimalFileGetsDefaults(t *testing.T) {
	c := parse(t, "accounts: [{name: a, region: cn-hangzhou, credentials: , discovery: {tasks: , servers: {}}}]")
	a := c.Accounts[0]
	want := Settings{
		PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StaleAfter: time.Hour,
		Timeout: 10 * time.Second, StallAfter: 30 * time.Minute, Series: SeriesAll,
	}
	if !reflect.DeepEqual(a.Settings, want) || !reflect.DeepEqual(c.Global, want) {
		t.Errorf("settings %+v", a.Settings)
	}
	if a.RequestsPerSecond != 10 || a.Concurrency != 8 || !reflect.DeepEqual(a.Types, []string{"cve", "sys", "cms", "sca"}) {
		t.Errorf("account %+v", a)
	}
	if a.Credentials != (Credentials{}) || a.Endpoint.String() != "https://tds.cn-shanghai.aliyuncs.com" {
		t.Errorf("account %+v", a)
	}
	tasks := TaskDiscovery{
		RefreshInterval: time.Minute, MaxAge: 24 * time.Hour, MaxTasks: 5,
		ServerScans: true, ServerScansInterval: 2 * time.Minute,
	}
	servers := ServerDiscovery{RefreshInterval: 10 * time.Minute, OnlineOnly: true, TypesByOS: true}
	if !reflect.DeepEqual(a.Discovery, Discovery{Tasks: &tasks, Servers: &servers}) {
		t.Errorf("discovery %+v", a.Discovery)
	}
}

func TestServersAndSettingsInherit(t *testing.T) {
	c := parse(t, `
accounts:
  - name: a
    region: eu-central-1
    poll_interval: 2m
    success_codes: []
    types: [cve]
    task_ids: [16190385, 0x10]
    servers:
      - {uuid: `+uuid1+`, types: [], task_ids: []}
      - {uuid: `+uuid2+`, name: 007, types: [sca], task_ids: [own], labels: {team: 1.10, empty: "", none: ~}}
global: {poll_interval: 1m, stale_after: 0, success_codes: [ok], series: open}
`)
	a := c.Accounts[0]
	if a.PollInterval != 2*time.Minute || a.StaleAfter != 0 || a.Series != SeriesOpen || len(a.SuccessCodes) != 0 {
		t.Errorf("settings %+v", a.Settings)
	}
	want := []Server{
		{UUID: uuid1, Name: uuid1, Types: []string{"cve"}, TaskIDs: []string{"16190385", "0x10"}},
		{UUID: uuid2, Name: "007", Types: []string{"sca"}, TaskIDs: []string{"own"}, Labels: map[string]string{"team": "1.10", "empty": ""}},
	}
	if !reflect.DeepEqual(a.Servers, want) {
		t.Errorf("got  %+v\nwant %+v", a.Servers, want)
	}
	if got := c.LabelNames(); !reflect.DeepEqual(got, []string{"empty", "team"}) {
		t.Errorf("label names %v", got)
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	c := parse(t, `
accounts:
  - &a
    name: a
    region: cn-hongkong
    concurrency: 3
    discovery: &d {tasks: {max_tasks: 7}}
    servers: [{uuid: `+uuid1+`, labels: &l {team: x}}, {<<: {name: two}, uuid: `+uuid2+`, labels: {<<: [*l, {team: y, tier: z}]}}]
  - <<: *a
    name: b
    servers: []
    discovery: *d
`)
	a, b := c.Accounts[0], c.Accounts[1]
	if b.Name != "b" || b.Concurrency != 3 || len(b.Servers) != 0 || b.Discovery.Tasks.MaxTasks != 7 {
		t.Errorf("merged account %+v", b)
	}
	if s := a.Servers[1]; s.Name != "two" || s.Labels["team"] != "x" || s.Labels["tier"] != "z" {
		t.Errorf("merged server %+v", s)
	}
}

func TestEndpoints(t *testing.T) {
	for given, want := range map[string]string{
		"region: us-east-1":                         "https://tds.ap-southeast-1.aliyuncs.com",
		"region: cn-guangzhou":                      "https://tds.cn-shanghai.aliyuncs.com",
		"region: cn-shanghai-mybk":                  "https://tds.cn-shanghai.aliyuncs.com",
		"region: cn-nowhere":                        "https://tds.cn-shanghai.aliyuncs.com",
		"region: xx-gov-1":                          "https://tds.cn-shanghai.aliyuncs.com",
		"region: xx-finance-1":                      "https://tds.cn-shanghai.aliyuncs.com",
		"region: ap-southeast-8":                    "https://tds.ap-southeast-1.aliyuncs.com",
		"region: cn-hongkong, endpoint: vpc":        "https://tds.vpc-proxy.aliyuncs.com",
		"region: ap-southeast-2, endpoint: vpc":     "https://tds-vpc.ap-southeast-2.aliyuncs.com",
		"region: eu-central-1, endpoint: VPC":       "https://tds-intl.vpc-proxy.aliyuncs.com",
		"endpoint: TDS.Example.com":                 "https://tds.example.com",
		"endpoint: tds.example.com:8443":            "https://tds.example.com:8443",
		"endpoint: https://tds.example.com/":        "https://tds.example.com",
		"endpoint: http://localhost:8080":           "http://localhost:8080",
		"endpoint: http://127.1.2.3":                "http://127.1.2.3",
		`endpoint: "http://[::1]:80"`:               "http://[::1]:80",
		"region: mars-1, endpoint: tds.example.com": "https://tds.example.com",
		`region: ap-northeast-1, endpoint: ""`:      "https://tds.ap-southeast-1.aliyuncs.com",
	} {
		c, err := Parse("x.yml", []byte("accounts: [{name: a, "+given+"}]"))
		if err != nil || c.Accounts[0].Endpoint.String() != want {
			t.Errorf("%s: got %v, %v, want %s", given, c, err, want)
		}
	}
}

func TestPatternsMatchTheWholeName(t *testing.T) {
	c := parse(t, `accounts: [{name: a, region: cn-hangzhou, discovery: {tasks: , servers: {include: "web|db-.*"}}}]`)
	include := c.Accounts[0].Discovery.Servers.Include
	for name, want := range map[string]bool{"web": true, "web-1": false, "db-1": true, "my-db-1": false} {
		if include.MatchString(name) != want {
			t.Errorf("%s: got %v", name, !want)
		}
	}
}

func TestServerFilesAddServers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[odd]*name") // the folder's name is no pattern
	write(t, filepath.Join(dir, "b.yml"), "- {uuid: "+uuid2+", labels: {tier: x}}")
	write(t, filepath.Join(dir, "a.yml"), "")
	write(t, filepath.Join(dir, "some/x.txt"), "")
	write(t, filepath.Join(dir, "main.yml"), `
accounts:
  - {name: a, region: cn-hangzhou, task_ids: [t], server_files: ["?.yml", b.yml, some/*.yml, "*/none.yml"], servers: [{uuid: `+uuid1+`}]}
`)
	c, err := Load(filepath.Join(dir, "main.yml"))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Accounts[0]
	if len(a.Servers) != 2 || a.Servers[1].UUID != uuid2 || a.Servers[1].TaskIDs[0] != "t" {
		t.Errorf("servers %+v", a.Servers)
	}
	if got := strings.Join(c.Warnings(), "\n"); got != filepath.Join(dir, "main.yml:3")+": accounts[0].server_files: match no file: some/*.yml, */none.yml" {
		t.Errorf("warnings %s", got)
	}
}

// TestReferenceShowsEveryKeyOnce compares reference.yml with the schema, both ways.
func TestReferenceShowsEveryKeyOnce(t *testing.T) {
	content, err := os.ReadFile("reference.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "servers/web.yml"), "- uuid: "+uuid2)
	c, err := Parse(filepath.Join(dir, "reference.yml"), []byte(strings.ReplaceAll(string(content), "PLACEHOLDER", "LTAI5tExample")))
	if err != nil || len(c.Warnings()) > 0 {
		t.Fatal(err, c.Warnings())
	}
	shown := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^[ #-]*([a-z_]+):.* # .+$`).FindAllStringSubmatch(string(content), -1) {
		shown[m[1]]++
	}
	(&decoder{}).root(&Config{}).walk("", func(path string, f field) {
		_, setting := reflect.TypeFor[Settings]().FieldByNameFunc(func(name string) bool { return snakeCase(name) == f.key })
		if !setting || strings.HasPrefix(path, "global.") { // accounts override them under the same names
			shown[f.key]--
		}
	})
	for key, count := range shown {
		if count != 0 {
			t.Errorf("reference.yml explains %s %+d times too often", key, count)
		}
	}
	if len(shown) < 45 {
		t.Errorf("only %d keys", len(shown))
	}
}

func TestManyServersLoad(t *testing.T) {
	const servers = 20_000
	var list strings.Builder
	for i := range servers {
		fmt.Fprintf(&list, "- uuid: 5d55af3c-35f3-4d4d-8ccc-%012x\n  name: web-%d\n  labels: {team: payments}\n", i, i)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "servers.yml"), list.String())
	c, err := Parse(filepath.Join(dir, "main.yml"), []byte("accounts: [{name: a, region: cn-hangzhou, task_ids: [t], server_files: [servers.yml]}]"))
	if err != nil || len(c.Accounts[0].Servers) != servers {
		t.Fatal(err)
	}
}

func BenchmarkLoad100000Servers(b *testing.B) {
	var list strings.Builder
	list.WriteString("accounts:\n- name: a\n  region: cn-hangzhou\n  task_ids: [t]\n  servers:\n")
	for i := range 100_000 {
		fmt.Fprintf(&list, "  - uuid: 5d55af3c-35f3-4d4d-8ccc-%012x\n    name: web-%d\n    types: [cve, sca]\n    labels: {team: payments}\n", i, i)
	}
	for b.Loop() {
		if _, err := Parse("x.yml", []byte(list.String())); err != nil {
			b.Fatal(err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
