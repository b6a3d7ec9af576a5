package sas

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"aliyun_vulscan_exporter/internal/simulator"
)

// wire is a request as it came, byte for byte.
type wire struct {
	line   string
	header []string // names as written, sorted
	value  map[string]string
}

// query returns the parameters of the request line.
func (w wire) query(t *testing.T) url.Values {
	t.Helper()
	_, rest, _ := strings.Cut(w.line, " ")
	target, _, _ := strings.Cut(rest, " ")
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// listenRaw answers one request with the documented example and tells what came.
func listenRaw(t *testing.T) (address string, came <-chan wire) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	out := make(chan wire, 1)
	go func() {
		defer close(out)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		lines.Scan()
		w := wire{line: lines.Text(), value: make(map[string]string)}
		for lines.Scan() && lines.Text() != "" {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			w.header = append(w.header, name)
			w.value[name] = value
		}
		slices.Sort(w.header)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(exampleBody), exampleBody)
		out <- w
	}()
	return listener.Addr().String(), out
}

// sdkRequest is the operation's request as an application of the SDK writes it.
type sdkRequest struct {
	*requests.RpcRequest
	TaskIds *[]string `position:"Query" name:"TaskIds" type:"Repeated"`
	Types   *[]string `position:"Query" name:"Types" type:"Repeated"`
	Uuid    string    `position:"Query" name:"Uuid"`
}

func askBySDK(t *testing.T, address string, q Query) {
	t.Helper()
	config := sdk.NewConfig()
	config.UserAgent = "exporter/1.0"
	var provider credentials.CredentialsProvider = credentials.NewStaticSTSCredentialsProvider(testKeyID, testSecret, testToken)
	client, err := sdk.NewClientWithOptions("cn-shanghai", config, provider)
	if err != nil {
		t.Fatal(err)
	}
	r := &sdkRequest{RpcRequest: &requests.RpcRequest{}, TaskIds: &q.TaskIDs, Types: &q.Types, Uuid: q.UUID}
	r.InitWithApiInfo("Sas", "2018-12-03", "DescribeVulCheckTaskStatusDetail", "sas", "openAPI")
	r.Method, r.Scheme, r.Domain = requests.POST, requests.HTTP, address
	if err := client.DoAction(r, &responses.BaseResponse{}); err != nil {
		t.Fatal(err)
	}
}

