package commandline

import (
	"errors"
	"fmt"
	"strings"
)

// errExternalURL says what --web.external-url has to be.
var errExternalURL = errors.New("it must be a URL such as https://monitoring.example.com/vulscan, without query and fragment")

// ResolveRoutes checks --web.external-url and --web.route-prefix, and makes the
// prefix what Prometheus makes of it: that of the external URL unless given,
// "/", or a path that begins with a slash and does not end with one.
func (f *Flags) ResolveRoutes() error {
	if u := f.ExternalURL; u != nil {
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("--web.external-url: %w", errExternalURL)
		}
		u.Path = "/" + strings.Trim(u.Path, "/")
		if f.RoutePrefix == "" {
			f.RoutePrefix = u.Path
		}
	}
	f.RoutePrefix = "/" + strings.Trim(f.RoutePrefix, "/")
	return nil
}
