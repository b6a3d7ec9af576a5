package sas

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"aliyun_vulscan_exporter/internal/simulator"
)

// quietSimulator starts a Security Center of some accounts and returns its URL.
func quietSimulator(t *testing.T, accounts ...simulator.Account) string {
	t.Helper()
	return quietServer(t, simulator.New(simulator.Options{Accounts: accounts}), (*httptest.Server).Start).URL
}

// cleanEnvironment takes away all that the SDK's default chain looks at, and has an empty home.
func cleanEnvironment(t *testing.T) (home string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ALIBABA_CLOUD_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	home = t.TempDir()
	t.Setenv("HOME", home)
	return home
}

// writeProfiles writes the command line's configuration.
func writeProfiles(t *testing.T, home, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(home, ".aliyun"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aliyun", "config.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheDefaultChainSigns(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", testKeyID)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", testSecret)
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", testToken)
	o := optionsFor(serveSimulator(t, nil).URL)
	o.Credentials = CredentialOptions{}
	if _, err := ask(t.Context(), newTestClient(t, o)); err != nil {
		t.Fatal(err)
	}
}

func TestTheDefaultChainSeesWhatWasMended(t *testing.T) {
	cleanEnvironment(t)
	synctest.Test(t, func(t *testing.T) {
		k := newKeyring(CredentialOptions{})
		if _, err := k.get(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "credentials from the default chain: ") {
			t.Fatalf("got %v", err)
		}
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", testKeyID)
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", testSecret)
		time.Sleep(renewPause)
		cc, err := k.get(t.Context())
		if err != nil || cc.AccessKeyId != testKeyID || cc.ProviderName != "default/env" {
			t.Errorf("got %v, %v", cc, err)
		}
	})
}

func TestProfilesOfTheCommandLine(t *testing.T) {
	home := cleanEnvironment(t)
	writeProfiles(t, home, fmt.Sprintf(`{"current":"other","profiles":[
		{"name":"other","mode":"AK","access_key_id":"LTAI5tOther","access_key_secret":"x"},
		{"name":"scan","mode":"StsToken","access_key_id":%q,"access_key_secret":%q,"sts_token":%q}]}`, testKeyID, testSecret, testToken))
	o := optionsFor(serveSimulator(t, nil).URL)
	o.Credentials = CredentialOptions{Profile: "scan"}
	if _, err := ask(t.Context(), newTestClient(t, o)); err != nil {
		t.Fatal(err)
	}
}

func TestAProfilesFileIsNotQuoted(t *testing.T) {
	good := fmt.Sprintf(`{"current":"scan","profiles":[{"name":"scan","mode":"AK","access_key_id":%q,"access_key_secret":%q}]}`, testKeyID, testSecret)
	for name, content := range map[string]string{
		"cut short": good[:len(good)-2], "another profile": strings.Replace(good, `"name":"scan"`, `"name":"x"`, 1),
		"unknown mode": strings.ReplaceAll(good, "AK", testSecret), "no JSON": "access_key_secret: " + testSecret, "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			writeProfiles(t, cleanEnvironment(t), content)
			o := optionsFor("http://127.0.0.1:1")
			for _, o.Credentials = range []CredentialOptions{{Profile: "scan"}, {}} {
				failed := mustFail(t.Context(), t, newTestClient(t, o))
				if failed.Class != Refused || failed.Result != ResultCredentials {
					t.Errorf("got %v (%s)", failed, failed.Class)
				}
				assertHarmless(t, failed, testKeyID, testSecret)
			}
		})
	}
}

func TestOptionsPickTheProvider(t *testing.T) {
	cleanEnvironment(t)
	keys := fixedKeys(testKeyID, testSecret, "").Keys
	const arn = "acs:ram::1:role/scan"
	tests := map[string]struct {
		options          CredentialOptions
		provider, source string
	}{
		"keys":            {CredentialOptions{Keys: keys}, "static_ak", "the configured keys"},
		"profile":         {CredentialOptions{Profile: "p"}, "cli_profile", "profile p"},
		"instance role":   {CredentialOptions{ECSRAMRole: "r"}, "ecs_ram_role", "instance role r"},
		"role":            {CredentialOptions{Keys: keys, RoleARN: arn}, "ram_role_arn", "role " + arn},
		"role by OIDC":    {CredentialOptions{RoleARN: arn, OIDCTokenFile: "t", OIDCProviderARN: "p"}, "oidc_role_arn", "role " + arn + " by OIDC"},
		"nothing":         {CredentialOptions{}, "default", "the default chain"},
		"OIDC beats keys": {CredentialOptions{Keys: keys, RoleARN: arn, OIDCTokenFile: "t", OIDCProviderARN: "p"}, "oidc_role_arn", "role " + arn + " by OIDC"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKeyring(test.options)
			p, err := k.build()
			if err != nil {
				t.Fatal(err)
			}
			if p.GetProviderName() != test.provider || k.source != test.source {
				t.Errorf("got %s (%s), want %s (%s)", p.GetProviderName(), k.source, test.provider, test.source)
			}
		})
	}
}

