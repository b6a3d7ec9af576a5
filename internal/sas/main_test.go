package sas

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKeyID  = "LTAI5tQzWv8Nd3Kc7Rb2Xy9F"
	testSecret = "hT6pLw2mVd8sJ4kQz9xRn3cBf7gYa1"
	// The documentation's example.
	exampleUUID = "5d55af3c-35f3-4d4d-8ccc-8c5443b00001"
	exampleTask = "ad8afca3914a5fff4636e67f18e259c7"
	exampleBody = `{"TotalCount":1,"RequestId":"BE120DAB-F4E7-4C53-ADC3-A97578ABF384",` +
		`"TaskStatuses":[{"TaskId":"16190385","TaskStatusList":` +
		`[{"Type":"cve","Status":"4","Code":"push_command_failed"}]}]}`
)

// testToken is as long as an STS token, with all that base64 has.
var testToken = func() string {
	text := []byte("CAIS")
	for range 7 {
		sum := sha512.Sum512(text)
		text = append(text, sum[:]...)
	}
	return "CAIS" + base64.StdEncoding.EncodeToString(text)
}()

// fixedKeys is a configuration that holds a key.
func fixedKeys(id, secret, token string) CredentialOptions {
	return CredentialOptions{Keys: func() (string, string, string, error) { return id, secret, token, nil }}
}

// quietServer starts a server that does not log what clients do to it.
func quietServer(t *testing.T, handler http.Handler, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(server)
	t.Cleanup(server.Close)
	return server
}

// serve starts a plain HTTP server.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return quietServer(t, handler, (*httptest.Server).Start)
}

// serveSimulator starts a Security Center that answers authenticated calls with answer; nil leaves
// them to the simulator.
func serveSimulator(t *testing.T, answer func(http.ResponseWriter, *simulator.Request)) *httptest.Server {
	t.Helper()
	o := simulator.Options{Accounts: []simulator.Account{{
		Name: "main", AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: testToken,
	}}}
	if answer != nil {
		o.Intercept = func(w http.ResponseWriter, r *simulator.Request) bool {
			answer(w, r)
			return true
		}
	}
	return quietServer(t, simulator.New(o), (*httptest.Server).Start)
}

// optionsFor are good options for a server.
func optionsFor(serverURL string) Options {
	scheme, host, _ := strings.Cut(serverURL, "://")
	return Options{
		Account: "production", Scheme: scheme, Host: host, Region: "cn-shanghai",
		Credentials: fixedKeys(testKeyID, testSecret, testToken),
		Timeout:     time.Minute, Connections: 2, Product: "exporter/1.0",
	}
}

// newTestClient makes a client that leaves no connection behind.
func newTestClient(t *testing.T, o Options) *Client {
	t.Helper()
	c := NewClient(o)
	t.Cleanup(c.Close)
	return c
}

// ask asks what the documentation's example asks.
func ask(ctx context.Context, c *Client) (*Answer, error) {
	return c.VulCheckTaskStatusDetail(ctx, Query{UUID: exampleUUID, TaskIDs: []string{exampleTask}, Types: []string{"cve"}})
}

// mustFail makes a call that has to fail, with an *Error.
func mustFail(ctx context.Context, t *testing.T, c *Client) *Error {
	t.Helper()
	answer, err := ask(ctx, c)
	var failed *Error
	if !errors.As(err, &failed) || answer != nil {
		t.Fatalf("got the answer %+v and the error %v, want no answer and an *Error", answer, err)
	}
	return failed
}

// allTypes are the vulnerability types that the operation takes.
func allTypes() []string { return []string{"cve", "sys", "cms", "sca"} }
