package sas

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

func TestErrorsHaveTheirClass(t *testing.T) {
	tests := []struct {
		status int
		code   string
		class  Class
		again  bool
		advice string // a part of it
	}{
		{400, "Throttling", Throttled, false, "quota"},
		{400, "Throttling.User", Throttled, false, "quota"},
		{503, "Throttling.API", Throttled, false, "quota"},
		{429, "throttling.api", Throttled, false, "quota"},
		{200, "Throttling.Api", Throttled, false, "quota"},
		{400, "InvalidTimeStamp.Expired", Clock, true, "clock"},
		{400, "InvalidTimeStamp.Format", Permanent, false, ""},
		{400, "SignatureNonceUsed", Retryable, true, ""},
		{400, "InvalidSecurityToken.Expired", Refused, true, "renew"},
		{400, "InvalidSecurityToken.Malformed", Refused, false, "security_token"},
		{400, "InvalidSecurityToken.MismatchWithAccessKey", Refused, false, "security_token"},
		{400, "MissingSecurityToken", Refused, false, "security_token"},
		{404, "InvalidAccessKeyId.NotFound", Refused, false, "access_key_id"},
		{400, "InvalidAccessKeyId.Inactive", Refused, false, "access_key_id"},
		{400, "SignatureDoesNotMatch", Refused, false, "access_key_secret"},
		{403, "SignatureDoesNotMatch", Refused, false, "access_key_secret"},
		{400, "IncompleteSignature", Refused, false, "proxy"},
		{403, "NoPermission", Refused, false, "yundun-sas:DescribeVulCheckTaskStatusDetail"},
		{400, "NoPermission", Refused, false, "yundun-sas:DescribeVulCheckTaskStatusDetail"},
		{403, "Forbidden.AccessKeyDisabled", Refused, false, "disabled"},
		{403, "Forbidden.RAM", Refused, false, "yundun-sas:DescribeVulCheckTaskStatusDetail"},
		{403, "Forbidden", Refused, false, "yundun-sas:DescribeVulCheckTaskStatusDetail"},
		{403, "Forbidden.RiskControl", Refused, false, "risk control"},
		{403, "Forbidden.UserVerification", Refused, false, "real name"},
		{403, "Forbidden.Authentication", Refused, false, "real name"},
		{403, "ActionUnauthorized", Refused, false, "yundun-sas:DescribeVulCheckTaskStatusDetail"},
		{403, "RealNameAuthenticationError", Refused, false, "real name"},
		{400, "IllegalParam", Permanent, false, "UUID"},
		{404, "InvalidAction.NotFound", Permanent, false, "endpoint"},
		{404, "InvalidApi.NotFound", Permanent, false, "endpoint"},
		{404, "InvalidProduct.NotFound", Permanent, false, "endpoint"},
		{400, "InvalidVersion", Permanent, false, "endpoint"},
		{400, "NoSuchVersion", Permanent, false, "endpoint"},
		{500, "ServerError", Retryable, false, ""},
		{400, "ServerError", Retryable, false, ""},
		{503, "ServiceUnavailable", Retryable, false, ""},
		{500, "InternalError", Retryable, false, ""},
		{500, "UnknownError", Retryable, false, ""},
		{400, "MissingTaskIds", Permanent, false, ""},
		{400, "InvalidParameter.Format", Permanent, false, ""},
		{400, "InvalidProtocol.NeedSsl", Permanent, false, ""},
		{400, "InvalidUuid", Permanent, false, ""},
		{403, "InvalidUuid", Permanent, false, ""},
		{403, "MissingUuid", Permanent, false, ""},
		{403, "IllegalParam", Permanent, false, "UUID"},
		{403, "UnsupportedHTTPMethod", Permanent, false, "endpoint"},
		{400, "Strange", Permanent, false, ""},
		{404, "Strange", Permanent, false, ""},
		{401, "Strange", Refused, false, "refuses the account"},
		{403, "Strange", Refused, false, "refuses the account"},
		{403, "Forbidden.NotActivated", Refused, false, "activate the product"},
		{403, "Forbedden.NotSupportRAM", Refused, false, "main account's key"},
		{403, "Forbidden.NotSupportRAM", Refused, false, "main account's key"},
		{400, "FreeVersionNotPermit", Refused, false, "edition"},
		{403, "FreeVersionNotPermit", Refused, false, "edition"},
		{429, "Strange", Throttled, false, "too many"},
		{500, "Strange", Retryable, false, ""},
		{599, "", Retryable, false, ""},
		{429, "", Throttled, false, "too many"},
		{401, "", Response, false, "proxies"},
		{403, "", Response, false, "proxies"},
		{407, "", Response, false, "proxies"},
		{400, "", Response, false, "not an answer"},
	}
	covered := make(map[string]bool)
	for _, test := range tests {
		t.Run(strconv.Itoa(test.status)+" "+test.code, func(t *testing.T) {
			server := serveSimulator(t, func(w http.ResponseWriter, r *simulator.Request) { r.Fail(w, test.status, test.code, "m") })
			failed := mustFail(t.Context(), t, newTestClient(t, optionsFor(server.URL)))
			result := test.code
			if result == "" {
				result = ResultResponse
			}
			if failed.Class != test.class || failed.Again != test.again || failed.Result != result || failed.Status != test.status {
				t.Errorf("got %v (%s, again %t), want %s, again %t", failed, failed.Class, failed.Again, test.class, test.again)
			}
			if denied := strings.HasPrefix(test.advice, "yundun-sas:"); failed.Denied != denied {
				t.Errorf("denied by RAM: %t, want %t", failed.Denied, denied)
			}
			if !strings.Contains(failed.reason, test.advice) || test.advice == "" && failed.reason != "" {
				t.Errorf("advice %q lacks %q", failed.reason, test.advice)
			}
			if failed.RequestID == "" || !strings.Contains(failed.Error(), failed.RequestID) {
				t.Errorf("no request ID in %v", failed)
			}
		})
		for _, rule := range codeRules {
			if strings.EqualFold(test.code, rule.prefix) || strings.HasPrefix(strings.ToLower(test.code), rule.prefix) {
				covered[rule.prefix] = true
				break
			}
		}
	}
	for _, rule := range codeRules {
		if !covered[rule.prefix] {
			t.Errorf("no row reaches the rule for %s", rule.prefix)
		}
	}
}