func TestRolesFailWithoutANetworkWhenTheirFilesAreMissing(t *testing.T) {
	cleanEnvironment(t)
	missing := filepath.Join(t.TempDir(), "token")
	noFile := "open " + missing + ": no such file or directory"
	broken := func() (string, string, string, error) {
		return testKeyID, testSecret, "", errors.New("access_key_secret_file: " + noFile)
	}
	tests := map[string]struct {
		options CredentialOptions
		want    string
	}{
		"keys": {CredentialOptions{Keys: broken}, "credentials from the configured keys: access_key_secret_file: " + noFile},
		"role": {CredentialOptions{Keys: broken, RoleARN: "arn"}, "credentials from role arn: access_key_secret_file: " + noFile},
		"OIDC": {CredentialOptions{RoleARN: "arn", OIDCTokenFile: missing, OIDCProviderARN: "p"}, "credentials from role arn by OIDC: " + noFile},
	}
	for name, test := range tests {
		if _, err := newKeyring(test.options).get(t.Context()); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if _, err := newKeyring(CredentialOptions{OIDCTokenFile: missing}).get(t.Context()); err == nil {
		t.Error("OIDC without a provider works")
	}
}

func TestTheNameOfTheProviderTellsATokenFromNone(t *testing.T) {
	for token, want := range map[string]string{"": "static_ak", testToken: "static_sts"} {
		cc, err := newKeyring(fixedKeys(testKeyID, testSecret, token)).get(t.Context())
		if err != nil || cc.ProviderName != want || cc.SecurityToken != token {
			t.Errorf("got %+v, %v", cc, err)
		}
	}
}

func TestWhatIsToldOfCredentialErrors(t *testing.T) {
	const withheld = "none could be had (details are withheld because they may quote keys); check with Alibaba's command line, as the same user"
	sts := `{"RequestId":"R","HostId":"sts","Code":"EntityNotExist.Role","Message":"` + testKeyID + ` has no role"}`
	server := sdkerrors.NewServerError(404, sts, "refresh session token failed")
	signed := "https://sts.aliyuncs.com/?Signature=abc&AccessKeyId=" + testKeyID
	tests := map[string]struct {
		err  error
		want string
	}{
		"STS":                     {server, "STS answered EntityNotExist.Role"},
		"STS, within the chain":   {errors.New("unable to get credentials: no file, " + server.Error() + ", no home"), "STS answered EntityNotExist.Role"},
		"STS, quoted":             {errors.New("refresh Ecs sts token err, httpStatus: 404, message = " + sts), "STS answered EntityNotExist.Role"},
		"STS, no JSON":            {sdkerrors.NewServerError(502, "<html>"+testKeyID, ""), withheld},
		"STS, odd code":           {sdkerrors.NewServerError(400, `{"Code":"<`+testKeyID+`>"}`, ""), withheld},
		"network":                 {&url.Error{Op: "Post", URL: signed, Err: errors.New(signed)}, "no usable answer (*errors.errorString)"},
		"the SDK's own":           {sdkerrors.NewClientError("SDK.InvalidParam", testSecret, nil), withheld},
		"the configuration's":     {fmt.Errorf("chain: %w", keysError{errors.New("access_key_id_file: it is empty")}), "access_key_id_file: it is empty"},
		"a file, quoted":          {errors.New("unmarshal failed: " + testSecret), withheld},
		"a file that is not read": {&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}, "open /x: permission denied"},
	}
	for name, test := range tests {
		got := harmless(test.err)
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		assertHarmless(t, errors.New(got), testKeyID, testSecret)
	}
}
