package processtest

import (
	"path/filepath"
	"strings"
	"testing"
)

func check(t *testing.T, path string) (code int, stdout, stderr string) {
	t.Helper()
	return ended(t, "--config.check", "--config.file="+path)
}

func TestConfigCheckAcceptsAGoodFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"id": testKeyID, "secret": testSecret,
		"web.yml": "- uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00002\n",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	path := writeFile(t, filepath.Join(dir, "vulscan.yml"), `
accounts:
  - name: production
    region: cn-hangzhou
    credentials: {access_key_id_file: id, access_key_secret_file: secret}
    task_ids: [ad8afca3914a5fff4636e67f18e259c7]
    servers: [{uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00001}]
    server_files: ["web*.yml"]
`)
	code, stdout, stderr := check(t, path)
	if code != 0 || stdout != "the configuration is valid\n" || stderr != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestConfigCheckWarnsOfWhatIsLegalButLikelyAMistake(t *testing.T) {
	t.Parallel()
	path := writeFile(t, filepath.Join(t.TempDir(), "vulscan.yml"), "accounts: [{name: idle, region: cn-hangzhou}]")
	code, stdout, stderr := check(t, path)
	if code != 0 || stdout != "the configuration is valid\n" {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	expectOneLine(t, stderr, "warning:", `"idle"`, "nothing to poll")
}

func TestConfigCheckOfTheDemoPasses(t *testing.T) {
	t.Parallel()
	if code, _, stderr := ended(t, "--demo", "--config.check"); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestConfigCheckReportsEveryMistakeWithItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "file"), "")
	servers := writeFile(t, filepath.Join(dir, "web.yml"), "- uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00009\n- uuid: nonsense\n")
	path := writeFile(t, filepath.Join(dir, "vulscan.yml"), `global:
  poll_interval: soon
  pol_interval: 1m
accounts:
  - name: production
    region: cn nowhere
    credentials:
      access_key_id: `+testKeyID+`
      access_key_secret_file: file/secret
    task_ids: [ad8afca3914a5fff4636e67f18e259c7]
    types: [cve, virus]
    servers:
      - uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00001
      - uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00001
      - uuid: 5d55af3c
    server_files: ["web.yml"]
`)
	code, stdout, stderr := check(t, path)
	if code != 1 || stdout != "" {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	for _, want := range []string{
		path + ":2: global.poll_interval: ",
		path + ":3: global.pol_interval: ",
		path + ":6: accounts[0].region: ",
		path + ":9: accounts[0].credentials.access_key_secret_file: ",
		path + ":11: accounts[0].types[1]: ",
		path + ":14: accounts[0].servers[1].uuid: ",
		path + ":15: accounts[0].servers[2].uuid: ",
		servers + ":2: [1].uuid: ",
	} {
		if !strings.Contains("\n"+stderr, "\n"+want) {
			t.Errorf("no line begins with %s", want)
		}
	}
	if lines := strings.Count(stderr, "\n"); lines != 8 {
		t.Errorf("%d lines for 8 mistakes:\n%s", lines, stderr)
	}
	if strings.Contains(stderr, testKeyID) {
		t.Error("the key ID is printed")
	}
}

func TestConfigCheckRefusesSecretFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "id"), testKeyID)
	writeFile(t, filepath.Join(dir, "empty"), " \n")
	for name, c := range map[string]struct{ file, want string }{
		"absent":       {"absent", "no such file"},
		"directory":    {".", "is a directory"},
		"below a file": {"id/secret", "not a directory"},
		"empty":        {"empty", "empty"},
		"the secret":   {testSecret, "no such file"}, // in place of a file's name
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yml"), `accounts:
  - name: production
    region: cn-hangzhou
    task_ids: [t]
    credentials:
      access_key_id_file: id
      access_key_secret_file: `+c.file+"\n")
			code, _, stderr := check(t, path)
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			expectOneLine(t, stderr, path+":7: accounts[0].credentials.access_key_secret_file: ", c.want)
			if strings.Contains(stderr, testSecret) {
				t.Error("the secret is printed")
			}
		})
	}
}
