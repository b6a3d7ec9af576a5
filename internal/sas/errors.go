package sas

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Class says what a caller can do about a failed call.
type Class int

const (
	// Permanent failures come back until somebody changes the request.
	Permanent Class = iota
	// Retryable failures (5xx, network, timeout) may pass by themselves.
	Retryable
	// Throttled calls were refused for their number, not for what they are.
	Throttled
	// Refused means that the account's credentials are not accepted, or may not do this. Every
	// other such call of the account would end in the same way.
	Refused
	// Clock means that this machine's clock is too far from the service's.
	Clock
	// Response means that an answer came, but not one that can be believed.
	Response
	// Canceled means that the caller ended the call, as at shutdown or reload.
	Canceled
)

// String returns the class as logs show it.
func (c Class) String() string {
	return [...]string{"permanent", "retryable", "throttled", "refused", "clock", "response", "canceled"}[c]
}

// Results of calls that have no error code of the API's.
const (
	ResultOK         = "ok"
	ResultTimeout    = "timeout"
	ResultConnection = "connection"
	ResultCanceled   = "canceled"
	ResultResponse   = "response"
	// ResultCredentials: no credentials could be had, so no request was sent.
	ResultCredentials = "credentials"
)

// Error is a failed call. Its text names the account and the server, and never holds a key, a
// token, a signature or a signed URL: the errors of the SDK and of net/http hold those, so they are
// not wrapped.
type Error struct {
	Class Class
	// Result is the API's error code, or one of the Result constants.
	Result string
	// Status is the HTTP status, 0 where no answer came.
	Status int
	// RequestID is the API's, for Alibaba's support; often empty.
	RequestID string
	// RetryAfter is how long the API asked to wait, 0 if it did not say.
	RetryAfter time.Duration
	// Denied means that the credentials are good, but may not do this.
	Denied bool
	// Again means that the same call, signed anew at once, may well succeed.
	Again bool

	Account, Action, UUID string
	reason                string
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Action != "" { // else nothing was asked
		fmt.Fprintf(&b, "%s for account %q", e.Action, e.Account)
		if e.UUID != "" {
			fmt.Fprintf(&b, ", server %s", e.UUID)
		}
		b.WriteString(": ")
	}
	e.describe(&b)
	return b.String()
}

// Brief returns the error with a text that names neither the account nor the server: for lines of
// the log that name them already.
func (e *Error) Brief() error { return brief{e} }

type brief struct{ of *Error }

func (e brief) Error() string {
	b := &strings.Builder{}
	if e.of.Action != "" {
		b.WriteString(e.of.Action + ": ")
	}
	e.of.describe(b)
	return b.String()
}

func (e *Error) describe(b *strings.Builder) {
	if e.Status != 0 {
		fmt.Fprintf(b, "HTTP %d: ", e.Status)
	}
	b.WriteString(e.Result)
	if e.reason != "" {
		fmt.Fprintf(b, ": %s", e.reason)
	}
	if e.RequestID != "" {
		fmt.Fprintf(b, " (request ID %s)", e.RequestID)
	}
}

// Meaning says in a sentence what the failure means, or what to do about it.
func (e *Error) Meaning() string {
	if e.reason != "" {
		return e.reason
	}
	return [...]string{
		Permanent: "the service refuses the call as it is",
		Retryable: "the service, or the way to it, has trouble; the next polls will tell",
		Throttled: "too many calls",
		Refused:   "the credentials are not accepted",
		Clock:     "this machine's clock is off",
		Response:  "an answer that cannot be believed",
		Canceled:  "cut short by the exporter itself",
	}[e.Class]
}

// codeRule returns the class of every error code that begins with its prefix.
type codeRule struct {
	prefix string
	class  Class
	again  bool
	advice string
}

// grant is the advice for what RAM denies.
const grant = "grant the RAM action yundun-sas:" + actionMark

// elsewhere is the advice if a gateway does not know the operation.
const elsewhere = "the endpoint does not know the operation: check endpoint and region"

