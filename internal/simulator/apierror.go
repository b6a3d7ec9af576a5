package simulator

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"time"
)

// apiError is an answer that is not 2xx.
type apiError struct {
	status        int
	code, message string
	header        map[string]string
	denied        *accessDenied
}

// accessDenied explains a refusal of RAM (Alibaba documentation, RAM error answers).
type accessDenied struct {
	AuthAction, AuthPrincipalDisplayName, AuthPrincipalType, NoPermissionType, PolicyType string
}

func badRequest(code, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: message}
}

// missing is the gateway's answer to a mandatory parameter left out.
func missing(name string) *apiError {
	return badRequest("Missing"+name, name+" is mandatory for this action.")
}

// invalid is the gateway's answer to a parameter it cannot use.
func invalid(name string) *apiError {
	return badRequest("Invalid"+name, "Specified parameter "+name+" is not valid.")
}

// illegalParam is Security Center's own answer to a bad parameter.
func illegalParam() *apiError { return badRequest("IllegalParam", "Illegal param") }

func actionNotFound() *apiError {
	return &apiError{
		status: http.StatusNotFound, code: "InvalidAction.NotFound",
		message: "Specified api is not found, please check your url and method.",
	}
}

// reply holds what every answer to one call needs.
type reply struct {
	requestID, host string
	xml             bool // the caller reads XML: it asked for it, or for nothing
	date            time.Time
}

// errorBody is the gateway's error shape (Alibaba documentation, common errors).
type errorBody struct {
	XMLName            xml.Name      `json:"-" xml:"Error"`
	RequestID          string        `json:"RequestId" xml:"RequestId"`
	HostID             string        `json:"HostId" xml:"HostId"`
	Code               string        `json:"Code" xml:"Code"`
	Message            string        `json:"Message" xml:"Message"`
	Recommend          string        `json:"Recommend" xml:"Recommend"`
	AccessDeniedDetail *accessDenied `json:"AccessDeniedDetail,omitempty" xml:"AccessDeniedDetail,omitempty"`
}

func (re *reply) fail(w http.ResponseWriter, e *apiError) {
	for name, value := range e.header {
		w.Header().Set(name, value)
	}
	re.send(w, e.status, &errorBody{
		RequestID: re.requestID, HostID: re.host, Code: e.code, Message: e.message,
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(e.code) +
			"&product=Sas&requestId=" + re.requestID,
		AccessDeniedDetail: e.denied,
	})
}

// send writes an answer. Write errors mean that the caller has gone; there is nobody left to tell.
func (re *reply) send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("x-acs-request-id", re.requestID)
	w.Header().Set("Date", re.date.UTC().Format(http.TimeFormat))
	if re.xml {
		w.Header().Set("Content-Type", "text/xml;charset=utf-8")
		w.WriteHeader(status)
		_ = xml.NewEncoder(w).Encode(body)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // a StringToSign is easier to compare with bare ampersands
	_ = enc.Encode(body)
}
