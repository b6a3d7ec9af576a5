package simulator

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const list1 = "DescribeCloudCenterInstances" // an action without mandatory parameters

func TestCallsAreJudged(t *testing.T) {
	at := func(d time.Duration) url.Values {
		return url.Values{"Timestamp": {epoch.Add(d).Format(timestampLayout)}}
	}
	one := func(name, value string) url.Values { return url.Values{name: {value}} }
	tests := map[string]struct {
		action string // default list1
		params url.Values
		status int
		code   string // empty: no error
	}{
		"good":                    {status: 200},
		"14 minutes slow":         {params: at(-14 * time.Minute), status: 200},
		"14 minutes fast":         {params: at(14 * time.Minute), status: 200},
		"16 minutes slow":         {params: at(-16 * time.Minute), status: 400, code: "InvalidTimeStamp.Expired"},
		"16 minutes fast":         {params: at(16 * time.Minute), status: 400, code: "InvalidTimeStamp.Expired"},
		"timestamp of other form": {params: one("Timestamp", "2026-01-01 00:00:00"), status: 400, code: "InvalidTimeStamp.Format"},
		"no timestamp":            {params: one("Timestamp", "-"), status: 400, code: "MissingTimestamp"},
		"no nonce":                {params: one("SignatureNonce", "-"), status: 400, code: "MissingSignatureNonce"},
		"no key":                  {params: one("AccessKeyId", "-"), status: 400, code: "MissingAccessKeyId"},
		"no signature":            {params: one("Signature", ""), status: 400, code: "MissingSignature"},
		"unknown key":             {params: one("AccessKeyId", "other"), status: 404, code: "InvalidAccessKeyId.NotFound"},
		"wrong signature":         {params: one("Signature", "AAAA"), status: 400, code: "SignatureDoesNotMatch"},
		"other signature method":  {params: one("SignatureMethod", "HMAC-MD5"), status: 400, code: "InvalidSignatureMethod"},
		"bearer token":            {params: one("SignatureType", "BEARERTOKEN"), status: 400, code: "InvalidSignatureMethod"},
		"other signature version": {params: one("SignatureVersion", "2.0"), status: 400, code: "InvalidSignatureVersion"},
		"unexpected token":        {params: one("SecurityToken", "t"), status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		"lower-case format":       {params: one("Format", "json"), status: 200},
		"unknown format":          {params: one("Format", "YAML"), status: 400, code: "InvalidFormat"},
		"no action":               {params: one("Action", "-"), status: 400, code: "MissingAction"},
		"unknown action":          {action: "DescribeNothing", status: 404, code: "InvalidAction.NotFound"},
		"no version":              {params: one("Version", "-"), status: 400, code: "MissingVersion"},
		"other version":           {params: one("Version", "2014-05-26"), status: 400, code: "InvalidVersion"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCaller(newFakeClock(), testAccount())
			action := tt.action
			if action == "" {
				action = list1
			}
			w := c.call(action, tt.params)
			if tt.code != "" {
				wantError(t, w, tt.status, tt.code)
			} else if w.Code != tt.status {
				t.Errorf("HTTP %d: %s", w.Code, w.Body)
			}
		})
	}
}

func TestSignatureMismatchShowsTheStringToSign(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	c.secret = "wrong"
	params := c.sign(http.MethodPost, list1, nil)
	text, _ := SignRPC(http.MethodPost, params, c.secret)
	w := c.send(http.MethodPost, params)
	wantError(t, w, 400, "SignatureDoesNotMatch")
	if want := `server string to sign is:` + text + `"`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s lacks %s", w.Body, want)
	}
}

