package sas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// assertHarmless looks for secrets, and long parts of them, in all that can be printed of an error.
func assertHarmless(t *testing.T, err error, secrets ...string) {
	t.Helper()
	asJSON, _ := json.Marshal(err)
	shown := fmt.Sprintf("%s\n%v\n%+v\n%#v\n%q\n%s", err.Error(), err, err, err, err, asJSON)
	plain, _ := url.QueryUnescape(shown)
	shown += "\n" + plain + "\n" + strings.ReplaceAll(shown, `\`, "")
	for _, parameter := range []string{"Signature=", "AccessKeyId=", "SecurityToken=", "SignatureNonce="} {
		if strings.Contains(shown, parameter) {
			t.Errorf("%s stands in\n%s", parameter, shown)
		}
	}
	const part = 12
	for _, secret := range secrets {
		for i := 0; i+min(part, len(secret)) <= len(secret); i++ {
			if piece := secret[i : i+min(part, len(secret))]; piece != "" && strings.Contains(shown, piece) {
				t.Errorf("%s, a part of a secret, stands in\n%s", piece, shown)
				break
			}
		}
	}
}

// spy notes the signatures that go over the wire.
type spy struct {
	http.RoundTripper
	mu         sync.Mutex
	signatures []string
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.signatures = append(s.signatures, r.URL.Query().Get("Signature"))
	s.mu.Unlock()
	return s.RoundTripper.RoundTrip(r)
}

func TestNoFailureShowsASecret(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			o := f.serve(t)
			c := newTestClient(t, o)
			watch := &spy{RoundTripper: c.http.Transport}
			c.http.Transport = watch
			failed := mustFail(t.Context(), t, c)
			id, secret, token, _ := o.Credentials.Keys()
			if len(watch.signatures) != 1 || len(watch.signatures[0]) != 28 {
				t.Fatalf("signatures %q", watch.signatures)
			}
			assertHarmless(t, failed, id, secret, token, testKeyID, testSecret, testToken, watch.signatures[0])
		})
	}
}

func TestSecretsAreFoundWhole_Cut_AndEscaped(t *testing.T) {
	const token = "CAISab+cd/ef=gh+ij/klmnopqrstuvwxyz012345"
	tests := map[string]struct {
		text, secret string
		want         bool
	}{
		"whole":                 {"key " + token, token, true},
		"its beginning":         {"key " + token[:12], token, true},
		"its end":               {token[len(token)-12:] + "...", token, true},
		"its middle":            {"x" + token[5:20] + "x", token, true},
		"escaped":               {url.QueryEscape(token)[:30], token, true},
		"too little to matter":  {token[:11] + "...", token, false},
		"nothing":               {"InvalidAccessKeyId.NotFound", token, false},
		"a short key":           {"a testid b", "testid", true},
		"part of a short key":   {"a testi b", "testid", false},
		"a placeholder":         {"xxxxx", "x", false},
		"no secret":             {"text", "", false},
		"no text":               {"", token, false},
		"in another case":       {strings.ToUpper(token), token, false},
		"twelve bytes, exactly": {"abcdefghijkl", "abcdefghijkl", true},
	}
	for name, test := range tests {
		if got := holdsSecret(test.text, test.secret); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
