package sas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"

	"aliyun_vulscan_exporter/internal/simulator"
)

// provider is a credentials provider made of a function.
type provider func() (*credentials.Credentials, error)

func (p provider) GetCredentials() (*credentials.Credentials, error) { return p() }
func (provider) GetProviderName() string                             { return "test" }

// ringOf is a keyring that builds one provider; it counts how often.
func ringOf(p provider) (k *keyring, built *atomic.Int32) {
	built = new(atomic.Int32)
	return &keyring{source: "a test", build: func() (credentials.CredentialsProvider, error) {
		built.Add(1)
		return p, nil
	}}, built
}

func session(id string) *credentials.Credentials {
	return &credentials.Credentials{AccessKeyId: id, AccessKeySecret: testSecret, ProviderName: "test"}
}

func TestRotatedKeysTakeEffectAtTheNextCall(t *testing.T) {
	const newSecret = "nW5xBq8Zr2Lk9Vt4Hs7Md1Pc6Jf3Yg"
	server := quietSimulator(t, simulator.Account{AccessKeyID: "LTAI5tNewKey000000000001", AccessKeySecret: newSecret},
		simulator.Account{AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: testToken})
	o := optionsFor(server)
	id, secret, token := testKeyID, testSecret, testToken
	o.Credentials.Keys = func() (string, string, string, error) { return id, secret, token, nil }
	c := newTestClient(t, o)
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	id, secret, token = "LTAI5tNewKey000000000001", newSecret, ""
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestARefusedSessionIsDropped(t *testing.T) {
	server := serveSimulator(t, func(w http.ResponseWriter, r *simulator.Request) {
		r.Fail(w, http.StatusBadRequest, "InvalidSecurityToken.Expired", "m")
	})
	c := newTestClient(t, optionsFor(server.URL))
	var built *atomic.Int32
	c.keys, built = ringOf(func() (*credentials.Credentials, error) {
		cc := session(testKeyID)
		cc.SecurityToken = testToken
		return cc, nil
	})
	for want := range int32(3) {
		if failed := mustFail(t.Context(), t, c); failed.Class != Refused || !failed.Again || built.Load() != want+1 {
			t.Errorf("got %v (%s) after %d providers, want %d", failed, failed.Class, built.Load(), want+1)
		}
	}
	if c.keys.last != nil {
		t.Error("the refused session is kept")
	}
}

func TestAProviderIsKeptWhileItWorks(t *testing.T) {
	asked := 0
	k, built := ringOf(func() (*credentials.Credentials, error) {
		asked++
		return session(fmt.Sprint("id", asked)), nil
	})
	for i := range 3 {
		cc, err := k.get(t.Context())
		if err != nil || cc.AccessKeyId != fmt.Sprint("id", i+1) {
			t.Errorf("call %d: %+v, %v", i, cc, err)
		}
	}
	if built.Load() != 1 {
		t.Errorf("%d providers", built.Load())
	}
}

func TestLastKeysServeFor180SecondsOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken error
		asked := 0
		k := newKeyring(CredentialOptions{Keys: func() (string, string, string, error) {
			asked++
			return testKeyID, testSecret, "", broken
		}})
		begin := time.Now()
		good := func(want bool) {
			t.Helper()
			cc, err := k.get(t.Context())
			if (err == nil) != want || want && cc.AccessKeyId != testKeyID {
				t.Errorf("after %s: %v, %v", time.Since(begin), cc, err)
			}
			if err != nil && err.Error() != "credentials from the configured keys: access_key_id_file: it is empty" {
				t.Errorf("got %v", err)
			}
		}
		good(true)
		broken = errors.New("access_key_id_file: it is empty")
		for range 10 { // one attempt: the others come within the pause
			good(true)
		}
		if asked != 2 {
			t.Errorf("the keys were read %d times, want 2", asked)
		}
		time.Sleep(sessionGrace - time.Second)
		good(true)
		time.Sleep(time.Second)
		good(false)
		time.Sleep(time.Hour)
		good(false)
		broken = nil
		good(false) // within the pause after the last attempt
		time.Sleep(renewPause)
		good(true)
		broken = errors.New("broken again")
		time.Sleep(sessionGrace - time.Second)
		good(true) // the grace begins anew with every success
	})
}

func TestAProviderThatFailedIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken error
		k, built := ringOf(func() (*credentials.Credentials, error) { return session(testKeyID), broken })
		for _, broken = range []error{nil, errors.New("once"), nil, nil} {
			if _, err := k.get(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(renewPause)
		}
		if built.Load() != 2 {
			t.Errorf("%d providers, want 2", built.Load())
		}
	})
}

func TestAFailingProviderIsAskedOncePerPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		k, built := ringOf(func() (*credentials.Credentials, error) { asked++; return nil, errors.New("no") })
		for range 100 {
			if _, err := k.get(t.Context()); err == nil {
				t.Fatal("credentials out of nothing")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked != 2 || built.Load() != 2 {
			t.Errorf("asked %d times, built %d, in 10 s", asked, built.Load())
		}
		k.renew() // the service's word counts more than the pause
		_, _ = k.get(t.Context())
		if asked != 3 {
			t.Errorf("asked %d times after renew", asked)
		}
	})
}

func TestConcurrentCallersShareOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most, asked int // unguarded: the race detector is the guard
		k, _ := ringOf(func() (*credentials.Credentials, error) {
			inside++
			asked++
			most = max(most, inside)
			time.Sleep(time.Second)
			inside--
			return session(testKeyID), nil
		})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if cc, err := k.get(t.Context()); err != nil || cc.AccessKeyId != testKeyID {
					t.Errorf("%v, %v", cc, err)
				}
			})
		}
		wg.Wait()
		if most != 1 || asked != 1 {
			t.Errorf("%d at once, %d in all", most, asked)
		}
	})
}

func TestGetRenewAndFailuresMayRace(t *testing.T) {
	var n atomic.Int32
	k, _ := ringOf(func() (*credentials.Credentials, error) {
		if n.Add(1)%3 == 0 {
			return nil, errors.New("now and then")
		}
		return session(testKeyID), nil
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				if i%4 == 0 {
					k.renew()
				}
				if cc, err := k.get(t.Context()); err == nil && cc.AccessKeyId != testKeyID {
					t.Error("someone else's key")
				}
			}
		})
	}
	wg.Wait()
}

func TestCallersLeaveAHangingProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := NewClient(Options{Account: "production", Scheme: "http", Host: "127.0.0.1:1", Timeout: 10 * time.Second, Connections: 1})
		c.keys, _ = ringOf(func() (*credentials.Credentials, error) { <-release; return session(testKeyID), nil })
		begin := time.Now()
		failed := mustFail(t.Context(), t, c)
		if failed.Class != Refused || failed.Result != ResultCredentials || failed.reason != "credentials from a test: no answer in time" {
			t.Errorf("got %v (%s)", failed, failed.Class)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if failed := mustFail(ctx, t, c); failed.Class != Canceled {
			t.Errorf("got %v (%s)", failed, failed.Class)
		}
		close(release)
		synctest.Wait()
		if cc, err := c.keys.get(t.Context()); err != nil || cc.AccessKeyId != testKeyID {
			t.Errorf("after the provider's return: %v, %v", cc, err)
		}
	})
}

func TestProvidersMayFailInAnyWay(t *testing.T) {
	const withheld = "credentials from a test: none could be had (details are withheld because they may quote keys); " +
		"check with Alibaba's command line, as the same user"
	tests := map[string]struct {
		provider provider
		want     string
	}{
		"panic":         {func() (*credentials.Credentials, error) { panic(testSecret) }, "credentials from a test: " + errPanic.Error()},
		"nil pointer":   {func() (*credentials.Credentials, error) { var p *string; return session(*p), nil }, "credentials from a test: " + errPanic.Error()},
		"nothing":       {func() (*credentials.Credentials, error) { return nil, nil }, "credentials from a test: " + errEmpty.Error()},
		"no ID":         {func() (*credentials.Credentials, error) { return session(""), nil }, "credentials from a test: " + errEmpty.Error()},
		"no secret":     {func() (*credentials.Credentials, error) { return &credentials.Credentials{AccessKeyId: "x"}, nil }, "credentials from a test: " + errEmpty.Error()},
		"a bearer":      {func() (*credentials.Credentials, error) { return &credentials.Credentials{BearerToken: "x"}, nil }, "credentials from a test: " + errEmpty.Error()},
		"quoted secret": {func() (*credentials.Credentials, error) { return nil, errors.New("bad file: " + testSecret) }, withheld},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var observed int
			o := optionsFor("http://127.0.0.1:1")
			o.Observe = func(string, string, time.Duration) { observed++ }
			c := newTestClient(t, o)
			c.keys, _ = ringOf(test.provider)
			failed := mustFail(t.Context(), t, c)
			if failed.Class != Refused || failed.Result != ResultCredentials || failed.reason != test.want {
				t.Errorf("got %v (%s), want %s", failed, failed.Class, test.want)
			}
			if observed != 0 {
				t.Error("a request was counted that nobody sent")
			}
			assertHarmless(t, failed, testSecret)
			if strings.Contains(failed.Error(), "\n") {
				t.Errorf("more than a line: %v", failed)
			}
		})
	}
}
