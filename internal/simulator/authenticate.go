package simulator

import (
	"crypto/hmac"
	"net/http"
	"time"
)

const (
	timestampLayout = "2006-01-02T15:04:05Z"
	maxClockSkew    = 15 * time.Minute // Alibaba documentation, InvalidTimeStamp.Expired
)

// claim is who a caller says it is and how it proves it, in either signature scheme.
type claim struct {
	accessKeyID, token, nonce, timestamp, signature string
	// sign computes the signature that the call should carry.
	sign func(secret string) (stringToSign, signature string)
}

// authenticate finds out whose call it is. The token and the nonce are looked at after the
// signature: only who has the secret learns about them or uses them up.
func (s *Simulator) authenticate(in *incoming, now time.Time) (*account, *apiError) {
	read := rpcClaim
	if in.acs3 {
		read = acs3Claim
	}
	c, err := read(in)
	if err != nil {
		return nil, err
	}
	if err := checkTimestamp(c.timestamp, now); err != nil {
		return nil, err
	}
	from := s.accounts[c.accessKeyID]
	if from == nil {
		return nil, &apiError{
			status: http.StatusNotFound, code: "InvalidAccessKeyId.NotFound",
			message: "Specified access key is not found.",
		}
	}
	if from.Disabled {
		return nil, badRequest("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	}
	text, want := c.sign(from.AccessKeySecret)
	if !hmac.Equal([]byte(c.signature), []byte(want)) {
		return nil, signatureMismatch(text)
	}
	if err := from.checkToken(c.token, now); err != nil {
		return nil, err
	}
	if !s.nonces.use(c.accessKeyID, c.nonce, now) {
		return nil, badRequest("SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return from, nil
}

func checkTimestamp(text string, now time.Time) *apiError {
	t, err := time.Parse(timestampLayout, text)
	if err != nil {
		return badRequest("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if now.Sub(t).Abs() > maxClockSkew {
		return badRequest("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	return nil
}

func (a *account) checkToken(token string, now time.Time) *apiError {
	switch {
	case token == "" && a.SecurityToken != "":
		return missing("SecurityToken")
	case !hmac.Equal([]byte(token), []byte(a.SecurityToken)):
		return badRequest("InvalidSecurityToken.MismatchWithAccessKey",
			"Specified SecurityToken mismatch with the AccessKey.")
	case !a.TokenExpires.IsZero() && !now.Before(a.TokenExpires):
		return badRequest("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return nil
}
