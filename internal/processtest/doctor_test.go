package processtest

import (
	"strings"
	"testing"
)

func TestDoctorExitsWithWhatItFound(t *testing.T) {
	t.Parallel()
	fleet := testFleet(2)
	account := accountFile{name: "test", endpoint: simulated(t, fleet).url, servers: fleet.Servers()}
	refused := account
	refused.name, refused.credentials = "refused", inlineKeys(testKeyID, "wrong")
	for name, c := range map[string]struct {
		accounts []accountFile
		code     int
		want     string
	}{
		"all well":            {[]accountFile{account}, 0, "everything works\n"},
		"one account refused": {[]accountFile{account, refused}, 1, "SignatureDoesNotMatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Launch(t, "--doctor", "--config.file="+configured(t, c.accounts...))
			if code := p.Wait(); code != c.code || !strings.Contains(p.Stdout.String(), c.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.want, p.Stdout.String())
			}
		})
	}
}

func TestDoctorRepeatsNothingThatASecurityCenterSaysUnasked(t *testing.T) {
	t.Parallel()
	k := keysOf(0)
	p := Launch(t, "--doctor", "--config.file="+configured(t, accountFile{
		name: "a", endpoint: newCenter(t, chatty(k)).url, credentials: k.inline(t), servers: testFleet(1).Servers(),
	}))
	if code := p.Wait(); code != 1 || p.Stderr.String() != "" {
		t.Errorf("exit code %d, on stderr:\n%s", code, p.Stderr)
	}
	expectHidden(t, map[string]string{"stdout": p.Stdout.String()}, "a", k.id, k.secret, k.token)
}
