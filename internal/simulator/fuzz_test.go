package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzHandler sends anything, rightly signed or not: every answer must be a whole one of a
// documented shape.
func FuzzHandler(f *testing.F) {
	a := testAccount()
	a.Fleet.TaskEvery = time.Minute
	a.Fleet.Pinned = []Pinned{{Server: 1, TaskID: "p", Type: "cve", Status: "4"}}
	clock := newFakeClock()
	clock.Advance(24 * time.Hour)
	status := "Uuid=" + a.Fleet.uuid(0) + "&TaskIds.1=task-a&TaskIds.3=" + a.Fleet.scheduled(1440).ID + "&Types.1=cve&Types.2=sca"
	for _, seed := range []struct{ action, query, body, authorization string }{
		{"DescribeVulCheckTaskStatusDetail", status, "", ""},
		{"DescribeVulCheckTaskStatusDetail", "TaskIds.x=1&TaskIds.99999999999999999999=2&TaskIds.01=3&TaskIds.1=4", "Types.1=cve&Uuid=x", ""},
		{"DescribeOnceTask", "TaskType=VUL_CHECK_TASK&PageSize=1000&CurrentPage=2147483647", "", ""},
		{"DescribeOnceTask", "RootTaskId=task-b&StartTimeQuery=-9223372036854775808&EndTimeQuery=x", "", ""},
		{"DescribeCloudCenterInstances", "UseNextToken=true&NextToken=" + nextToken(20), "", ""},
		{"DescribeCloudCenterInstances", `Criteria=[null,{"name":"instanceId","value":"ffffffff"}]`, "", ""},
		{"", "Format=XML&a=%zz;b", "%", ""},
		{"DescribeOnceTask", "Format=JSON", "", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-date,Signature=00"},
		{"DescribeOnceTask", "", "", "ACS3- ,=,;"},
	} {
		f.Add(seed.action, seed.query, seed.body, seed.authorization, true)
		f.Add(seed.action, seed.query, seed.body, seed.authorization, false)
	}
	c := newCaller(clock, a)
	f.Fuzz(func(t *testing.T, action, query, body, authorization string, sign bool) {
		if sign {
			params, _ := url.ParseQuery(query)
			for name, v := range params {
				params[name] = v[:1]
			}
			delete(params, "Signature")
			query = c.sign(http.MethodPost, action, params).Encode()
		}
		r := &http.Request{
			Method: http.MethodPost, Host: "tds.aliyuncs.com", URL: &url.URL{Path: "/", RawQuery: query},
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		checkAnswer(t, w)
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		if w.Code < 400 || !strings.HasSuffix(w.Body.String(), "</Error>") {
			t.Fatalf("HTTP %d %s", w.Code, w.Body)
		}
		return
	}
	var shape struct{ RequestId, Code, Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &shape); err != nil || shape.RequestId == "" {
		t.Fatalf("%v: HTTP %d %s", err, w.Code, w.Body)
	}
	if (w.Code == http.StatusOK) != (shape.Code == "") {
		t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
}
