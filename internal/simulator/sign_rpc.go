package simulator

import (
	"crypto/hmac"
	"crypto/sha1" // the algorithm is the API's choice
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SignRPC computes a query signature: HMAC-SHA1, SignatureVersion 1.0 (Alibaba documentation, RPC
// style signatures). params are all parameters of query and form; one named Signature is left out,
// and of a repeated name the first value counts.
func SignRPC(method string, params url.Values, secret string) (stringToSign, signature string) {
	names := make([]string, 0, len(params))
	for name := range params {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var joined strings.Builder
	for i, name := range names {
		if i > 0 {
			joined.WriteByte('&')
		}
		joined.WriteString(percentEncode(name))
		joined.WriteByte('=')
		joined.WriteString(percentEncode(params.Get(name)))
	}
	stringToSign = method + "&%2F&" + percentEncode(joined.String())
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(stringToSign))
	return stringToSign, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// percentEncode encodes by RFC 3986. Go's QueryEscape differs from it only in the space: the star
// is escaped, the tilde is not, as they should be.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// rpcClaim reads the signature out of the query.
func rpcClaim(in *incoming) (*claim, *apiError) {
	p := in.params
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if p.Get(name) == "" {
			return nil, missing(name)
		}
	}
	if p.Get("SignatureMethod") != "HMAC-SHA1" || p.Get("SignatureType") != "" {
		return nil, invalid("SignatureMethod")
	}
	if p.Get("SignatureVersion") != "1.0" {
		return nil, invalid("SignatureVersion")
	}
	return &claim{
		accessKeyID: p.Get("AccessKeyId"), token: p.Get("SecurityToken"),
		nonce: p.Get("SignatureNonce"), timestamp: p.Get("Timestamp"), signature: p.Get("Signature"),
		sign: func(secret string) (string, string) { return SignRPC(in.request.Method, p, secret) },
	}, nil
}

func signatureMismatch(stringToSign string) *apiError {
	return &apiError{
		status: http.StatusBadRequest, code: "SignatureDoesNotMatch",
		// The real gateway shows what it signed, AccessKeyId, token and all. Clients must keep it
		// out of their logs, so it has to be here for them to be tested.
		message: "Specified signature is not matched with our calculation. server string to sign is:" + stringToSign,
	}
}
