// Package packages tests what the deb and the rpm bring along: the unit, the
// configuration and, on the machine where the deb is installed, the service.
package packages

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/config"
)

const (
	unitName    = "aliyun_vulscan_exporter.service"
	credentials = "/run/credentials/" + unitName
)

// unit has the settings of a systemd unit, the last of each name.
type unit map[string]string

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	settings := unit{}
	scanner := bufio.NewScanner(strings.NewReader(read(t, path)))
	for scanner.Scan() {
		name, value, found := strings.Cut(scanner.Text(), "=")
		if found && !strings.HasPrefix(name, "#") {
			settings[name] = value
		}
	}
	return settings
}

// keyFolder gives the folder whose files become credentials, and their prefix.
func (u unit) keyFolder(t *testing.T) (folder, prefix string) {
	t.Helper()
	id, folder, found := strings.Cut(u["LoadCredential"], ":")
	if !found {
		t.Fatalf("LoadCredential=%s", u["LoadCredential"])
	}
	return folder, id + "_"
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

func TestConfigurationIsValidOnceTheKeysAreThere(t *testing.T) {
	t.Parallel()
	_, prefix := readUnit(t, "../systemd/"+unitName).keyFolder(t)
	text := read(t, "vulscan.yml")
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
		file, isKey := strings.CutPrefix(m[3], prefix)
		if m[2] != credentials || !isKey || !strings.Contains(text, "/dev/stdin "+file) {
			t.Errorf("%s is not what the unit makes of a file in the instructions", m[0])
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
