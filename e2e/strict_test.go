package e2e

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// Prometheus' strict parser reads all that a whole exporter publishes, and no family is declared
// twice.
func TestOpenMetricsOfTheDemoAreStrict(t *testing.T) {
	demo := exporter(t, "--demo")
	demo.UntilReady() // its tasks and servers are known then
	answer := demo.Request(http.MethodGet, "/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	parser := textparse.NewOpenMetricsParser([]byte(answer.Body), labels.NewSymbolTable())
	declared, series := make(map[string]bool), 0
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, answer.Body)
		}
		switch entry {
		case textparse.EntryType:
			family, _ := parser.Type()
			if declared[string(family)] {
				t.Errorf("%s is declared twice", family)
			}
			declared[string(family)] = true
		case textparse.EntrySeries:
			series++
		}
	}
	if len(declared) < 60 || series < 300 || !declared["go_memstats_alloc_bytes"] {
		t.Errorf("%d families, %d series", len(declared), series)
	}
}
