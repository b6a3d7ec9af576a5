package collector_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

const sessionToken = "CAIS-the-token-of-a-session+/=="

// echoes answers with what a service must never say: the caller's own keys.
func echoes(w http.ResponseWriter, r *simulator.Request) bool {
	all := r.Params.Get("AccessKeyId") + r.Params.Get("SecurityToken") + r.Params.Get("Signature")
	url := r.HTTP.URL.String()
	switch r.UUID {
	case uuid(1):
		r.Fail(w, 400, "SignatureDoesNotMatch", "server string to sign is "+url)
	case uuid(2):
		r.Fail(w, 500, r.Params.Get("AccessKeyId"), all)
	case uuid(3):
		r.Fail(w, 400, "x"+r.Params.Get("SecurityToken"), all)
	case uuid(4):
		reply{body: "<html>" + url}.write(w)
	case uuid(5):
		reply{status: 302, header: "Location: " + url}.write(w)
	case uuid(6):
		reply{header: "Content-Length: 9999", body: url}.write(w)
	case uuid(7):
		<-r.HTTP.Context().Done()
	case uuid(8):
		panic(http.ErrAbortHandler)
	case uuid(9):
		reply{status: 400, body: `{"RequestId":"` + all + `","Code":"IllegalParam","Message":"` + url + `"}`}.write(w)
	case uuid(10):
		reply{status: 429, body: `{"Code":"Throttling","Message":"` + url + `"}`}.write(w)
	default:
		return false
	}
	return true
}

func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	withToken := simulated("main")
	withToken.SecurityToken = sessionToken
	wrongToken, wrongSecret, expired := withToken, withToken, withToken
	wrongToken.SecurityToken, wrongSecret.AccessKeySecret = "another-token", "another-secret"
	expired.TokenExpires = time.Unix(epoch-1, 0)
	for name, account := range map[string]simulator.Account{
		"echoed": withToken, "wrong token": wrongToken, "wrong secret": wrongSecret, "expired token": expired,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var seen []string // signatures
				text := strings.Replace(yamlOf(yamlAccount("main", "timeout: 5s\nconcurrency: 1\npoll_interval: 30s", serversYAML(11)...)),
					"access_key_id:", `security_token: "`+sessionToken+`", access_key_id:`, 1)
				w := startWorld(t, simulator.Options{Intercept: echoes, Accounts: []simulator.Account{account}}, text)
				pass(20 * time.Minute)
				for i := range 11 {
					for _, r := range w.questionsOf(uuid(i + 1)) {
						seen = append(seen, r.Params.Get("Signature"))
					}
				}
				if calls := w.observed(); len(calls) < 20 || name == "echoed" && len(seen) < 20 {
					t.Fatalf("only %d calls", len(calls))
				}
				told := w.log.String() + w.exposition()
				for _, secret := range append(seen, account.AccessKeyID, simulated("main").AccessKeySecret, "another-", sessionToken, "CAIS", "Signature=", "AccessKeyId=", "http://") {
					if strings.Contains(told, secret) {
						t.Errorf("%q is told", secret)
					}
				}
				if !strings.Contains(told, "level=debug") {
					t.Error("nothing logged at level debug")
				}
			})
		})
	}
}
