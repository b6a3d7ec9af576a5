package docs

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/commandline"
)

// documentedFlags returns the flags of docs/flags.md, with their defaults.
func documentedFlags(t *testing.T) map[string]string {
	t.Helper()
	flags := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`--[^|]*) \\| ([^|]*)\\|").FindAllStringSubmatch(readDoc(t, "flags.md"), -1) {
		names, defaults := strings.Split(row[1], ", "), strings.Split(row[2], ", ")
		for i, name := range names {
			byDefault := ""
			if len(defaults) == len(names) {
				byDefault = strings.TrimSpace(defaults[i])
			}
			flags[strings.Trim(name, "`-")] = strings.Trim(byDefault, "`")
		}
	}
	return flags
}

func TestFlagsPageAgreesWithHelp(t *testing.T) {
	t.Parallel()
	app, _ := commandline.New("aliyun_vulscan_exporter", "", new(bytes.Buffer), new(bytes.Buffer))
	page := documentedFlags(t)
	for _, flag := range app.Model().Flags {
		if flag.Hidden {
			continue
		}
		documented, known := page[flag.Name]
		if !known {
			t.Errorf("docs/flags.md lacks --%s", flag.Name)
			continue
		}
		delete(page, flag.Name)
		byDefault := strings.Join(flag.Default, ", ")
		if byDefault == "false" {
			byDefault = ""
		}
		if byDefault != "" && documented != byDefault {
			t.Errorf("--%s has the default %q, documented as %q", flag.Name, byDefault, documented)
		}
		if byDefault == "" && documented != "" && documented != "off" && documented != "(none)" && flag.Name != "web.route-prefix" {
			t.Errorf("--%s has no default, documented as %q", flag.Name, documented)
		}
	}
	for name := range page {
		t.Errorf("docs/flags.md has --%s, which is no flag", name)
	}
}

func TestPagesNameFlagsThatExist(t *testing.T) {
	t.Parallel()
	app, _ := commandline.New("aliyun_vulscan_exporter", "", new(bytes.Buffer), new(bytes.Buffer))
	for _, page := range []string{english, chinese, quick, "flags.md", "state.md", "scaling.md"} {
		for _, m := range regexp.MustCompile("`--([a-z.-]+)(?:=[^`]*)?`").FindAllStringSubmatch(readDoc(t, page), -1) {
			if app.GetFlag(m[1]) == nil && m[1] != "help" && m[1] != "version" {
				t.Errorf("%s names --%s, which is no flag", page, m[1])
			}
		}
	}
}
