package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "aliyun_vulscan_exporter"

// below are packages that everything may import; the picture leaves arrows to them out.
var below = []string{"config", "internal/sas"}

// imports returns the arrows between packages of the program, as "from to".
func imports(t *testing.T) []string {
	t.Helper()
	var arrows []string
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel("..", path)
		if entry.IsDir() {
			if slices.Contains([]string{"e2e", "grafana", "deploy", "docs"}, name) || strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(name))
		if from == "." {
			from = "main"
		}
		for _, imported := range file.Imports {
			to, ours := strings.CutPrefix(strings.Trim(imported.Path.Value, `"`), module+"/")
			if ours {
				arrows = append(arrows, from+" "+to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(arrows)
	return slices.Compact(arrows)
}

// drawn returns the arrows of the picture in architecture.md.
func drawn(t *testing.T) []string {
	t.Helper()
	_, picture, _ := strings.Cut(readDoc(t, "architecture.md"), "```mermaid\n")
	picture, _, _ = strings.Cut(picture, "```")
	names := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)\[([^\]]+)\]`).FindAllStringSubmatch(picture, -1) {
		names[m[1]] = m[2]
	}
	full := func(short string) string {
		if name := names[short]; name != "" {
			return name
		}
		return short
	}
	var arrows []string
	for _, m := range regexp.MustCompile(`(\w+)(?:\[[^\]]+\])? --> (\w+)`).FindAllStringSubmatch(picture, -1) {
		arrows = append(arrows, full(m[1])+" "+full(m[2]))
	}
	slices.Sort(arrows)
	return arrows
}

func TestArchitectureShowsTheImports(t *testing.T) {
	t.Parallel()
	shown := drawn(t)
	if len(shown) < 15 {
		t.Fatalf("the picture has only the arrows %q", shown)
	}
	for _, arrow := range imports(t) {
		from, to, _ := strings.Cut(arrow, " ")
		switch {
		case from == "config" || from == "collector/expose" && slices.Contains(below, to):
			t.Errorf("%s imports %s, which the page denies", from, to)
		case slices.Contains(below, to) || from == "internal/processtest":
		case !slices.Contains(shown, arrow):
			t.Errorf("%s imports %s, and the picture does not show it", from, to)
		}
	}
	for _, arrow := range shown {
		if !slices.Contains(imports(t), arrow) {
			t.Errorf("the picture shows an arrow that is no import: %s", arrow)
		}
	}
}

func TestPollsAndScrapesDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	polls := []string{"collector/poll"}
	scrapes := []string{"collector", "collector/expose", "internal/web"}
	for _, arrow := range imports(t) {
		from, to, _ := strings.Cut(arrow, " ")
		if slices.Contains(polls, from) && slices.Contains(scrapes, to) || slices.Contains(scrapes, from) && slices.Contains(polls, to) {
			t.Errorf("%s imports %s", from, to)
		}
	}
}

// The root holds the program, and no tests but main's own.
func TestTheRootIsMainAndNothingElse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "*_test.go"))
	if want := []string{filepath.Join("..", "main_test.go")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("tests in the root: %q, %v", files, err)
	}
	if lines := strings.Count(readDoc(t, "../main.go"), "\n"); lines >= 150 {
		t.Errorf("main.go has %d lines", lines)
	}
}