func TestMethodsAndForms(t *testing.T) {
	tests := map[string]struct {
		method, path string
		form         bool
		status       int
		code         string
	}{
		"GET":                {method: "GET", path: "/", status: 200},
		"POST query":         {method: "POST", path: "/", status: 200},
		"POST form":          {method: "POST", path: "/", form: true, status: 200},
		"PUT":                {method: "PUT", path: "/", status: 400, code: "UnsupportedHTTPMethod"},
		"a path of its own":  {method: "GET", path: "/metrics", status: 404, code: "InvalidAction.NotFound"},
		"form to other path": {method: "POST", path: "/x", form: true, status: 404, code: "InvalidAction.NotFound"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCaller(newFakeClock(), testAccount())
			params := c.sign(tt.method, list1, nil)
			r := httptest.NewRequest(tt.method, "http://tds.aliyuncs.com"+tt.path+"?"+params.Encode(), nil)
			if tt.form {
				query := url.Values{"Format": params["Format"]}
				params.Del("Format")
				r = httptest.NewRequest(tt.method, "http://tds.aliyuncs.com"+tt.path+"?"+query.Encode(), strings.NewReader(params.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if tt.code != "" {
				wantError(t, w, tt.status, tt.code)
			} else if w.Code != tt.status {
				t.Errorf("HTTP %d: %s", w.Code, w.Body)
			}
		})
	}
}

func TestWithoutFormatErrorsAreXML(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	w := c.call(list1, url.Values{"Format": {"-"}})
	if w.Code != 400 || !strings.HasPrefix(w.Body.String(), "<Error><RequestId>") ||
		!strings.Contains(w.Body.String(), "<Code>InvalidFormat</Code>") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}

func TestBodiesAreLimited(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	query := c.sign(http.MethodPost, list1, nil)
	r := httptest.NewRequest("POST", "http://tds.aliyuncs.com/?"+query.Encode(), strings.NewReader(strings.Repeat("a", maxBodyBytes+1)))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	wantError(t, w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
}

func TestNoncesServeOnce(t *testing.T) {
	clock := newFakeClock()
	c := newCaller(clock, testAccount())
	again := url.Values{"SignatureNonce": {"same"}}
	if w := c.call(list1, again); w.Code != 200 {
		t.Fatalf("first: %s", w.Body)
	}
	wantError(t, c.call(list1, again), 400, "SignatureNonceUsed")
	clock.Advance(nonceLife - time.Second)
	wantError(t, c.call(list1, again), 400, "SignatureNonceUsed")
	clock.Advance(time.Second)
	if w := c.call(list1, again); w.Code != 200 {
		t.Errorf("after half an hour: %s", w.Body)
	}
}

func TestNonceOfAWrongSignatureIsNotUsedUp(t *testing.T) {
	c := newCaller(newFakeClock(), testAccount())
	wantError(t, c.call(list1, url.Values{"SignatureNonce": {"same"}, "Signature": {"AAAA"}}), 400, "SignatureDoesNotMatch")
	if w := c.call(list1, url.Values{"SignatureNonce": {"same"}}); w.Code != 200 {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}

func TestNonceMemoryIsBounded(t *testing.T) {
	m := newNonceMemory()
	for i := range 3 * maxNonces {
		m.use("key", string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}), epoch)
	}
	if len(m.newer) > maxNonces || len(m.older) > maxNonces {
		t.Errorf("%d and %d nonces", len(m.newer), len(m.older))
	}
}

func TestSecurityTokens(t *testing.T) {
	tests := map[string]struct {
		sent  string
		after time.Duration
		code  string
	}{
		"right":   {sent: "token"},
		"missing": {sent: "", code: "MissingSecurityToken"},
		"other":   {sent: "tok", code: "InvalidSecurityToken.MismatchWithAccessKey"},
		"expired": {sent: "token", after: time.Hour, code: "InvalidSecurityToken.Expired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			clock := newFakeClock()
			a := testAccount()
			a.SecurityToken, a.TokenExpires = "token", epoch.Add(time.Hour)
			c := newCaller(clock, a)
			c.token = tt.sent
			clock.Advance(tt.after)
			w := c.call(list1, nil)
			if tt.code != "" {
				wantError(t, w, 400, tt.code)
			} else if w.Code != 200 {
				t.Errorf("HTTP %d: %s", w.Code, w.Body)
			}
		})
	}
}

func TestDisabledKey(t *testing.T) {
	a := testAccount()
	a.Disabled = true
	wantError(t, newCaller(newFakeClock(), a).call(list1, nil), 400, "InvalidAccessKeyId.Inactive")
}
