package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "SECRETMARKER"
	value := struct{ S SecretSource }{SecretSource{Value: text}}
	asJSON, _ := json.Marshal(value)
	asYAML, _ := yaml.Marshal(value)
	shown := []string{string(asJSON), string(asYAML)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		shown = append(shown, fmt.Sprintf(verb, value), fmt.Sprintf(verb, Secret(text)))
	}
	for _, s := range shown {
		if strings.Contains(s, text) || strings.Contains(s, fmt.Sprintf("%x", text)) {
			t.Errorf("shows the secret: %s", s)
		}
	}
}

func TestSecretSourceReads(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	write(t, file, " first\n")
	write(t, filepath.Join(dir, "blank"), " \n")
	for _, test := range []struct {
		source    SecretSource
		want, err string
	}{
		{SecretSource{Value: "inline"}, "inline", ""},
		{SecretSource{File: file}, "first", ""},
		{SecretSource{}, "", "no secret is configured"},
		{SecretSource{File: dir}, "", "secret file " + dir + ": is a directory"},
		{SecretSource{File: dir + "/none"}, "", "secret file " + dir + "/none: no such file or directory"},
		{SecretSource{File: dir + "/blank"}, "", "secret file " + dir + "/blank: is empty"},
	} {
		got, err := test.source.Read()
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%+v: got %q, %v", test.source, got, err)
		}
	}
	write(t, file, "second")
	if got, err := (SecretSource{File: file}).Read(); got != "second" || err != nil {
		t.Errorf("after a rotation: got %q, %v", got, err)
	}
}

// refilled puts keys into a page where /config hides them.
func refilled(page []byte) []byte {
	return bytes.ReplaceAll(page, []byte(hidden), []byte("LTAI5tExample"))
}

const scrubbed = `
accounts:
  - name: a
    region: cn-hangzhou
    credentials: {access_key_id: IDMARKER, access_key_secret: KEYMARKER, security_token: TOKENMARKER}
    task_ids: [t]
    servers: [{uuid: ` + uuid1 + `, labels: {team: x}}]
    server_files: ["*.yml"]
    stale_after: 0
  - name: b
    endpoint: http://localhost:1
    credentials: {access_key_id_file: secret.txt, access_key_secret_file: secret.txt, role_arn: "acs:ram::1:role/x"}
    discovery: {tasks: , servers: {include: web-.*}}
`

func TestScrubbedYAML(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret.txt"), "FILEMARKER")
	write(t, filepath.Join(dir, "list.yml"), "- uuid: "+uuid2)
	c, err := Parse(filepath.Join(dir, "main"), []byte(scrubbed))
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.ScrubbedYAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"MARKER", uuid2} {
		if strings.Contains(string(page), text) {
			t.Errorf("shows %s:\n%s", text, page)
		}
	}
	if dump := fmt.Sprintf("%v %+v %#v", c, *c, c.Accounts); strings.Contains(dump, "MARKER") {
		t.Errorf("a dump shows a secret")
	}
	for _, text := range []string{
		"access_key_id: <secret>", "access_key_secret: <secret>", "security_token: <secret>", "secret.txt", uuid1,
		"poll_interval: 30s", "stale_after: 0s", `"*.yml"`, "include: web-.*", "max_age: 1d", "endpoint: http://localhost:1",
	} {
		if !strings.Contains(strings.ReplaceAll(string(page), "'", `"`), text) {
			t.Errorf("lacks %s:\n%s", text, page)
		}
	}
	if _, err := Parse(filepath.Join(dir, "main"), refilled(page)); err != nil {
		t.Errorf("is not a configuration itself: %v\n%s", err, page)
	}
}
