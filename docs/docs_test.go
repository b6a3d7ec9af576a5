// Package docs tests that the documentation and the program agree.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/processtest"
)

func TestMain(m *testing.M) { os.Exit(processtest.Main(m)) }

const (
	english = "../README.md"
	chinese = "../README.zh-CN.md"
	quick   = "zh-CN/quickstart.md"
)

func readDoc(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a page.
type block struct{ language, text string }

// blocksOf returns the fenced blocks of a page, without the indentation that those in a list have.
func blocksOf(t *testing.T, path string) []block {
	t.Helper()
	var found []block
	for _, m := range regexp.MustCompile("(?ms)^( *)```([a-z]+)\n(.*?)^ *```$").FindAllStringSubmatch(readDoc(t, path), -1) {
		found = append(found, block{m[2], regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[3], "")})
	}
	return found
}

// pages returns the paths of all Markdown pages.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md", "../.github/*.md", "../deploy/helm/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 15 {
		t.Fatalf("only %d pages found", len(all))
	}
	return all
}

// anchor returns what a heading's link ends with.
func anchor(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(heading))
	heading = regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}

func TestLinksLeadToFilesAndHeadings(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`").ReplaceAllString(readDoc(t, page), "")
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
				continue
			}
			if fragment == "" || filepath.Ext(path) != ".md" {
				continue
			}
			var headings []string
			for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(readDoc(t, path), -1) {
				headings = append(headings, anchor(h[1]))
			}
			if !slices.Contains(headings, fragment) {
				t.Errorf("%s: there is no heading for %s", page, m[1])
			}
		}
	}
}

func TestPagesNameFilesThatExist(t *testing.T) {
	t.Parallel()
	file := regexp.MustCompile("`((?:collector|config|internal|docs|deploy|grafana|e2e|\\.ci)/[A-Za-z0-9_./-]+)`")
	for _, page := range []string{"architecture.md", "../CONTRIBUTING.md", english, chinese} {
		for _, m := range file.FindAllStringSubmatch(readDoc(t, page), -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	for _, page := range []string{english, chinese} {
		if lines := strings.Count(readDoc(t, page), "\n"); lines >= 150 {
			t.Errorf("%s has %d lines", page, lines)
		}
	}
}

func TestReadmeConfigurationLoadsAndHasTenLines(t *testing.T) {
	t.Parallel()
	for _, page := range []string{english, chinese, quick} {
		text := configurationOf(t, page)
		if lines := strings.Count(text, "\n"); lines > 10 {
			t.Errorf("%s: the first configuration has %d lines", page, lines)
		}
		secret := filepath.Join(t.TempDir(), "sk")
		if err := os.WriteFile(secret, []byte("a-secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.NewReplacer("/run/secrets/sk", secret, "YOUR-KEY-ID", "LTAI5tExample").Replace(text)
		if _, err := config.Parse("README.yml", []byte(text)); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// configurationOf returns the first configuration that a page shows.
func configurationOf(t *testing.T, page string) string {
	t.Helper()
	for _, b := range blocksOf(t, page) {
		if strings.HasPrefix(b.text, "accounts:\n") {
			return b.text
		}
	}
	t.Fatalf("%s shows no configuration", page)
	return ""
}

func TestExampleConfigurationLoads(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load("example.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Accounts) != 2 || len(cfg.Accounts[0].Servers) != 2 {
		t.Errorf("accounts: %+v", cfg.Accounts)
	}
}

func TestIssueTemplatesAskForSomething(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob("../.github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(templates) < 3 {
		t.Fatalf("templates: %q, %v", templates, err)
	}
	for _, path := range templates {
		var form struct {
			Name        string `yaml:"name"`
			Description string `yaml:"description"`
			Body        []struct {
				Type        string            `yaml:"type"`
				ID          string            `yaml:"id"`
				Attributes  map[string]string `yaml:"attributes"`
				Validations map[string]bool   `yaml:"validations"`
			} `yaml:"body"`
		}
		readYAML(t, readDoc(t, path), &form)
		needed := 0
		for _, field := range form.Body {
			if field.Validations["required"] {
				needed++
			}
			if (field.Type == "markdown") == (field.Attributes["label"] != "") {
				t.Errorf("%s: %+v", path, field)
			}
		}
		if form.Name == "" || form.Description == "" || needed == 0 {
			t.Errorf("%s: %+v", path, form)
		}
	}
}
