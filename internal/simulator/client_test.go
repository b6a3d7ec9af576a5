package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// The moment of the worked signature examples.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	testKeyID  = "testid"
	testSecret = "testsecret"
)

// fakeClock is a clock that moves when told.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: epoch} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func testAccount() Account {
	return Account{
		Name: "main", AccessKeyID: testKeyID, AccessKeySecret: testSecret,
		Fleet: Fleet{Seed: 1, Start: epoch, Size: 45, TaskIDs: []string{"task-a", "task-b"}, ScanDuration: time.Minute},
	}
}

// caller signs calls with query signatures and sends them straight to the handler.
type caller struct {
	*Simulator
	clock  func() time.Time
	keyID  string
	secret string
	token  string
	sent   int
}

// newCaller makes a simulator of one account, and a caller with its key.
func newCaller(clock *fakeClock, a Account) *caller {
	s := New(Options{Clock: clock.Now, Accounts: []Account{a}})
	return &caller{Simulator: s, clock: clock.Now, keyID: a.AccessKeyID, secret: a.AccessKeySecret, token: a.SecurityToken}
}

// sign adds the common parameters; those given come first, "-" leaves one out.
func (c *caller) sign(method, action string, params url.Values) url.Values {
	c.sent++
	all := url.Values{
		"Action": {action}, "Version": {"2018-12-03"}, "Format": {"JSON"}, "AccessKeyId": {c.keyID},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureType": {""},
		"SignatureNonce": {fmt.Sprint("nonce-", c.sent)}, "Timestamp": {c.clock().UTC().Format(timestampLayout)},
		"RegionId": {"cn-shanghai"},
	}
	if c.token != "" {
		all.Set("SecurityToken", c.token)
	}
	for name, v := range params {
		all[name] = v
		if v[0] == "-" {
			all.Del(name)
		}
	}
	if !all.Has("Signature") {
		_, signature := SignRPC(method, all, c.secret)
		all.Set("Signature", signature)
	}
	return all
}

func (c *caller) call(action string, params url.Values) *httptest.ResponseRecorder {
	return c.send(http.MethodPost, c.sign(http.MethodPost, action, params))
}

func (c *caller) send(method string, query url.Values) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(method, "http://tds.aliyuncs.com/?"+query.Encode(), nil))
	return w
}

// status asks for the subtasks of a server.
func (c *caller) status(uuid string, types []string, taskIDs ...string) *httptest.ResponseRecorder {
	p := url.Values{"Uuid": {uuid}}
	addList(p, "Types", types)
	addList(p, "TaskIds", taskIDs)
	return c.call("DescribeVulCheckTaskStatusDetail", p)
}

func addList(p url.Values, name string, values []string) {
	for i, v := range values {
		p.Set(fmt.Sprintf("%s.%d", name, i+1), v)
	}
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var out T
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", w.Code, w.Body)
	}
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// wantError checks status, code and the shape of an error answer.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	if w.Code != status || body["Code"] != code {
		t.Fatalf("got HTTP %d %v (%v), want %d %s", w.Code, body["Code"], body["Message"], status, code)
	}
	id, _ := body["RequestId"].(string)
	if id == "" || w.Header().Get("x-acs-request-id") != id {
		t.Errorf("RequestId %q, header %q", id, w.Header().Get("x-acs-request-id"))
	}
	if body["HostId"] != "tds.aliyuncs.com" {
		t.Errorf("HostId = %v", body["HostId"])
	}
	if recommend, _ := body["Recommend"].(string); !strings.Contains(recommend, "q="+code) {
		t.Errorf("Recommend = %v", body["Recommend"])
	}
}
