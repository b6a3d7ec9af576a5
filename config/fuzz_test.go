package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func seeds(f *testing.F) [][]byte {
	f.Helper()
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	var list [][]byte
	for _, file := range append(files, "reference.yml") {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, content)
	}
	return list
}

// FuzzParse checks that any text ends in a configuration that can be shown and read again, or in
// problems of one line each.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if strings.Contains(string(content), "*/") || len(content) > 1<<14 {
			return // would search the whole disk, or only be long
		}
		c, err := Parse("testdata/fuzz.yml", content)
		if err != nil {
			checkProblems(t, err)
			return
		}
		page, err := c.ScrubbedYAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("testdata/fuzz.yml", refilled(page)); err != nil {
			t.Fatalf("%v\n%s", err, page)
		}
		c.LabelNames()
		c.Warnings()
	})
}

// FuzzCredentials checks that nothing below `credentials` is ever quoted, whatever is wrong there.
func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{
		"access_key_id: SECRETMARKER", "SECRETMARKER: x", "[SECRETMARKER]", "SECRETMARKER", "*SECRETMARKER",
		"&SECRETMARKER a", "!SECRETMARKER b", "profile: !SECRETMARKER b", "<<: SECRETMARKER", "role_arn: SECRETMARKER",
		"access_key_id_file: SECRETMARKER", "? {SECRETMARKER: x}\n: y", "\"SECRETMARKER", "%SECRETMARKER", "access_key_secret: |\n SECRETMARKER",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\u0085\u2028\u2029") { // line breaks to YAML, which would leave the mapping
			return
		}
		indented := "      " + strings.ReplaceAll(text, "\n", "\n      ")
		_, err := Parse("testdata/fuzz.yml", []byte("accounts:\n  - name: a\n    region: cn-hangzhou\n    credentials:\n"+indented))
		if err == nil {
			return
		}
		checkProblems(t, err)
		if strings.Contains(err.Error(), "SECRETMARKER") {
			t.Errorf("a secret is quoted: %v", err)
		}
	})
}

// checkProblems returns what err holds, and sees that every problem is one line.
func checkProblems(t *testing.T, err error) Errors {
	t.Helper()
	var problems Errors
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("not problems: %v", err)
	}
	for _, p := range problems {
		if strings.ContainsAny(p.String(), "\n\r") || p.Message == "" {
			t.Errorf("not one line: %q", p)
		}
	}
	return problems
}
