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

// credentialsSteps say what to do about refused credentials, by the beginning
// of the error code; the first match counts.
var credentialsSteps = [...]struct{ prefix, step string }{
	{"invalidaccesskeyid", "find the key in the RAM console under the user's AccessKeys; enable it there, or put its ID into access_key_id"},
	{"forbidden.accesskeydisabled", "enable the key in the RAM console, or make a new one"},
	{"signaturedoesnotmatch", "the ID is known, so the secret is wrong: put the secret of this very key into access_key_secret, or make a new key"},
	{"invalidsecuritytoken.expired", "renew token and key; better, have them renewed by ecs_ram_role, or by role_arn with keys or OIDC, in place of security_token"},
	{"invalidsecuritytoken", "take key ID, secret and token from the same answer of STS"},
	{"missingsecuritytoken", "give the security_token that came with this temporary key"},
	{"incompletesignature", "look for a proxy that changes requests, and for odd characters in the keys"},
	{"forbidden.", "see to the Alibaba Cloud account itself: its console says what it lacks"},
	{"realname", "verify the Alibaba Cloud account by real name in its console"},
	{sas.ResultCredentials, "see that what `credentials` names exists here and for this user: files, environment, profile, instance role"},
}

func credentialsAdvice(code string) string {
	for _, s := range credentialsSteps {
		if strings.HasPrefix(strings.ToLower(code), s.prefix) {
			return s.step
		}
	}
	return "compare `credentials` with the RAM console"
}

// callAdvice says what to do about a call that failed although its caller is
// known and allowed.
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

// illegalParameter says whether the service itself, not its gateway, found
// something wrong with the question.
func illegalParameter(failed *sas.Error) bool {
	return strings.HasPrefix(strings.ToLower(failed.Result), "illegalparam")
}
