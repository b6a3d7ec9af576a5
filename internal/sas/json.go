package sas

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxTextBytes is the most that a text of the API's may be long; it becomes a label of a series.
const maxTextBytes = 128

// object is a JSON object with its fields undecoded. Unlike a struct it tells an absent field from
// a null one and does not match names in another case, which the API's own SDKs do not either.
type object map[string]json.RawMessage

// decodeObject returns a JSON object; ok is false for everything else.
func decodeObject(raw []byte) (o object, ok bool) {
	if !isKind(raw, '{') || json.Unmarshal(raw, &o) != nil {
		return nil, false
	}
	return o, true
}

// decodeList returns the elements of a JSON array; ok is false for everything else.
func decodeList(raw []byte) (list []json.RawMessage, ok bool) {
	if !isKind(raw, '[') || json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	return list, true
}

// isKind reports whether a JSON value begins with the given byte.
func isKind(raw []byte, first byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == first
}

// isNull reports whether a field is there and null.
func isNull(raw json.RawMessage) bool {
	return string(bytes.TrimSpace(raw)) == "null"
}

// text returns a field as a string: the content of a string, the empty string for an absent or null
// field, and the JSON text of anything else, with exact false.
func text(raw json.RawMessage) (s string, exact bool) {
	switch {
	case len(raw) == 0 || isNull(raw):
		return "", true
	case isKind(raw, '"') && json.Unmarshal(raw, &s) == nil:
		return s, true
	}
	return string(raw), false
}

// clip returns a text that can be a label: valid UTF-8 of at most 128 bytes. cut reports whether it
// was longer.
func clip(s string) (clipped string, cut bool) {
	clipped = strings.ToValidUTF8(s, "\uFFFD")
	if len(clipped) <= maxTextBytes {
		return clipped, false
	}
	end := maxTextBytes
	for end > 0 && !utf8.RuneStart(clipped[end]) {
		end--
	}
	return clipped[:end], true
}

// errorFields reads Code and RequestId of an error answer, whatever their JSON types; both are
// empty if the body is no JSON object.
func errorFields(body []byte) (code, requestID string) {
	o, _ := decodeObject(body)
	code, _ = text(o["Code"])
	requestID, _ = text(o["RequestId"])
	code, _ = clip(strings.TrimSpace(code))
	requestID, _ = clip(strings.TrimSpace(requestID))
	return code, requestID
}
