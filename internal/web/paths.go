package web

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// plainPath is a path that means the same as a pattern, in HTML and in a URL.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// PlainPath says whether a path has a slash before each of its parts, none at its end, and nothing
// in it that a URL escapes or that stands for another path.
func PlainPath(given string) bool { return plainPath.MatchString(given) && path.Clean(given) == given }

// CheckTelemetryPath refuses a path for the metrics that is not plain, or is another page's.
func CheckTelemetryPath(telemetry string) error {
	taken := []string{"/", "/status", "/status/server", "/api/v1/status", "/api/v1/status/server", "/config", "/sd", "/-/healthy", "/-/ready", "/-/reload"}
	switch {
	case !strings.HasPrefix(telemetry, "/"):
		return fmt.Errorf("--web.telemetry-path=%q: it must begin with /", telemetry)
	case slices.Contains(taken, telemetry) || strings.HasPrefix(telemetry, "/debug/pprof"):
		return fmt.Errorf("--web.telemetry-path=%q: another page is there; use /metrics", telemetry)
	case !PlainPath(telemetry):
		return fmt.Errorf("--web.telemetry-path=%q: it must be a plain path such as /metrics", telemetry)
	}
	return nil
}
