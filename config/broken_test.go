package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokenFiles loads every testdata/*.yml, each broken in its own way, and compares all that is
// reported with its section of testdata/broken.txt (sections start with "## file").
func TestBrokenFiles(t *testing.T) {
	want := readSections(t, "testdata/broken.txt")
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d broken files, %d sections in broken.txt (%v)", len(files), len(want), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != want[file] {
				t.Errorf("got:\n%v\nwant:\n%s", err, want[file])
			}
			if strings.Contains(err.Error(), "SECRETMARKER") {
				t.Error("a secret is quoted")
			}
		})
	}
}

func readSections(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for section := range strings.SplitSeq(strings.TrimPrefix(string(content), "## "), "\n## ") {
		file, text, _ := strings.Cut(section, "\n")
		sections[file] = strings.TrimSuffix(text, "\n")
	}
	return sections
}

func TestUnreadableMainFileSaysWhatToDo(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/absent.yml": "testdata/absent.yml: no such file: give --config.file, or try --demo",
		"testdata":            "testdata: cannot be read: is a directory: --config.file must name a YAML file",
	} {
		if _, err := Load(path); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestProblemsAreCapped(t *testing.T) {
	list := strings.Repeat("  - abc\n", maxProblems+5)
	_, err := Parse("x.yml", []byte("accounts:\n- name: a\n  region: cn-hangzhou\n  types:\n"+list))
	problems, ok := errors.AsType[Errors](err)
	if !ok || len(problems) != maxProblems+1 {
		t.Fatalf("got %T of %d", err, len(problems))
	}
	if got := problems[maxProblems].String(); got != "and 5 more problems" {
		t.Errorf("got %q", got)
	}
	if summary := problems.summary(); strings.Contains(summary, "\n") || !strings.HasSuffix(summary, "and 998 more, all listed by --config.check") {
		t.Errorf("got %q", summary)
	}
}

func TestAliasesDoNotMultiplyWithoutBound(t *testing.T) {
	row := func(anchor string) string { return strings.TrimSuffix(strings.Repeat("*"+anchor+",", 400), ",") }
	text := "global: {success_codes: &l [a]}\naccounts:\n- &a {name: a, region: cn-hangzhou, servers: [&s {task_ids: &t [" +
		strings.Repeat("x,", 400) + "]}," + row("s") + "]}\n- " + strings.ReplaceAll(row("a"), ",", "\n- ") + "\n"
	_, err := Parse("x.yml", []byte(text))
	if err == nil {
		t.Fatal("no error")
	}
}
