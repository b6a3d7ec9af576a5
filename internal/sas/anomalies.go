package sas

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// codeInAnswer says that a 2xx answer is an error in disguise.
type codeInAnswer struct{}

func (*codeInAnswer) Error() string { return "an error code in a 2xx answer" }

// anomalyCounter counts what in an answer did not fit the documentation. Its methods read fields,
// and count what is wrong with them.
type anomalyCounter map[Anomaly]int

func (t anomalyCounter) count(a Anomaly) { t[a]++ }

// open returns the fields of a 2xx answer and its request ID. An error means that the answer cannot
// be believed at all.
func (t anomalyCounter) open(body []byte) (o object, requestID string, err error) {
	o, ok := decodeObject(body)
	if !ok {
		return nil, "", errors.New("the answer is not one JSON object")
	}
	if code, _ := text(o["Code"]); code != "" {
		return nil, "", &codeInAnswer{}
	}
	if requestID = t.text(o["RequestId"]); requestID == "" {
		return nil, "", errors.New("the answer has no RequestId")
	}
	if !utf8.Valid(body) {
		t.count(InvalidUTF8)
	}
	return o, requestID, nil
}

// text returns a field as a label's text and counts what had to be mended.
func (t anomalyCounter) text(raw []byte) string {
	s, exact := text(raw)
	if !exact {
		t.count(WrongType)
	}
	s, clipped := clip(s)
	if clipped {
		t.count(TextClipped)
	}
	return s
}

// wholeNumber reads a whole number, also from a string, as the SDK does. For everything else it
// counts the given anomaly and returns -1.
func (t anomalyCounter) wholeNumber(raw []byte, invalid Anomaly) int64 {
	s, exact := text(raw)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		t.count(invalid)
		return -1
	}
	if exact { // a JSON string, where a number is documented
		t.count(WrongType)
	}
	return n
}

// decimal reads a finite number in decimal notation. It refuses the words and hexadecimal forms
// that strconv would accept.
func decimal(s string) (float64, bool) {
	for _, r := range s {
		if (r < '0' || r > '9') && r != '-' && r != '+' && r != '.' && r != 'e' && r != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	return f + 0, true // -0 becomes 0
}
