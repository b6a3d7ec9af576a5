package simulator

import (
	"cmp"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	apiVersion   = "2018-12-03"
	maxBodyBytes = 1 << 20 // far above the largest form a client has reason to send
)

// incoming is a call as read from the wire, before anybody believes it.
type incoming struct {
	request       *http.Request
	host          string
	query         url.Values // of the URL alone
	params        url.Values // query and form merged
	body          []byte
	acs3          bool // signed by header, not by query parameter
	action        string
	version       string
	format        string
	xml           bool
	authorization string
}

// readIncoming reads the whole call. What it returns is usable even with an error.
func readIncoming(w http.ResponseWriter, hr *http.Request) (*incoming, *apiError) {
	in := &incoming{request: hr, host: hr.Host, authorization: hr.Header.Get("Authorization")}
	in.acs3 = strings.HasPrefix(in.authorization, "ACS3-")
	query, queryErr := url.ParseQuery(hr.URL.RawQuery)
	in.query, in.params = query, query
	bodyErr := in.readBody(w)

	in.action, in.version = in.params.Get("Action"), in.params.Get("Version")
	if in.acs3 {
		in.action = cmp.Or(hr.Header.Get("x-acs-action"), in.action)
		in.version = cmp.Or(hr.Header.Get("x-acs-version"), in.version)
	}
	in.format = strings.ToUpper(in.params.Get("Format"))
	// The gateway's default is XML for query signatures and JSON for ACS3.
	in.xml = in.format == "XML" || in.format == "" && !in.acs3
	if queryErr != nil {
		return in, badRequest("InvalidParameter.Format", "The query string is not well formatted.")
	}
	return in, bodyErr
}

// readBody reads the body, and its parameters if it is a form.
func (in *incoming) readBody(w http.ResponseWriter) *apiError {
	if in.request.Body == nil {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, in.request.Body, maxBodyBytes))
	if err != nil {
		return &apiError{
			status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge",
			message: "The request body is too large or was cut short.",
		}
	}
	in.body = body
	kind, _, _ := mime.ParseMediaType(in.request.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || len(body) == 0 {
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return badRequest("InvalidParameter.Format", "The form is not well formatted.")
	}
	merged := make(url.Values, len(in.query)+len(form))
	for _, values := range []url.Values{in.query, form} {
		for name, v := range values {
			merged[name] = append(merged[name], v...)
		}
	}
	in.params = merged
	return nil
}

// check checks what the gateway requires of every call.
func (in *incoming) check() *apiError {
	if path := in.request.URL.Path; path != "/" && path != "" {
		return actionNotFound()
	}
	if m := in.request.Method; m != http.MethodGet && m != http.MethodPost {
		return badRequest("UnsupportedHTTPMethod", "This http method is not supported.")
	}
	switch {
	case in.xml:
		return badRequest("InvalidFormat", "This simulator answers in JSON only: send Format=JSON.")
	case in.format != "" && in.format != "JSON":
		return invalid("Format")
	case in.action == "":
		return missing("Action")
	case in.version == "":
		return missing("Version")
	case in.version != apiVersion:
		return badRequest("InvalidVersion", "Specified parameter Version is not valid.")
	case operation(in.action) == nil:
		return actionNotFound()
	}
	return nil
}

// list returns the values of name.1, name.2, ... by rising number. The numbering may have holes:
// the v1 SDK drops empty elements but still counts them (SDK source).
func list(params url.Values, name string) []string {
	type element struct {
		number int
		value  string
	}
	var found []element
	for key, values := range params {
		suffix, ok := strings.CutPrefix(key, name+".")
		if !ok || len(values) == 0 || values[0] == "" {
			continue
		}
		if n, err := strconv.Atoi(suffix); err == nil && n >= 1 {
			found = append(found, element{n, values[0]})
		}
	}
	// Of the numbers 1 and 01 the value decides, so that the order does not depend on the map.
	slices.SortFunc(found, func(a, b element) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.value, b.value))
	})
	out := make([]string, len(found))
	for i, e := range found {
		out[i] = e.value
	}
	return out
}
