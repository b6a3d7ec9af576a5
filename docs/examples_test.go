package docs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

// prometheusFile is what the examples use of Prometheus' configuration; promtool reads all of it in
// .ci/rules.
type prometheusFile struct {
	Global    map[string]string `yaml:"global"`
	RuleFiles []string          `yaml:"rule_files"`
	Scrapes   []struct {
		Job     string `yaml:"job_name"`
		Statics []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
	Alerting any `yaml:"alerting"`
}

// rulesFile is a file of rules.
type rulesFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Annotations map[string]string `yaml:"annotations"`
}

func readYAML(t *testing.T, text string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// example starts the exporters of an example against a simulator with some servers, a few of which
// fail.
func example(t *testing.T, folder string, servers, shards int) []*processtest.Process {
	t.Helper()
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{{
		Name: "a", AccessKeyID: keyID, AccessKeySecret: secret,
		Fleet: simulator.Fleet{
			Seed: 3, Size: servers, Start: time.Now().Add(-9 * time.Minute), TaskEvery: 5 * time.Minute, ScanDuration: 20 * time.Second, FailRatio: 0.3,
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	text := readDoc(t, filepath.Join("examples", folder, "vulscan.yml"))
	text = strings.Replace(text, "    region:", fmt.Sprintf("    endpoint: %q\n    region:", center.URL), 1)
	var all []*processtest.Process
	for shard := range shards {
		cmd := processtest.Command(t, "--web.listen-address=127.0.0.1:0", "--state.file=vulscan.db",
			fmt.Sprintf("--total-shards=%d", shards), fmt.Sprintf("--shard=%d", shard))
		cmd.Env = append(cmd.Env, "ALIBABA_CLOUD_ACCESS_KEY_ID="+keyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+secret)
		if err := os.WriteFile(filepath.Join(cmd.Dir, "vulscan.yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, processtest.Start(t, cmd))
	}
	for _, p := range all {
		p.UntilListening()
		p.UntilReady()
	}
	return all
}

func TestExamplesOfExportersRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder          string
		servers, shards int
		all             bool // every subtask has a series
	}{{"20-servers", 20, 1, true}, {"100000-servers", 30, 2, false}} {
		t.Run(c.folder, func(t *testing.T) {
			t.Parallel()
			watched, known, published, failing := 0.0, 0.0, 0, 0
			for _, p := range example(t, c.folder, c.servers, c.shards) {
				now := p.Scrape()
				watched += now.Of("aliyun_vulscan_servers").Sum()
				failing += len(now.Of("aliyun_vulscan_subtask_error"))
				known += now.Of("aliyun_vulscan_subtasks").Sum()
				published += len(now.Of("aliyun_vulscan_subtask_status"))
				p.Stop()
			}
			if watched != float64(c.servers) || failing == 0 || (float64(published) == known) != c.all {
				t.Errorf("%v servers, %d failing subtasks, %d published of %v", watched, failing, published, known)
			}
		})
	}
}

func TestExamplesAreValidWithoutWarnings(t *testing.T) {
	t.Parallel()
	for _, folder := range exampleFolders(t) {
		cfg, err := config.Load(filepath.Join(folder, "vulscan.yml"))
		if err != nil {
			t.Error(err)
		} else if warnings := cfg.Warnings(); len(warnings) > 0 {
			t.Errorf("%s: %q", folder, warnings)
		}
	}
}

func exampleFolders(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob("examples/*-servers")
	if err != nil || len(folders) != 2 {
		t.Fatalf("folders: %q, %v", folders, err)
	}
	return folders
}

func TestExamplesOfPrometheusScrapeTheExporterAndHaveRules(t *testing.T) {
	t.Parallel()
	for _, folder := range exampleFolders(t) {
		var f prometheusFile
		readYAML(t, readDoc(t, filepath.Join(folder, "prometheus.yml")), &f)
		if len(f.Scrapes) != 1 || f.Scrapes[0].Job != "aliyun_vulscan" || !slices.Contains(f.Scrapes[0].Statics[0].Targets, "localhost:10877") {
			t.Errorf("%s scrapes %+v", folder, f.Scrapes)
		}
		alerts := 0
		for _, name := range f.RuleFiles {
			text := readDoc(t, filepath.Join(folder, name))
			var rules rulesFile
			readYAML(t, text, &rules)
			recorded := regexp.MustCompile(`[a-z_]+:(aliyun_vulscan_[a-z_]+):[a-z0-9_]+`)
			expectKnownMetrics(t, folder, recorded.ReplaceAllString(strings.ReplaceAll(text, `job="aliyun_vulscan"`, ""), ""))
			for _, r := range rules.Groups[0].Rules {
				if r.Alert == "" {
					continue
				}
				if alerts++; r.For == "" || r.Annotations["summary"] == "" {
					t.Errorf("%s: %+v", folder, r)
				}
			}
		}
		if alerts < 4 {
			t.Errorf("%s has %d alerts", folder, alerts)
		}
	}
}

// e2e sees this alert fire, with a real Prometheus and Alertmanager.
func TestReadmesFirstAlertAndScrapeAreTheExamples(t *testing.T) {
	t.Parallel()
	rules, prometheus := readDoc(t, "examples/20-servers/rules.yml"), readDoc(t, "examples/20-servers/prometheus.yml")
	for _, page := range []string{english, chinese, quick} {
		alerts, scrapes := 0, 0
		for _, b := range blocksOf(t, page) {
			switch {
			case strings.HasPrefix(b.text, "groups:"):
				if alerts++; !strings.Contains(rules, b.text) {
					t.Errorf("%s: the first alert is not that of the example:\n%s", page, b.text)
				}
			case strings.HasPrefix(b.text, "scrape_configs:"):
				if scrapes++; !strings.Contains(prometheus, b.text) {
					t.Errorf("%s: Prometheus is configured otherwise than in the example:\n%s", page, b.text)
				}
			}
		}
		if alerts != 1 || scrapes != 1 && page != quick {
			t.Errorf("%s has %d alerts and %d configurations of Prometheus", page, alerts, scrapes)
		}
	}
}

func TestExamplesDashboardsShowWhatIsPublished(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"fleet.json", "server.json"} {
		text := readDoc(t, "../grafana/dashboards/"+name)
		recorded := regexp.MustCompile(`[a-z_]+:aliyun_vulscan_[a-z_]+:[a-z0-9_]+`)
		expectKnownMetrics(t, name, recorded.ReplaceAllString(text, ""))
	}
}
