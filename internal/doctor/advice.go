package doctor

import (
	"errors"
	"strings"

	"aliyun_vulscan_exporter/internal/sas"
)

// Next steps that several findings share.
const (
	setClock      = "set this machine's clock, best by NTP (timedatectl set-ntp true)"
	checkEndpoint = "compare endpoint and region with Alibaba's list of Security Center endpoints, and look for proxies on the way"
)

// wayThere says what to do about an endpoint that cannot be reached.
func (e *examination) wayThere(err error) string {
	var failed *sas.ReachError
	if !errors.As(err, &failed) {
		return checkEndpoint
	}
	if failed.Proxy != "" && failed.Obstacle != sas.Stranger {
		return "the environment (HTTPS_PROXY, HTTP_PROXY) sends calls through " + failed.Proxy +
			": see that this proxy works, or name " + e.account.Endpoint.Host + " in NO_PROXY"
	}
	switch failed.Obstacle {
	case sas.NoNetwork:
		return "this machine has no network that leads there: check its interfaces, routes, name servers and HTTPS_PROXY"
	case sas.UnknownHost:
		return "no such name: look for a misspelt endpoint or region; if it is right, this machine's name server does not know the internet"
	case sas.NothingListens:
		return "wrong endpoint or port: compare it with Alibaba's list of Security Center endpoints"
	case sas.NoAnswer:
		return "let firewall and security group pass TCP to " + e.account.Endpoint.Host + ", or set HTTPS_PROXY; in a VPC without internet use the endpoint for VPCs"
	case sas.BadTLS:
		return "wrong endpoint, or a proxy that opens TLS: see that endpoint is right and that this machine trusts the proxy's authority (SSL_CERT_FILE)"
	}
	return "wrong endpoint: " + checkEndpoint
}

// refusal says what to do about refused calls whose error code begins with prefix.
type refusal struct {
	prefix string
	// subject is what is wrong, as it begins the line.
	subject string
	step    string
	// operation says that other operations may well be allowed.
	operation bool
}

// Subjects of refusals.
const (
	ofCredentials = "credentials"
	ofAccount     = "account"
)

// knownRefusals are in the order in which they are compared; the first match counts.
var knownRefusals = [...]refusal{
	{"invalidaccesskeyid", ofCredentials, "find the key in the RAM console under the user's AccessKeys; enable it there, or put its ID into access_key_id", false},
	{"forbidden.accesskeydisabled", ofCredentials, "enable the key in the RAM console, or make a new one", false},
	{"signaturedoesnotmatch", ofCredentials, "the ID is known, so the secret is wrong: put the secret of this very key into access_key_secret, or make a new key", false},
	{"invalidsecuritytoken.expired", ofCredentials, "renew token and key; better, have them renewed by ecs_ram_role, or by role_arn with keys or OIDC, in place of security_token", false},
	{"invalidsecuritytoken", ofCredentials, "take key ID, secret and token from the same answer of STS", false},
	{"missingsecuritytoken", ofCredentials, "give the security_token that came with this temporary key", false},
	{"incompletesignature", ofCredentials, "look for a proxy that changes requests, and for odd characters in the keys", false},
	{"forbidden.notactivated", ofAccount, "activate Security Center for this Alibaba Cloud account in its console", false},
	{"forbidden.notsupportram", ofCredentials, useMainKey, true},
	{"forbedden.notsupportram", ofCredentials, useMainKey, true}, // so spelt by the service
	{"freeversionnotpermit", ofAccount, "buy an edition of Security Center that includes the operation, or take what needs it out of the configuration", true},
	{"forbidden.", ofAccount, "see to the Alibaba Cloud account itself: its console says what it lacks", false},
	{"realname", ofAccount, "verify the Alibaba Cloud account by real name in its console", false},
	{sas.ResultCredentials, ofCredentials, "see that what `credentials` names exists here and for this user: files, environment, profile, instance role", false},
}

// useMainKey is for operations that RAM users and roles may not call at all.
const useMainKey = "use a key of the Alibaba Cloud account itself: RAM users and roles may not call this operation"

// refusalOf returns what to do about a code that refuses the account.
func refusalOf(code string) refusal {
	for _, r := range knownRefusals {
		if strings.HasPrefix(strings.ToLower(code), r.prefix) {
			return r
		}
	}
	return refusal{subject: ofAccount, step: "look the error code up in Alibaba's documentation, and compare `credentials` with the RAM console"}
}

// callAdvice says what to do about a call that failed although its caller is known and allowed.
func callAdvice(failed *sas.Error) string {
	switch {
	case failed.Class == sas.Throttled:
		return "the account's quota is used up, maybe by other tools: lower requests_per_second, or raise the quota in Quota Center"
	case failed.Class == sas.Retryable:
		return "the service has trouble: try again later, with the request ID to Alibaba's support if it lasts"
	case illegalParameter(failed):
		return "the service does not take the UUID or a task ID: compare them with the Security Center console"
	}
	return checkEndpoint
}

// illegalParameter reports whether the service itself, not its gateway, found something wrong with
// the question.
func illegalParameter(failed *sas.Error) bool {
	return strings.HasPrefix(strings.ToLower(failed.Result), "illegalparam")
}
