// Package packages tests what the deb and the rpm bring along: the unit, the configuration and, on
// the machine where the deb is installed, the service.
package packages

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/config"
)

const (
	unitName    = "aliyun_vulscan_exporter.service"
	unitFile    = "../systemd/" + unitName
	hardening   = unitFile + ".d/hardening.conf"
	credentials = "/etc/aliyun_vulscan_exporter/credentials"
)

// unit has the settings of a systemd unit by name, the last of each, and in all the names as
// "Section.Name".
type unit struct {
	settings map[string]string
	all      []string
}

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	u, section := unit{settings: map[string]string{}}, ""
	scanner := bufio.NewScanner(strings.NewReader(read(t, path)))
	for scanner.Scan() {
		line := scanner.Text()
		name, value, isSetting := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case isSetting:
			u.settings[name] = value
			u.all = append(u.all, section+"."+name)
		}
	}
	return u
}

// settingsOf239 returns what systemd 239 knows, as "Section.Name".
func settingsOf239(t *testing.T) []string {
	t.Helper()
	var known []string
	section := ""
	for line := range strings.Lines(read(t, "testdata/systemd-239.txt")) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			for name := range strings.FieldsSeq(line) {
				known = append(known, section+"."+name)
			}
		}
	}
	return known
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUnitHasOnlySettingsThatSystemd239Knows(t *testing.T) {
	t.Parallel()
	known := settingsOf239(t)
	settings := readUnit(t, unitFile).all
	if len(settings) < 40 {
		t.Fatalf("only %d settings found", len(settings))
	}
	for _, setting := range settings {
		if !slices.Contains(known, setting) {
			t.Errorf("systemd 239 does not know %s: it belongs into hardening.conf, or nowhere", setting)
		}
	}
}

func TestHardeningHasOnlySettingsThatSystemd239Ignores(t *testing.T) {
	t.Parallel()
	known := settingsOf239(t)
	settings := readUnit(t, hardening).all
	if len(settings) == 0 {
		t.Fatal("no settings found")
	}
	for _, setting := range settings {
		if slices.Contains(known, setting) {
			t.Errorf("systemd 239 knows %s: it belongs into the unit", setting)
		}
	}
}

func TestPackagedConfigurationIsValidAsItIs(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load("vulscan.yml")
	if err != nil {
		t.Fatal(err)
	}
	if warnings := cfg.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
}

// withKeys returns the packaged configuration as the instructions in it make it for an access key.
func withKeys(t *testing.T, text string) string {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^    #(credentials:|  access_key_(?:id|secret)_file:)`)
	if n := len(lines.FindAllString(text, -1)); n != 3 {
		t.Fatalf("%d lines to take the # from, the instructions say three", n)
	}
	return lines.ReplaceAllString(text, "    $1")
}

func TestPackagedConfigurationIsValidWithKeys(t *testing.T) {
	t.Parallel()
	text := withKeys(t, read(t, "vulscan.yml"))
	folder := t.TempDir()
	path := filepath.Join(folder, "vulscan.yml")
	write(t, path, strings.ReplaceAll(text, credentials, folder))
	_, err := config.Load(path)

	files := regexp.MustCompile(`(access_key_(?:id|secret)_file): (\S+)/(\S+)\n`).FindAllStringSubmatch(text, -1)
	if len(files) != 2 {
		t.Fatalf("files of keys: %q", files)
	}
	for _, m := range files {
		if err == nil || !strings.Contains(err.Error(), m[1]+": cannot read the file") {
			t.Errorf("without keys, the error is not that %s cannot be read: %v", m[1], err)
		}
		if m[2] != credentials || !strings.Contains(text, "/dev/stdin "+m[3]+" ") && !strings.Contains(text, "/dev/stdin "+m[3]+"\n") {
			t.Errorf("the instructions do not make the file of %s", m[0])
		}
		write(t, filepath.Join(folder, m[3]), "some-key\n")
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatalf("with keys: %v", err)
	}
	if warnings := cfg.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
}
