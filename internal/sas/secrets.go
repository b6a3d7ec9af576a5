package sas

import (
	"bytes"
	"net/url"
	"strings"
)

const (
	// minSecretBytes keeps a placeholder key such as "x" from matching every code. Real keys have
	// 16 bytes and more.
	minSecretBytes = 6
	// secretRun is how many consecutive bytes of a secret count as the secret. A text may hold only
	// a part of one, because it was clipped or escaped.
	secretRun = 12
)

// quotesSecret reports whether an answer holds a whole key, token or signature, which would end up
// in labels. Security Center's answers never do.
func quotesSecret(body []byte, secrets []string) bool {
	for _, secret := range secrets {
		if len(secret) < minSecretBytes {
			continue
		}
		if bytes.Contains(body, []byte(secret)) || bytes.Contains(body, []byte(url.QueryEscape(secret))) {
			return true
		}
	}
	return false
}

// holdsSecret reports whether a text holds a key, token or signature, or a good part of one, plain
// or as it stands in a query.
func holdsSecret(s, secret string) bool {
	if len(secret) < minSecretBytes {
		return false
	}
	for _, form := range [...]string{secret, url.QueryEscape(secret)} {
		run := min(len(form), secretRun)
		for i := 0; i+run <= len(form); i++ {
			if strings.Contains(s, form[i:i+run]) {
				return true
			}
		}
	}
	return false
}

// redact removes secrets from a text of the API, in case that it repeats them.
func (e *Error) redact(secrets []string) {
	for _, secret := range secrets {
		if holdsSecret(e.Result, secret) {
			e.Result = ResultResponse
		}
		if holdsSecret(e.RequestID, secret) {
			e.RequestID = ""
		}
	}
}