// noRAM is the advice where RAM users and roles may not call an operation at all.
const noRAM = "the operation takes no keys of RAM users or roles: use the main account's key"

// unknownRefusal is the advice for codes of HTTP 401 and 403 that no table has.
const unknownRefusal = "the service refuses the account: look the error code up in Alibaba's documentation"

// actionMark stands for the operation's name in an advice.
const actionMark = "{action}"

// codeRules follow Alibaba's documentation of the operation and the common error tables of its
// gateway. The first match counts; comparison ignores case, because documents write Throttling.Api
// and services Throttling.API.
var codeRules = [...]codeRule{
	{"throttling", Throttled, false, "too many calls for the account's quota"},
	{"invalidtimestamp.expired", Clock, true, "set this machine's clock: it is more than 15 minutes off"},
	{"signaturenonceused", Retryable, true, ""},
	{"invalidsecuritytoken.expired", Refused, true, "the STS token has expired: renew it"},
	{"invalidsecuritytoken", Refused, false, "the STS token does not belong to the access key: check security_token"},
	{"missingsecuritytoken", Refused, false, "the access key is temporary and needs its security_token"},
	{"invalidaccesskeyid", Refused, false, "the access key is unknown or disabled: check access_key_id"},
	{"signaturedoesnotmatch", Refused, false, "the signature is wrong: check access_key_secret"},
	{"incompletesignature", Refused, false, "the signature is incomplete: check the credentials and any proxy on the way"},
	{"nopermission", Refused, false, grant},
	{"forbidden.accesskeydisabled", Refused, false, "the access key is disabled"},
	{"forbidden.riskcontrol", Refused, false, "risk control has restricted the Alibaba Cloud account"},
	{"forbidden.userverification", Refused, false, "the Alibaba Cloud account has to be verified by real name"},
	{"forbidden.notactivated", Refused, false, "Security Center is not activated for the Alibaba Cloud account: activate the product in its console"},
	{"forbidden.notsupportram", Refused, false, noRAM},
	{"forbedden.notsupportram", Refused, false, noRAM}, // so spelt by the service
	{"freeversionnotpermit", Refused, false, "the account's edition of Security Center does not include the operation: upgrade it, or leave the account out"},
	{"forbidden.authentication", Refused, false, "the Alibaba Cloud account has to be verified by real name"},
	{"forbidden", Refused, false, grant},
	{"actionunauthorized", Refused, false, grant},
	{"realnameauthentication", Refused, false, "the Alibaba Cloud account has to be verified by real name"},
	{"illegalparam", Permanent, false, "the service refuses a parameter of the call, such as a UUID, task ID or type"},
	{"invalidaction", Permanent, false, elsewhere},
	{"invalidapi", Permanent, false, elsewhere},
	{"invalidproduct", Permanent, false, elsewhere},
	{"invalidversion", Permanent, false, elsewhere},
	{"nosuchversion", Permanent, false, elsewhere},
	{"unsupportedhttpmethod", Permanent, false, elsewhere},
	{"missing", Permanent, false, ""},
	{"invalid", Permanent, false, ""},
	{"servererror", Retryable, false, ""},
	{"serviceunavailable", Retryable, false, ""},
	{"internalerror", Retryable, false, ""},
	{"unknownerror", Retryable, false, ""},
}

// classify judges by the code first and the HTTP status second: the same code comes with different
// statuses from different gateways.
func classify(status int, code string) codeRule {
	lower := strings.ToLower(code)
	for _, rule := range codeRules {
		if code != "" && strings.HasPrefix(lower, rule.prefix) {
			return rule
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return codeRule{class: Throttled, advice: "too many calls"}
	case status >= http.StatusInternalServerError:
		return codeRule{class: Retryable}
	case code == "" && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return codeRule{class: Response, advice: "refused by something that is not Security Center: check endpoint and proxies"}
	case code == "":
		return codeRule{class: Response, advice: "not an answer of Security Center: check endpoint and proxies"}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		// The code is not one about a single server or task, so it is about the account.
		return codeRule{class: Refused, advice: unknownRefusal}
	}
	return codeRule{class: Permanent}
}
