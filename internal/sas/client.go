package sas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// maxAnswerBytes is the largest answer that is read. A server's subtasks take some 100 bytes each,
// so that a real answer never comes near it.
const maxAnswerBytes = 4 << 20

// Options configure the Client of one account.
type Options struct {
	// Account is the name that errors carry.
	Account string
	// Scheme (https, or http for loopback) and Host (host or host:port) are the endpoint.
	Scheme, Host string
	// Region is sent as RegionId; it may be empty.
	Region string
	// ResourceDirectoryAccountID is the member account of a resource directory that is asked about;
	// empty: the account that the credentials are of. The list of tasks cannot be had of a member
	// account, by Alibaba's models.
	ResourceDirectoryAccountID string
	// Credentials says where keys come from.
	Credentials CredentialOptions
	// Timeout bounds one call: credentials, connection, answer.
	Timeout time.Duration
	// Connections bounds the connections open at once.
	Connections int
	// Product is added to the SDK's User-Agent, as in "exporter/1.0".
	Product string
	// Dial opens connections instead of a net.Dialer; nil but for tests whose network is in memory.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe is told the result (ok, the API's code or a Result constant) and duration of every
	// request that was sent. It may be nil.
	Observe func(action, result string, took time.Duration)
}

// Client calls Security Center for one account. It is safe for concurrent use.
type Client struct {
	options   Options
	keys      *keyring
	transport *http.Transport
	http      *http.Client
	userAgent string
}

// NewClient makes a Client. It sends nothing and cannot fail: credentials are fetched by the first
// call.
func NewClient(o Options) *Client {
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	transport := newTransport(o.Connections)
	if o.Dial != nil {
		transport.DialContext = o.Dial
	}
	return &Client{
		options:   o,
		keys:      newKeyring(o.Credentials),
		transport: transport,
		http: &http.Client{
			Transport: transport,
			// A redirect would carry the request to a host that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		userAgent: sdk.DefaultUserAgent + " Extra/" + o.Product,
	}
}

// Close drops the idle connections. Calls under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Member returns the member account of a resource directory that is asked about; empty: the account
// that the credentials are of.
func (c *Client) Member() string { return c.options.ResourceDirectoryAccountID }

// Query asks for the subtasks of one server.
type Query struct {
	// UUID is the server's, with or without the prefix "inet-".
	UUID string
	// TaskIDs and Types are sent always and should not be empty: what the service does without them
	// is not documented.
	TaskIDs, Types []string
}

// VulCheckTaskStatusDetail calls DescribeVulCheckTaskStatusDetail once. The error, if any, is an
// *Error.
func (c *Client) VulCheckTaskStatusDetail(ctx context.Context, q Query) (*Answer, error) {
	var answer *Answer
	err := c.call(ctx, newVulCheckTaskStatusDetailRequest(q, c.options.ResourceDirectoryAccountID), func(body []byte) error {
		var err error
		answer, err = decodeAnswer(body, q.Types)
		return err
	})
	if err != nil {
		err.UUID = q.UUID
		return nil, err
	}
	return answer, nil
}

// call makes one attempt: credentials, signature, exchange, judgement. decode is given the body of
// a 2xx answer and says whether it can be believed.
func (c *Client) call(ctx context.Context, request requests.AcsRequest, decode func([]byte) error) (failed *Error) {
	defer func() {
		if failed != nil {
			failed.Account, failed.Action = c.options.Account, request.GetActionName()
			failed.reason = strings.ReplaceAll(failed.reason, actionMark, failed.Action)
		}
	}()
	callCtx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()

	cc, err := c.keys.get(callCtx)
	if err != nil {
		if ctx.Err() != nil {
			return &Error{Class: Canceled, Result: ResultCanceled}
		}
		return &Error{Class: Refused, Result: ResultCredentials, reason: err.Error()}
	}
	hr, err := c.sign(callCtx, request, cc)
	if err != nil {
		return &Error{Class: Permanent, Result: ResultResponse, reason: err.Error()}
	}
	start := time.Now()
	secrets := []string{cc.AccessKeyId, cc.AccessKeySecret, cc.SecurityToken, request.GetQueryParams()["Signature"]}
	failed = c.exchange(hr, func(body []byte) error {
		if quotesSecret(body, secrets) {
			return errors.New("the answer quotes the credentials that it was asked with")
		}
		return decode(body)
	})
	if failed != nil && ctx.Err() != nil && failed.Status == 0 {
		failed = &Error{Class: Canceled, Result: ResultCanceled}
	}
	result := ResultOK
	if failed != nil {
		failed.redact(secrets)
		result = failed.Result
		if failed.Class == Refused {
			c.keys.renew()
		}
	}
	c.options.Observe(request.GetActionName(), result, time.Since(start))
	return failed
}

// exchange sends a signed request and judges what comes back.
func (c *Client) exchange(hr *http.Request, decode func([]byte) error) *Error {
	resp, err := c.http.Do(hr)
	if err != nil {
		return networkError(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return networkError(err)
	}
	if len(body) > maxAnswerBytes {
		return &Error{
			Class: Response, Result: ResultResponse, Status: resp.StatusCode,
			reason: fmt.Sprintf("the answer is larger than %d MiB", maxAnswerBytes>>20),
		}
	}
	if resp.StatusCode/100 != 2 {
		return apiError(resp, body)
	}
	if err := decode(body); err != nil {
		var inside *codeInAnswer
		if errors.As(err, &inside) {
			return apiError(resp, body)
		}
		return &Error{Class: Response, Result: ResultResponse, Status: resp.StatusCode, reason: err.Error()}
	}
	return nil
}

// networkError turns a failed exchange into an Error without its URL.
func networkError(err error) *Error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() { // a context's deadline too
		return &Error{Class: Retryable, Result: ResultTimeout, reason: "no answer in time"}
	}
	return &Error{Class: Retryable, Result: ResultConnection, reason: safeCause(err)}
}

// apiError turns an error answer into an Error. Message is left out: that of SignatureDoesNotMatch
// quotes the key ID and the token.
func apiError(resp *http.Response, body []byte) *Error {
	code, requestID := errorFields(body)
	rule := classify(resp.StatusCode, code)
	e := &Error{
		Class: rule.class, Result: code, Status: resp.StatusCode, RequestID: requestID,
		RetryAfter: retryAfter(resp.Header), Denied: rule.advice == grant, Again: rule.again, reason: rule.advice,
	}
	if code == "" || code == ResultOK { // no failure may count as a success
		e.Result = ResultResponse
	}
	return e
}
