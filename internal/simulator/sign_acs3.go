package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const acs3Algorithm = "ACS3-HMAC-SHA256"

// ACS3Input is what an ACS3-HMAC-SHA256 signature covers.
type ACS3Input struct {
	Method string
	Path   string     // "/" for all operations of Security Center
	Query  url.Values // of a repeated name the first value counts
	// Header has the signed headers, Host among them.
	Header http.Header
	// SignedHeaders are the names in lower case, in the order of the request (sorted, if the client
	// keeps the rules).
	SignedHeaders []string
	Body          []byte
}

// SignACS3 computes an ACS3-HMAC-SHA256 signature (Alibaba documentation, V3 request structure and
// signature).
func SignACS3(in ACS3Input, secret string) (stringToSign, signature string) {
	names := make([]string, 0, len(in.Query))
	for name := range in.Query {
		names = append(names, name)
	}
	slices.Sort(names)
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = percentEncode(name) + "=" + percentEncode(in.Query.Get(name))
	}
	var headers strings.Builder
	for _, name := range in.SignedHeaders {
		headers.WriteString(name + ":" + strings.TrimSpace(in.Header.Get(name)) + "\n")
	}
	canonical := strings.Join([]string{
		in.Method, in.Path, strings.Join(pairs, "&"), headers.String(),
		strings.Join(in.SignedHeaders, ";"), hexSHA256(in.Body),
	}, "\n")

	stringToSign = acs3Algorithm + "\n" + hexSHA256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stringToSign))
	return stringToSign, hex.EncodeToString(mac.Sum(nil))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// acs3Claim reads the signature out of the headers.
func acs3Claim(in *incoming) (*claim, *apiError) {
	algorithm, rest, _ := strings.Cut(in.authorization, " ")
	if algorithm != acs3Algorithm {
		return nil, invalid("SignatureMethod")
	}
	var keyID, signed, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			keyID = value
		case "SignedHeaders":
			signed = value
		case "Signature":
			signature = value
		}
	}
	names := strings.Split(signed, ";")
	if keyID == "" || signature == "" || !coversTheCall(names, in.request.Header) {
		return nil, badRequest("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	header := in.request.Header.Clone()
	header.Set("Host", in.host) // net/http keeps it apart
	return &claim{
		accessKeyID: keyID, token: header.Get("x-acs-security-token"),
		nonce: header.Get("x-acs-signature-nonce"), timestamp: header.Get("x-acs-date"), signature: signature,
		sign: func(secret string) (string, string) {
			return SignACS3(ACS3Input{
				Method: in.request.Method, Path: "/", Query: in.query,
				Header: header, SignedHeaders: names, Body: in.body,
			}, secret)
		},
	}, nil
}

// coversTheCall reports whether the signed headers are sorted and are all that must be signed:
// host, and every x-acs-* header that was sent.
func coversTheCall(names []string, header http.Header) bool {
	if !slices.IsSorted(names) || !slices.Contains(names, "host") {
		return false
	}
	for _, name := range []string{"x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		if header.Get(name) == "" {
			return false
		}
	}
	for name := range header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-acs-") && !slices.Contains(names, lower) {
			return false
		}
	}
	return true
}
