// Package compose tests docker-compose.yml as far as that goes without Docker.
package compose

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// file is docker-compose.yml; a key that is not here is a mistake.
type file struct {
	Name     string             `yaml:"name"`
	Confined service            `yaml:"x-confined"`
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Build *struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Tmpfs       []string          `yaml:"tmpfs"`
	Restart     string            `yaml:"restart"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
}

// read decodes a file; strictly, if all of it is to be known.
func read(t *testing.T, name string, strictly bool, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(strictly)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func load(t *testing.T) file {
	t.Helper()
	var f file
	read(t, "docker-compose.yml", true, &f)
	if len(f.Services) == 0 {
		t.Fatal("no services")
	}
	return f
}

func TestServicesAreConfined(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined: read_only %t, cap_drop %q, security_opt %q", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		for _, port := range s.Ports {
			if !regexp.MustCompile(`^127\.0\.0\.1:(\d+):\d+$`).MatchString(port) {
				t.Errorf("%s: port %s is open to others", name, port)
			}
		}
	}
}

func TestImagesArePinnedOrBuilt(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		if s.Build != nil {
			exists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
			exists(t, filepath.Join(s.Build.Context, "go.mod"))
		} else if !regexp.MustCompile(`^[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$`).MatchString(s.Image) {
			t.Errorf("%s: image %q", name, s.Image)
		}
	}
}

func exists(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

func TestMountsExist(t *testing.T) {
	t.Parallel()
	f := load(t)
	used := map[string]any{}
	for name, s := range f.Services {
		for _, mount := range s.Volumes {
			source, target, _ := strings.Cut(mount, ":")
			if strings.HasPrefix(source, ".") {
				exists(t, source)
				if !strings.HasSuffix(target, ":ro") {
					t.Errorf("%s may write to %s", name, source)
				}
			} else if _, declared := f.Volumes[source]; !declared {
				t.Errorf("%s: volume %s is not declared", name, source)
			}
			used[source] = nil
		}
	}
	for volume := range f.Volumes {
		if _, isUsed := used[volume]; !isUsed {
			t.Errorf("volume %s is not used", volume)
		}
	}
}

// mounted returns the file of this machine that a service finds under a name.
func (s service) mounted(t *testing.T, name string) string {
	t.Helper()
	for _, mount := range s.Volumes {
		source, target, _ := strings.Cut(strings.TrimSuffix(mount, ":ro"), ":")
		if rest, isBelow := strings.CutPrefix(name, target); isBelow {
			return source + rest
		}
	}
	t.Fatalf("nothing is mounted at %s", name)
	return ""
}

// expectServices fails unless the configuration's addresses are services and their ports.
func (f file) expectServices(t *testing.T, configuration string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(configuration)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile(`"(?:http://)?([a-z]+):(\d+)"`).FindAllSubmatch(text, -1) {
		name, port := string(m[1]), string(m[2])
		found = append(found, name)
		if !slices.ContainsFunc(f.Services[name].Ports, func(p string) bool { return strings.HasSuffix(p, ":"+port) }) {
			t.Errorf("%s: %s does not listen on %s", configuration, name, port)
		}
	}
	if !slices.Equal(found, want) {
		t.Errorf("%s names %q, want %q", configuration, found, want)
	}
}

func TestPrometheusFindsAllItIsToldOf(t *testing.T) {
	t.Parallel()
	f := load(t)
	prometheus := f.Services["prometheus"]
	configuration := prometheus.mounted(t, "/etc/prometheus/prometheus.yml")
	f.expectServices(t, configuration, "exporter", "alertmanager")
	var c struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	read(t, configuration, false, &c)
	if len(c.RuleFiles) != 1 {
		t.Fatalf("rule_files: %q", c.RuleFiles)
	}
	var rules []string
	for _, mount := range prometheus.Volumes {
		source, target, _ := strings.Cut(strings.TrimSuffix(mount, ":ro"), ":")
		if matches, err := path.Match(c.RuleFiles[0], target); err == nil && matches {
			rules = append(rules, source)
		}
	}
	if !slices.Equal(rules, []string{"../prometheus/alerts.yml", "../prometheus/recording.yml"}) {
		t.Errorf("rules: %q", rules)
	}
}

func TestGrafanaFindsAllItIsToldOf(t *testing.T) {
	t.Parallel()
	f := load(t)
	grafana := f.Services["grafana"]
	provisioning := grafana.mounted(t, "/etc/grafana/provisioning")
	sources, err := filepath.Glob(provisioning + "/datasources/*.y*ml")
	if err != nil || len(sources) != 1 {
		t.Fatalf("%q %v", sources, err)
	}
	f.expectServices(t, sources[0], "prometheus")
	exists(t, grafana.mounted(t, grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]))

	providers, err := filepath.Glob(provisioning + "/dashboards/*.y*ml")
	if err != nil || len(providers) != 1 {
		t.Fatalf("%q %v", providers, err)
	}
	var p struct {
		Providers []struct{ Options struct{ Path string } }
	}
	read(t, providers[0], false, &p)
	if len(p.Providers) == 0 {
		t.Error("no dashboards are provided")
	}
	for _, provider := range p.Providers {
		exists(t, grafana.mounted(t, provider.Options.Path))
	}
}

// Without its inhibit_rules one account's outage is many notifications.
func TestAlertmanagerIsTheOneThatTheRulesAreMadeFor(t *testing.T) {
	t.Parallel()
	var c struct {
		InhibitRules []any `yaml:"inhibit_rules"`
	}
	read(t, load(t).Services["alertmanager"].mounted(t, "/etc/alertmanager/alertmanager.yml"), false, &c)
	if len(c.InhibitRules) == 0 {
		t.Error("no inhibit_rules")
	}
}
