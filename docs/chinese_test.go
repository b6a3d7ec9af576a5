package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// outline returns the levels of a page's headings, with the number of blocks, tables and rows below
// each.
func outline(t *testing.T, page string) []string {
	t.Helper()
	var outline []string
	level, blocks, rows := "", 0, 0
	flush := func() { outline = append(outline, level+" "+strings.Repeat("b", blocks)+strings.Repeat("r", rows)) }
	inside := false
	for line := range strings.Lines(readDoc(t, page)) {
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = !inside; inside {
				blocks++
			}
		case inside:
		case strings.HasPrefix(line, "#"):
			flush()
			level, _, _ = strings.Cut(line, " ")
			blocks, rows = 0, 0
		case strings.HasPrefix(line, "|"):
			rows++
		}
	}
	flush()
	return outline
}

func TestChineseReadmeHasTheSectionsOfTheEnglishOne(t *testing.T) {
	t.Parallel()
	want, got := outline(t, english), outline(t, chinese)
	if i := slices.IndexFunc(got, func(section string) bool { return strings.HasSuffix(section, "rrrrrrr") }); i < 0 {
		t.Fatalf("no table found in %q", got)
	}
	// Chinese readers have a row more: their own quickstart.
	for i := range got {
		if i < len(want) && got[i] == want[i]+"r" && strings.Contains(readDoc(t, chinese), "](docs/zh-CN/quickstart.md)") {
			got[i] = want[i]
			break
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("sections, with blocks and rows of tables:\nEnglish %q\nChinese %q", want, got)
	}
}

func TestChineseReadmeHasTheBlocksOfTheEnglishOne(t *testing.T) {
	t.Parallel()
	comment := regexp.MustCompile(`(?m) +#.*$`)
	want, got := blocksOf(t, english), blocksOf(t, chinese)
	if len(want) != len(got) {
		t.Fatalf("%d blocks, and %d in Chinese", len(want), len(got))
	}
	for i := range want {
		if comment.ReplaceAllString(want[i].text, "") != comment.ReplaceAllString(got[i].text, "") {
			t.Errorf("blocks differ but in comments:\n%s\n%s", want[i].text, got[i].text)
		}
	}
}

func TestChineseReadmeHasTheNamesAndLinksOfTheEnglishOne(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile("`[^`\n]+`|\\]\\([^)]+\\)")
	names := func(page string) []string {
		text := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(readDoc(t, page), "")
		all := name.FindAllString(text, -1)
		slices.Sort(all)
		return slices.Compact(all)
	}
	ours := []string{"](README.md)", "](README.zh-CN.md)", "](docs/zh-CN/quickstart.md)"}
	want, got := names(english), names(chinese)
	for _, n := range want {
		if !slices.Contains(got, n) && !slices.Contains(ours, n) {
			t.Errorf("the Chinese page lacks %s", n)
		}
	}
	for _, n := range got {
		if !slices.Contains(want, n) && !slices.Contains(ours, n) {
			t.Errorf("only the Chinese page has %s", n)
		}
	}
}

func TestChineseQuickstartNamesWhatExists(t *testing.T) {
	t.Parallel()
	reference := readDoc(t, "../config/reference.yml")
	results := readDoc(t, "results.md")
	metrics := readDoc(t, "metrics.md")
	page := readDoc(t, quick)
	for _, m := range regexp.MustCompile("`([a-z_]+)(?:: [a-z]+)?`").FindAllStringSubmatch(page, -1) {
		key := m[1]
		known := strings.Contains(reference, key+":") || strings.Contains(reference, "`"+key+"`") || strings.Contains(metrics, key) ||
			strings.Contains(results, "`"+key+"`") || slices.Contains([]string{"cve", "sys", "cms", "sca", "code", "ok", "warn", "increase", "push_command_failed"}, key)
		if !known {
			t.Errorf("%s names %s, which is no key, metric, label or result", quick, key)
		}
	}
	_, table, _ := strings.Cut(page, "## 常见问题")
	for _, m := range regexp.MustCompile("`([A-Z][A-Za-z]+(?:\\.[A-Za-z]+)?)`").FindAllStringSubmatch(table, -1) {
		if !strings.Contains(results, "`"+m[1]+"`") {
			t.Errorf("%s names the result %s, which docs/results.md lacks", quick, m[1])
		}
	}
}
