package processtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

const (
	testTask   = "ad8afca3914a5fff4636e67f18e259c7"
	testKeyID  = "LTAI5tMainPackageTest0001"
	testSecret = "main-package-test-secret-1"
)

// testFleet has servers whose scans completed long ago, some with failures.
func testFleet(size int) simulator.Fleet {
	return simulator.Fleet{
		Seed: 11, Size: size, Start: time.Now().Add(-time.Hour), TaskIDs: []string{testTask},
		ScanDuration: time.Minute, FailRatio: 0.3,
	}
}

// testAccount is the account of testKeyID.
func testAccount(fleet simulator.Fleet) simulator.Account {
	return simulator.Account{Name: "test", AccessKeyID: testKeyID, AccessKeySecret: testSecret, Fleet: fleet}
}

// center is a Security Center that remembers what it was sent.
type center struct {
	url string

	mu         sync.Mutex
	arrived    int
	signatures map[string]bool
}

// newCenter serves a handler of API calls.
func newCenter(t *testing.T, h http.Handler) *center {
	t.Helper()
	c := &center{signatures: make(map[string]bool)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.note(r.URL.Query())
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// simulated serves a simulator with one account.
func simulated(t *testing.T, fleet simulator.Fleet) *center {
	t.Helper()
	return newCenter(t, simulator.New(simulator.Options{Accounts: []simulator.Account{testAccount(fleet)}}))
}

func (c *center) note(query url.Values) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived++
	c.signatures[query.Get("Signature")] = true
}

func (c *center) calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived
}

// accountFile is an account of a configuration file.
type accountFile struct {
	name, endpoint string
	credentials    string // a flow mapping; default: the test's keys
	servers        []simulator.Server
	more           string // lines of further keys, indented by four
}

func inlineKeys(id, secret string) string {
	return fmt.Sprintf("{access_key_id: %q, access_key_secret: %q}", id, secret)
}

// configuration returns a file that polls often.
func configuration(accounts ...accountFile) string {
	var b strings.Builder
	b.WriteString("global: {poll_interval: 1s, settled_interval: 1s, timeout: 5s}\naccounts:\n")
	for _, a := range accounts {
		if a.credentials == "" {
			a.credentials = inlineKeys(testKeyID, testSecret)
		}
		fmt.Fprintf(&b, "  - name: %s\n    region: cn-hangzhou\n    endpoint: %q\n    credentials: %s\n", a.name, a.endpoint, a.credentials)
		fmt.Fprintf(&b, "    requests_per_second: 100\n    task_ids: [%s]\n%s    servers:\n", testTask, a.more)
		b.WriteString(serverList(a.servers, "      "))
	}
	return b.String()
}

// serverList returns a list of servers, as in a server file.
func serverList(servers []simulator.Server, indent string) string {
	var b strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&b, "%s- {uuid: %s, name: %s, labels: {team: shop}}\n", indent, s.UUID, s.Name)
	}
	return b.String()
}

// configured writes a configuration file into a folder of its own.
func configured(t *testing.T, accounts ...accountFile) (path string) {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), "vulscan.yml"), configuration(accounts...))
}
