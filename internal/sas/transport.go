package sas

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// maxHeaderBytes bounds what an answer's headers may hold.
const maxHeaderBytes = 64 << 10

// newTransport returns an account its pool of connections: never more than connections at once,
// kept alive between calls, HTTP/1.1 as the SDK speaks it, TLS 1.2 at least, and proxies from the
// environment as net/http reads it.
func newTransport(connections int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// safeCause returns the part of a network error that may be logged. The text of a url.Error begins
// with the signed URL, and some causes quote a proxy's password, so that only causes known to be
// harmless are told in words.
func safeCause(err error) string {
	var urlError *url.Error
	if errors.As(err, &urlError) {
		err = urlError.Err
	}
	var (
		opError *net.OpError
		errno   syscall.Errno
	)
	failure := tlsFailure(err)
	switch {
	case errors.As(err, &opError):
		return opError.Error()
	case failure != nil:
		return failure.Error()
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the endpoint speaks plain HTTP, not TLS"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed in the middle of the answer"
	}
	return fmt.Sprintf("no usable answer (%T)", err)
}

// tlsFailure returns the part of an error that comes from TLS; nil if none does.
func tlsFailure(err error) error {
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		record      tls.RecordHeaderError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &authority):
		return authority
	case errors.As(err, &hostname):
		return hostname
	case errors.As(err, &record):
		return record
	case errors.As(err, &alert):
		return alert
	}
	return nil
}
