package commandline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"aliyun_vulscan_exporter/internal/shard"
	"aliyun_vulscan_exporter/internal/web"
)

// errExternalURL says what --web.external-url has to be.
var errExternalURL = errors.New("--web.external-url: it must be a URL such as https://monitoring.example.com/vulscan, without user, query and fragment")

// check completes the values of a command line that is well-formed, or says which flag to change.
func (f *Flags) check() error {
	if err := f.checkModes(); err != nil {
		return err
	}
	var err error
	if f.Shard, err = shard.Parse(f.shard, f.totalShards, os.Hostname); err != nil {
		return err
	}
	for _, address := range *f.Web.WebListenAddresses {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	if err := f.resolveRoutes(); err != nil {
		return err
	}
	return web.CheckTelemetryPath(f.TelemetryPath)
}

// checkModes refuses flags of which one would be ignored.
func (f *Flags) checkModes() error {
	given := make([]string, 0, 3)
	for _, mode := range []struct {
		flag string
		on   bool
	}{{"--config.check", f.Check}, {"--doctor", f.Doctor}, {"--once", f.Once}} {
		if mode.on {
			given = append(given, mode.flag)
		}
	}
	if len(given) > 1 {
		return fmt.Errorf("%s exclude each other: give one of them", strings.Join(given, " and "))
	}
	if !f.Demo {
		if f.DemoServers > 0 {
			return errors.New("--demo.servers belongs to --demo: give both")
		}
		return nil
	}
	if f.configGiven {
		return errors.New("--demo and --config.file exclude each other: the demo has a configuration of its own")
	}
	f.ConfigFile = ""
	return nil
}

// checkAddress refuses a listen address without a port: the system would pick any, and, without a
// host, on all interfaces.
func checkAddress(address string) error {
	if strings.HasPrefix(address, "vsock://") {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil && port != "" {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port) // reads a file at most
	}
	if err != nil || port == "" {
		return fmt.Errorf("--web.listen-address=%s: it must have a port from 0 to 65535, as in :10877, 127.0.0.1:10877 or [::1]:10877", address)
	}
	return nil
}

// resolveRoutes reads --web.external-url, and makes --web.route-prefix what Prometheus makes of it:
// the path of the external URL unless given, "/", or a path that begins with a slash and does not
// end with one.
func (f *Flags) resolveRoutes() error {
	if f.externalURL != "" {
		u, err := url.Parse(f.externalURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errExternalURL // url.Parse's would repeat a password
		}
		if port, err := strconv.ParseUint("0"+u.Port(), 10, 16); err != nil || port == 0 && u.Port() != "" {
			return errExternalURL
		}
		if u.Path, err = plainPrefix("external-url", u.EscapedPath()); err != nil {
			return err
		}
		u.RawPath, f.ExternalURL = "", u
		if f.RoutePrefix == "" {
			f.RoutePrefix = u.Path
		}
	}
	var err error
	f.RoutePrefix, err = plainPrefix("route-prefix", f.RoutePrefix)
	return err
}

// plainPrefix returns a path as one that begins with a slash and does not end with one, or an error
// that names the flag --web.NAME.
func plainPrefix(name, given string) (string, error) {
	prefix := "/" + strings.Trim(given, "/")
	if prefix != "/" && !web.PlainPath(prefix) {
		return "", fmt.Errorf("--web.%s: the path %q must be a plain one such as /vulscan: letters, digits and -._~ between single slashes", name, given)
	}
	return prefix, nil
}
