package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/web"
)

// The strict parsers of OpenMetrics refuse a family that is declared twice.
func TestNoFamilyIsDeclaredTwiceInAnyFormat(t *testing.T) {
	t.Parallel()
	o := options()
	o.Others = web.NewRegistry("exporter")
	for _, accept := range []string{
		"text/plain;version=0.0.4",
		"application/openmetrics-text;version=1.0.0",
		"application/openmetrics-text;version=0.0.1",
	} {
		got := get(handler(t, o), "/metrics", "Accept", accept)
		if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), accept[:10]) {
			t.Fatalf("%s: %d, %s", accept, got.Code, got.Header())
		}
		var families []string
		for line := range strings.Lines(got.Body.String()) {
			if fields := strings.Fields(line); len(fields) == 4 && fields[1] == "TYPE" {
				families = append(families, fields[2])
			}
		}
		slices.Sort(families)
		if len(families) < 30 {
			t.Errorf("%s: only %q are declared", accept, families)
		}
		for i, name := range families[1:] {
			if name == families[i] {
				t.Errorf("%s: %s is declared twice", accept, name)
			}
		}
		for _, name := range []string{"go_goroutines", "go_gc_duration_seconds_count", "go_memstats_alloc_bytes", "go_memstats_alloc_bytes_total", "go_memstats_heap_alloc_bytes", "go_info"} {
			if !strings.Contains(got.Body.String(), "\n"+name+" ") && !strings.Contains(got.Body.String(), "\n"+name+"{") {
				t.Errorf("%s: no series %s", accept, name)
			}
		}
	}
}