func TestErrorsReadAsSentences(t *testing.T) {
	tests := []struct {
		err         *Error
		want, brief string
	}{
		{
			&Error{Result: ResultTimeout, Account: "p", Action: "A", reason: "no answer in time"},
			`A for account "p": timeout: no answer in time`, "A: timeout: no answer in time",
		},
		{
			&Error{Result: "NoPermission", Status: 403, RequestID: "R", Account: "p", Action: "A", UUID: "u"},
			`A for account "p", server u: HTTP 403: NoPermission (request ID R)`, "A: HTTP 403: NoPermission (request ID R)",
		},
		{&Error{Result: ResultCanceled, Account: "p", Action: "A"}, `A for account "p": canceled`, "A: canceled"},
		{&Error{Result: ResultCanceled}, "canceled", "canceled"}, // before it could be asked
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if got := tt.err.Brief().Error(); got != tt.brief {
			t.Errorf("in brief, got  %s\nwant %s", got, tt.brief)
		}
	}
	names := "permanent retryable throttled refused clock response canceled"
	for i, want := range strings.Fields(names) {
		if got := Class(i).String(); got != want {
			t.Errorf("class %d is %q, want %q", i, got, want)
		}
	}
}

func TestHintsSayHowLongToWait(t *testing.T) {
	const second = time.Second
	huge := strconv.FormatUint(math.MaxInt64, 10)
	tests := []struct {
		header, value string
		want          time.Duration
	}{
		{"x-acs-retry-after", "1500", 1500 * time.Millisecond},
		{"x-acs-retry-after", " 2000 ", 2 * second},
		{"x-acs-retry-after", "0", 0},
		{"x-acs-retry-after", "-5", 0},
		{"x-acs-retry-after", "1.5", 0},
		{"x-acs-retry-after", "soon", 0},
		{"x-acs-retry-after", "", 0},
		{"x-acs-retry-after", "61000", time.Minute},
		{"x-acs-retry-after", huge, time.Minute},
		{"x-acs-retry-after", huge + "0", 0},
		{"x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:2000,Reset:1234", 2 * second},
		{"x-ratelimit-user-api", "Limit:1, Remain:0, TimeLeft: 2000 ,Reset:1234", 2 * second},
		{"x-ratelimit-user-api", "TimeLeft:" + huge, time.Minute},
		{"x-ratelimit-user-api", "Limit:1,Remain:0", 0},
		{"x-ratelimit-user-api", "TimeLeft", 0},
		{"x-ratelimit-user-api", "TimeLeft:,TimeLeft:5", 0},
		{"x-ratelimit-user-api", ",:,::,", 0},
		{"x-ratelimit-user", "Limit:1,Remain:0,TimeLeft:700,Reset:1234", 700 * time.Millisecond},
		{"Retry-After", "3", 3 * second},
		{"Retry-After", "3600", time.Minute},
		{"Retry-After", huge, time.Minute},
		{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT", 0},
	}
	for _, test := range tests {
		t.Run(test.header+" "+test.value, func(t *testing.T) {
			server := serveSimulator(t, func(w http.ResponseWriter, r *simulator.Request) {
				w.Header().Set(test.header, test.value)
				r.Fail(w, http.StatusBadRequest, "Throttling.User", "m")
			})
			if failed := mustFail(t.Context(), t, newTestClient(t, optionsFor(server.URL))); failed.RetryAfter != test.want {
				t.Errorf("got %s, want %s", failed.RetryAfter, test.want)
			}
		})
	}
	all := http.Header{}
	for name, value := range map[string]string{
		"x-acs-retry-after": "100", "x-ratelimit-user-api": "TimeLeft:4000", "x-ratelimit-user": "TimeLeft:5000", "Retry-After": "3",
	} {
		all.Set(name, value)
	}
	if got := retryAfter(all); got != 5*second {
		t.Errorf("of four hints %s is obeyed, want the longest", got)
	}
}
