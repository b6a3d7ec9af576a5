package sas

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
)

// accountAt is a configured account whose endpoint is a server.
func accountAt(serverURL string) config.Account {
	scheme, host, _ := strings.Cut(serverURL, "://")
	return config.Account{
		Name: "production", Region: "cn-shanghai", Endpoint: config.Endpoint{Scheme: scheme, Host: host},
		Concurrency: 2, Settings: config.Settings{Timeout: time.Minute},
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAConfiguredAccountsFilesAreReadAtEveryCall(t *testing.T) {
	dir := t.TempDir()
	id, secret, token := filepath.Join(dir, "id"), filepath.Join(dir, "secret"), filepath.Join(dir, "token")
	write(t, id, "LTAI5tOldKey000000000001\n")
	write(t, secret, "old-secret-000001\n")
	write(t, token, testToken+"\n")
	a := accountAt(serveSimulator(t, nil).URL)
	a.Credentials = config.Credentials{
		AccessKeyID: config.SecretSource{File: id}, AccessKeySecret: config.SecretSource{File: secret},
		SecurityToken: config.SecretSource{File: token},
	}
	var observed []string
	c := ForAccount(a, "exporter/1.0", func(_, result string, _ time.Duration) { observed = append(observed, result) })
	t.Cleanup(c.Close)
	if failed := mustFail(t.Context(), t, c); failed.Class != Refused {
		t.Errorf("got %v (%s)", failed, failed.Class)
	}
	write(t, id, testKeyID+"\n")
	write(t, secret, testSecret+"\n")
	if _, err := ask(t.Context(), c); err != nil {
		t.Error(err)
	}
	if got := strings.Join(observed, " "); got != "InvalidAccessKeyId.NotFound ok" {
		t.Errorf("observed %s", got)
	}
	if !strings.HasSuffix(c.userAgent, " Extra/exporter/1.0") {
		t.Errorf("User-Agent %q", c.userAgent)
	}
}

func TestAConfiguredAccountNamesTheFileThatIsMissing(t *testing.T) {
	file := func(name string) config.SecretSource { return config.SecretSource{File: "/nowhere/" + name} }
	value := config.SecretSource{Value: testSecret}
	tests := map[string]config.Credentials{
		"id":     {AccessKeyID: file("id"), AccessKeySecret: value, SecurityToken: value},
		"secret": {AccessKeyID: value, AccessKeySecret: file("secret"), SecurityToken: value},
		"token":  {AccessKeyID: value, AccessKeySecret: value, SecurityToken: file("token")},
	}
	for name, credentials := range tests {
		a := accountAt("http://127.0.0.1:1")
		a.Credentials = credentials
		failed := mustFail(t.Context(), t, ForAccount(a, "exporter/1.0", nil))
		want := "credentials from the configured keys: secret file /nowhere/" + name + ": no such file or directory"
		if failed.Class != Refused || failed.Result != ResultCredentials || failed.reason != want {
			t.Errorf("got %v (%s), want %s", failed, failed.Class, want)
		}
		assertHarmless(t, failed, testSecret)
	}
}

func TestAConfiguredAccountPicksItsProvider(t *testing.T) {
	cleanEnvironment(t)
	key := config.SecretSource{Value: testSecret}
	tests := map[string]config.Credentials{
		"default":       {},
		"static_ak":     {AccessKeyID: key, AccessKeySecret: key},
		"cli_profile":   {Profile: "p"},
		"ecs_ram_role":  {ECSRAMRole: "r"},
		"ram_role_arn":  {AccessKeyID: key, AccessKeySecret: key, RoleARN: "arn"},
		"oidc_role_arn": {RoleARN: "arn", OIDCTokenFile: "t", OIDCProviderARN: "p"},
	}
	for want, credentials := range tests {
		p, err := ForAccount(config.Account{Credentials: credentials}, "exporter/1.0", nil).keys.build()
		if err != nil || p.GetProviderName() != want {
			t.Errorf("got %v, %v, want %s", p, err, want)
		}
	}
}
