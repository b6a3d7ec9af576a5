package config

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// vpcEndpoint stands for the VPC endpoint of the account's region until that is known.
var vpcEndpoint = Endpoint{Host: "vpc"}

// endpoint returns a codec for an endpoint. Its text is never quoted: a URL may hold a password.
func (d *decoder) endpoint(into *Endpoint) codec {
	return codec{
		set: func(v value) {
			text, ok := d.scalar(v, "a host or URL")
			if !ok || text == "" {
				return
			}
			if strings.EqualFold(text, vpcEndpoint.Host) {
				*into = vpcEndpoint
				return
			}
			endpoint, err := parseEndpoint(text)
			if err != nil {
				d.problem(v, "%v", err)
				return
			}
			*into = endpoint
		},
		show: func() any { return into.String() },
	}
}

// parseEndpoint reads host, host:port or a URL of nothing but scheme and host.
func parseEndpoint(text string) (Endpoint, error) {
	if strings.ContainsAny(text, "@?#") {
		return Endpoint{}, errors.New("an endpoint has neither user, query nor fragment (want host, host:port or https://host)")
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Endpoint{}, errors.New("neither a host nor a URL (want host, host:port or https://host; IPv6 in brackets)")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return Endpoint{}, errors.New("an endpoint speaks https (or http on a loopback address)")
	case u.Path != "" && u.Path != "/":
		return Endpoint{}, errors.New("an endpoint has no path (want host, host:port or https://host)")
	case !validHost(host):
		return Endpoint{}, errors.New("not a host name or IP address (want host, host:port or https://host)")
	case strings.HasSuffix(u.Host, ":") || port != "" && !validPort(port):
		return Endpoint{}, errors.New("not a port (want 1 to 65535)")
	case u.Scheme == "http" && !loopback(host):
		return Endpoint{}, errors.New("http is for loopback addresses only; use https")
	}
	return Endpoint{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func validHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	return len(host) <= 253 && hostName.MatchString(host)
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