func TestTheRequestIsTheSDKs(t *testing.T) {
	q := Query{UUID: "inet-" + exampleUUID, TaskIDs: []string{exampleTask, "16190385"}, Types: []string{"cve", "sca"}}

	address, came := listenRaw(t)
	askBySDK(t, address, q)
	want := <-came

	address, came = listenRaw(t)
	c := newTestClient(t, optionsFor("http://"+address))
	if _, err := c.VulCheckTaskStatusDetail(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	got := <-came

	if g, w := before(got.line, "?"), before(want.line, "?"); g != w || g != "POST /" {
		t.Errorf("the request begins %q, the SDK's %q", g, w)
	}
	if !strings.HasSuffix(got.line, " HTTP/1.1") {
		t.Error("not HTTP/1.1")
	}
	if !slices.Equal(got.header, want.header) {
		t.Errorf("headers\n%q, the SDK's\n%q", got.header, want.header)
	}
	for name, value := range want.value {
		if name != "Host" && got.value[name] != value {
			t.Errorf("header %s is %q, the SDK's %q", name, got.value[name], value)
		}
	}
	gotQuery, wantQuery := got.query(t), want.query(t)
	for name, values := range wantQuery {
		changes := name == "Signature" || name == "SignatureNonce" || name == "Timestamp"
		if !gotQuery.Has(name) || !changes && !slices.Equal(gotQuery[name], values) {
			t.Errorf("parameter %s is %q, the SDK's %q", name, gotQuery[name], values)
		}
	}
	if len(gotQuery) != len(wantQuery) {
		t.Errorf("parameters %v, the SDK's %v", gotQuery, wantQuery)
	}
}

func before(s, mark string) string {
	head, _, _ := strings.Cut(s, mark)
	return head
}

// signature is HMAC-SHA1 query signing, written from Alibaba's documentation.
func signature(method string, params url.Values, secret string) string {
	escape := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		return b.String()
	}
	var pairs []string
	for name := range params {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(params.Get(name)))
		}
	}
	slices.Sort(pairs) // none of the names is the beginning of another
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + escape(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// workedExample are the parameters of the signature that is worked out in the project's reference
// of the API.
func workedExample(uuid string) url.Values {
	return url.Values{
		"AccessKeyId": {"testid"}, "Action": {ActionVulCheckTaskStatusDetail}, "Format": {"JSON"}, "RegionId": {"cn-shanghai"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"0123456789abcdef0123456789abcdef"}, "SignatureType": {""},
		"SignatureVersion": {"1.0"}, "TaskIds.1": {"16190385"}, "TaskIds.2": {exampleTask},
		"Timestamp": {"2026-01-01T00:00:00Z"}, "Types.1": {"cve"}, "Types.2": {"sca"}, "Uuid": {uuid}, "Version": {"2018-12-03"},
	}
}

const awkwardUUID = "inet-a*b ~c/é+1"

func TestTheWorkedSignatureIsAccepted(t *testing.T) {
	clock := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	for uuid, want := range map[string]string{
		exampleUUID: "R9bS7pHwJSATNEcqq5If5sk+DnE=", awkwardUUID: "BM52LJZoHELCX1vx0IJScHmJKTQ=",
	} {
		params := workedExample(uuid)
		if got := signature("POST", params, "testsecret"); got != want {
			t.Errorf("%s: signature %s, want %s", uuid, got, want)
		}
		params.Set("Signature", want)
		sim := simulator.New(simulator.Options{Clock: clock, Accounts: []simulator.Account{{AccessKeyID: "testid", AccessKeySecret: "testsecret"}}})
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?"+params.Encode(), http.NoBody))
		if refused := strings.Contains(w.Body.String(), "SignatureDoesNotMatch"); refused || uuid == exampleUUID && w.Code != http.StatusOK {
			t.Errorf("%s: the simulator answers %d %s", uuid, w.Code, w.Body)
		}
	}
}

func TestEveryRequestIsSignedAnew(t *testing.T) {
	var came []url.Values
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		came = append(came, r.URL.Query())
		_, _ = w.Write([]byte(exampleBody))
	})
	c := newTestClient(t, optionsFor(server.URL))
	tasks := []string{"a*b", "ü ~", "+/%&="}
	for range len(tasks) {
		q := Query{UUID: awkwardUUID, TaskIDs: tasks, Types: []string{"cve"}}
		if _, err := c.VulCheckTaskStatusDetail(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		tasks = tasks[:len(tasks)-1] // a shorter list must leave nothing of a longer one
	}
	nonces := make(map[string]bool)
	for i, params := range came {
		if got, want := params.Get("Signature"), signature("POST", params, testSecret); got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
		nonces[params.Get("SignatureNonce")] = true
		sent := 0
		for name := range params {
			if strings.HasPrefix(name, "TaskIds.") {
				sent++
			}
		}
		if sent != 3-i || params.Get("Uuid") != awkwardUUID {
			t.Errorf("request %d has %d tasks and the UUID %q", i, sent, params.Get("Uuid"))
		}
	}
	if len(nonces) != 3 {
		t.Errorf("%d nonces in 3 requests", len(nonces))
	}
}

func TestAnAbsentTokenIsNotSent(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("SecurityToken") {
			t.Error("a token was sent")
		}
		if got := r.Header.Get("x-acs-credentials-provider"); got != "static_ak" {
			t.Errorf("credentials provider %q", got)
		}
		_, _ = w.Write([]byte(exampleBody))
	})
	o := optionsFor(server.URL)
	o.Credentials = fixedKeys(testKeyID, testSecret, "")
	if _, err := ask(t.Context(), newTestClient(t, o)); err != nil {
		t.Fatal(err)
	}
}

func TestABadEndpointIsNamedWithoutItsURL(t *testing.T) {
	o := optionsFor("http://no host")
	failed := mustFail(t.Context(), t, newTestClient(t, o))
	if failed.Class != Permanent || failed.reason != "the signed request has no valid URL: check endpoint" {
		t.Errorf("got %v (%s)", failed, failed.Class)
	}
}
