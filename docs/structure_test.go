package docs

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "aliyun_vulscan_exporter/"

// mayImport says which packages of the project each package may import, by the beginnings of their
// paths. A package that is not listed may import any.
var mayImport = map[string][]string{
	"config":             {},
	"collector/expose":   {"internal/gzipjoin"},
	"collector/scan":     {"config", "internal/discovery", "internal/sas"},
	"collector/poll":     {"collector/scan", "config", "internal/discovery", "internal/sas", "internal/state"},
	"collector":          {"collector/expose", "collector/scan", "config", "internal/discovery", "internal/sas"},
	"internal/sas":       {"config"},
	"internal/discovery": {"config", "internal/sas"},
	"internal/state":     {},
	"internal/gzipjoin":  {},
	"internal/shard":     {"config"},
	"internal/web":       {"collector", "collector/expose", "collector/scan", "config", "internal/sas"},
}

// Arrows between packages point one way: polls never reach the scrape side, and
// the scrape side never reaches polls.
func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for of, allowed := range mayImport {
		files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(of), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("package %s: %d files, %v", of, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, path := range importsOf(t, file) {
				if own, found := strings.CutPrefix(path, module); found && !slices.Contains(allowed, own) {
					t.Errorf("%s imports %s", file, own)
				}
			}
		}
	}
}

func importsOf(t *testing.T, file string) (paths []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range parsed.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// The root holds the program and no tests but main's own.
func TestTheRootHasNoTestsButMains(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join("..", "main_test.go")}; !slices.Equal(files, want) {
		t.Errorf("tests in the root: %q", files)
	}
	main, err := os.ReadFile(filepath.Join("..", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(main), "\n"); lines >= 150 {
		t.Errorf("main.go has %d lines", lines)
	}
}
