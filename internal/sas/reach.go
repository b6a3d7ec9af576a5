package sas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// Reached is what can be learned of an endpoint without credentials.
type Reached struct {
	// Took is the time from the request to its answer, the connection included.
	Took time.Duration
	// Dated says whether the answer told the service's time.
	Dated bool
	// Skew is how far this machine's clock is ahead of the service's, to about a second; negative
	// when it is behind. Only if Dated.
	Skew time.Duration
}

// Obstacle is why an endpoint could not be reached.
type Obstacle int

const (
	// NoNetwork means that this machine has no way to the endpoint, or to a name server.
	NoNetwork Obstacle = iota + 1
	// UnknownHost means that the endpoint's name does not exist.
	UnknownHost
	// NothingListens means that the host refuses the connection.
	NothingListens
	// NoAnswer means that nothing came back in time.
	NoAnswer
	// BadTLS means that whoever answers cannot prove to be the endpoint.
	BadTLS
	// Stranger means that something answers which is not Alibaba Cloud's gateway.
	Stranger
)

// ReachError says that the endpoint could not be reached.
type ReachError struct {
	Obstacle Obstacle
	// Proxy is the host of the proxy that the environment prescribes for the endpoint; empty if
	// there is none.
	Proxy  string
	reason string
}

// Error implements error. It holds no credentials, not even the proxy's.
func (e *ReachError) Error() string {
	if e.Proxy != "" {
		return fmt.Sprintf("%s (through the proxy %s)", e.reason, e.Proxy)
	}
	return e.reason
}

// Reach asks the endpoint without credentials, which tells a wrong endpoint and a missing network
// from refused keys. The error, if any, is a *ReachError.
func (c *Client) Reach(ctx context.Context) (*Reached, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	query := url.Values{"Action": {ActionVulCheckTaskStatusDetail}, "Version": {version}, "Format": {"JSON"}}
	endpoint := url.URL{Scheme: c.options.Scheme, Host: c.options.Host, Path: "/", RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.String(), http.NoBody)
	if err != nil {
		return nil, &ReachError{Obstacle: UnknownHost, reason: "the endpoint makes no valid URL"}
	}
	request.Header.Set("User-Agent", c.userAgent)
	failed := &ReachError{}
	if proxy, err := http.ProxyFromEnvironment(request); err == nil && proxy != nil {
		failed.Proxy = proxy.Host
	}
	start := time.Now()
	resp, err := c.http.Do(request)
	took := time.Since(start)
	if err != nil {
		failed.Obstacle, failed.reason = obstacle(err), networkError(err).reason
		return nil, failed
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes)) // a partial body is judged, too
	if _, requestID := errorFields(body); requestID == "" && resp.Header.Get("x-acs-request-id") == "" {
		failed.Obstacle = Stranger
		failed.reason = fmt.Sprintf("HTTP %d of something that is not Alibaba Cloud's gateway", resp.StatusCode)
		return nil, failed
	}
	reached := &Reached{Took: took}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		reached.Dated = true
		// The header is cut to whole seconds: half of one is lost on average.
		reached.Skew = start.Add(took / 2).Sub(date.Add(time.Second / 2))
	}
	return reached, nil
}

// obstacle judges why an exchange failed.
func obstacle(err error) Obstacle {
	var (
		lookup  *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return UnknownHost
	case errors.As(err, &lookup),
		errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return NoNetwork
	case errors.Is(err, syscall.ECONNREFUSED):
		return NothingListens
	case tlsFailure(err) != nil, errors.Is(err, http.ErrSchemeMismatch):
		return BadTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return NoAnswer
	}
	return Stranger
}
