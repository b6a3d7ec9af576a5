package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Account is one Alibaba Cloud account, one key pair of it, and its servers.
type Account struct {
	Name            string
	AccessKeyID     string
	AccessKeySecret string
	// SecurityToken is the STS token that must come with the key; empty: none may.
	SecurityToken string
	// TokenExpires is when the token stops being accepted; zero: never.
	TokenExpires time.Time
	// RequestsPerSecond is the account's quota over all actions; 0 = none. A burst of one second's
	// worth, at least one call, is let through. Calls over it get HTTP 400 Throttling.User.
	RequestsPerSecond float64
	// ThrottleHints adds the headers x-ratelimit-user-api and x-acs-retry-after to throttling
	// answers (SDK source: v2 clients and the CLI read them).
	ThrottleHints bool
	// Disabled makes the key one that was switched off.
	Disabled bool
	// DeniedActions get HTTP 403.
	DeniedActions []string
	// DeniedCode is the code of that 403: NoPermission (Security Center's own, the default),
	// Forbidden.RAM or another of the gateway's.
	DeniedCode string
	// Fleet is what the account owns.
	Fleet Fleet
	// Members are the fleets of the member accounts of its resource directory, by account ID: who
	// names one in ResourceDirectoryAccountId is answered from it, who names another is refused.
	Members map[string]Fleet
}

// account is an Account with its token bucket.
type account struct {
	Account
	bucket *rate.Limiter // nil without a quota
}

func newAccount(a Account) *account {
	out := &account{Account: a}
	if a.RequestsPerSecond > 0 {
		out.bucket = rate.NewLimiter(rate.Limit(a.RequestsPerSecond), max(1, int(a.RequestsPerSecond)))
	}
	return out
}

// spend takes one call off the quota.
func (a *account) spend(now time.Time) *apiError {
	if a.bucket == nil || a.bucket.AllowN(now, 1) {
		return nil
	}
	err := &apiError{
		status: http.StatusBadRequest, code: "Throttling.User",
		message: "Request was denied due to user flow control.",
	}
	if a.ThrottleHints {
		missing := 1 - a.bucket.TokensAt(now)
		ms := int64(missing/a.RequestsPerSecond*1000) + 1
		err.header = map[string]string{
			"x-ratelimit-user-api": fmt.Sprintf("Limit:%d,Remain:0,TimeLeft:%d,Reset:%d", a.bucket.Burst(), ms, ms),
			"x-acs-retry-after":    strconv.FormatInt(ms, 10),
		}
	}
	return err
}

// permit refuses the actions that RAM denies.
func (a *account) permit(action string) *apiError {
	if !slices.Contains(a.DeniedActions, action) {
		return nil
	}
	err := &apiError{
		status: http.StatusForbidden, code: "NoPermission", message: "caller has no permission",
		denied: &accessDenied{
			AuthAction: "yundun-sas:" + action, AuthPrincipalType: "SubUser",
			AuthPrincipalDisplayName: a.Name, NoPermissionType: "ImplicitDeny",
			PolicyType: "AccountLevelIdentityBasedPolicy",
		},
	}
	if a.DeniedCode != "" && a.DeniedCode != err.code {
		err.code = a.DeniedCode
		err.message = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
	}
	return err
}

// fleet returns the fleet that a call is about.
func (a *account) fleet(member string) (Fleet, *apiError) {
	if member == "" {
		return a.Fleet, nil
	}
	f, known := a.Members[member]
	if !known {
		return Fleet{}, &apiError{status: http.StatusForbidden, code: "NoPermission", message: "caller has no permission"}
	}
	return f, nil
}
