package simulator

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// acs3Request builds a call as the v2 SDK does, with all headers signed that it signs.
func acs3Request(c *caller, query url.Values, body string) *http.Request {
	r := httptest.NewRequest("POST", "http://tds.aliyuncs.com/?"+query.Encode(), strings.NewReader(body))
	headers := map[string]string{
		"x-acs-action": "DescribeVulCheckTaskStatusDetail", "x-acs-version": "2018-12-03",
		"x-acs-date": c.clock().Format(timestampLayout), "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
		"x-acs-content-sha256": hexSHA256([]byte(body)), "x-acs-credentials-provider": "static_ak",
	}
	if body != "" {
		headers["content-type"] = "application/x-www-form-urlencoded"
	}
	if c.token != "" {
		headers["x-acs-accesskey-id"], headers["x-acs-security-token"] = c.keyID, c.token
	}
	names := []string{"host"}
	for name, value := range headers {
		r.Header.Set(name, value)
		names = append(names, name)
	}
	slices.Sort(names)
	signed := r.Header.Clone()
	signed.Set("Host", r.Host)
	_, signature := SignACS3(ACS3Input{
		Method: r.Method, Path: "/", Query: query, Header: signed, SignedHeaders: names, Body: []byte(body),
	}, c.secret)
	r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+c.keyID+",SignedHeaders="+strings.Join(names, ";")+",Signature="+signature)
	return r
}

func TestACS3Calls(t *testing.T) {
	tests := map[string]struct {
		token  string
		body   string
		tamper func(*http.Request)
		status int
		code   string
	}{
		"good":        {status: 200},
		"with token":  {token: "sts", status: 200},
		"signed form": {body: "Lang=en", status: 200},
		"another query": {
			tamper: func(r *http.Request) { r.URL.RawQuery += "&Types.3=cms" },
			status: 400, code: "SignatureDoesNotMatch",
		},
		"another body": {
			body:   "Lang=en",
			tamper: func(r *http.Request) { r.Body = http.NoBody },
			status: 400, code: "SignatureDoesNotMatch",
		},
		"header that was not signed": {
			tamper: func(r *http.Request) { r.Header.Set("x-acs-security-token", "smuggled") },
			status: 400, code: "IncompleteSignature",
		},
		"no nonce": {
			tamper: func(r *http.Request) { r.Header.Del("x-acs-signature-nonce") },
			status: 400, code: "IncompleteSignature",
		},
		"nothing but the algorithm": {
			tamper: func(r *http.Request) { r.Header.Set("Authorization", "ACS3-HMAC-SHA256") },
			status: 400, code: "IncompleteSignature",
		},
		"other algorithm": {
			tamper: func(r *http.Request) { r.Header.Set("Authorization", "ACS3-HMAC-SM3 Credential=a") },
			status: 400, code: "InvalidSignatureMethod",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := testAccount()
			a.SecurityToken = tt.token
			c := newCaller(newFakeClock(), a)
			query := url.Values{"Uuid": {a.Fleet.uuid(0)}, "TaskIds.1": {"task-a"}, "Types.1": {"cve"}, "Types.2": {"sca"}}
			r := acs3Request(c, query, tt.body)
			if tt.tamper != nil {
				tt.tamper(r)
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if tt.code != "" {
				wantError(t, w, tt.status, tt.code)
				return
			}
			if got := decode[statusDetail](t, w); len(got.TaskStatuses) != 1 || len(got.TaskStatuses[0].TaskStatusList) != 2 {
				t.Errorf("got %+v", got)
			}
		})
	}
}
