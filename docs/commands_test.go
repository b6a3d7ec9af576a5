package docs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

const (
	keyID  = "LTAI5tDocumentation00001"
	secret = "documentation-secret-1"
)

// elsewhere are commands that take too long, or need what is not there, for this test. Each is run
// by CI, as far as that goes: text is what of it a file that .ci/run runs must have.
var elsewhere = map[string]struct{ file, text string }{
	"make build":    {".ci/e2e", "\nmake build\n"},
	"make test":     {".ci/run", "\nmake test\n"},
	"make packages": {".ci/packages", `deploy/packages/build "$binary"`},
	"make demo":     {"Makefile", "$(GO) run . --demo"}, // which this test runs
	// Without a Docker engine, buildah builds the image and runs it.
	"make image": {".ci/packages", "-f deploy/docker/Dockerfile"},
	"docker run -p 10877:10877 aliyun_vulscan_exporter --demo":       {".ci/packages", "inside /bin/aliyun_vulscan_exporter --demo"},
	"docker compose -f deploy/compose/docker-compose.yml up --build": {"deploy/compose/compose_test.go", `"docker-compose.yml"`},
	// Without a cluster, the chart is rendered and decoded strictly.
	"helm install vulscan deploy/helm/aliyun-vulscan-exporter --set image.registry=REGISTRY": {"e2e/manifests/operations_test.go", `"a registry":`},
	"prometheus --config.file=prometheus.yml":                                                {".ci/rules", "docs/examples/*/"},
}

// commandsOf returns the commands of a page's blocks and tables.
func commandsOf(t *testing.T, page string) []string {
	t.Helper()
	var commands []string
	for _, b := range blocksOf(t, page) {
		if b.language != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				commands = append(commands, line)
			}
		}
	}
	inline := regexp.MustCompile("`((?:make|docker|helm|aliyun|kubectl|go run|aliyun_vulscan_exporter) [^`]+)`")
	for _, m := range inline.FindAllStringSubmatch(readDoc(t, page), -1) {
		commands = append(commands, m[1])
	}
	return commands
}

// reader does what a page says, in order.
type reader struct {
	*testing.T
	endpoint      string // of a simulator
	configuration string // the page's, for that
	environment   []string
	serving       *processtest.Process // the last exporter that serves
}

func newReader(t *testing.T, page string) *reader {
	t.Helper()
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{{
		Name: "a", AccessKeyID: keyID, AccessKeySecret: secret,
		Fleet: simulator.Fleet{Seed: 3, Size: 5, Start: time.Now().Add(-9 * time.Minute), TaskEvery: 5 * time.Minute, ScanDuration: 20 * time.Second},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{T: t, endpoint: center.URL}
	keyFile := filepath.Join(t.TempDir(), "sk")
	if err := os.WriteFile(keyFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := configurationOf(t, page)
	if !strings.Contains(text, "endpoint:") {
		text = strings.Replace(text, "    region:", "    endpoint: http://127.0.0.1:PORT\n    region:", 1)
	}
	r.configuration = strings.NewReplacer("http://127.0.0.1:PORT", r.endpoint, "/run/secrets/sk", keyFile, "YOUR-KEY-ID", keyID).Replace(text)
	return r
}

// follow runs a command, or fails.
func (r *reader) follow(command string) {
	r.Helper()
	if other, is := elsewhere[command]; is {
		if text, err := os.ReadFile(filepath.Join("..", other.file)); err != nil || !strings.Contains(string(text), other.text) {
			r.Errorf("%s is not run: %s lacks %q", command, other.file, other.text)
		}
		return
	}
	words := strings.Fields(command)
	switch {
	case words[0] == "export":
		r.export(words[1])
	case words[0] == "curl":
		r.fetch(words[len(words)-1])
	case strings.HasPrefix(command, "aliyun sas "):
		r.callBySDK(words[2:])
	case strings.HasPrefix(command, "go run . "):
		r.start(words[3:])
	case strings.TrimPrefix(words[0], "./") == module:
		r.start(words[1:])
	default:
		r.Errorf("nothing runs %q: teach this test to, or name what does in elsewhere", command)
	}
}

// export sets a variable of the environment; pages have made-up values.
func (r *reader) export(assignment string) {
	r.Helper()
	name, _, _ := strings.Cut(assignment, "=")
	value, known := map[string]string{"ALIBABA_CLOUD_ACCESS_KEY_ID": keyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret}[name]
	if !known {
		r.Errorf("nothing is known of the variable %s", name)
	}
	r.environment = append(r.environment, name+"="+value)
}

// start runs the exporter with flags.
func (r *reader) start(flags []string) {
	r.Helper()
	for i, flag := range flags {
		if name, path, given := strings.Cut(flag, "="); given && name == "--state.file" {
			flags[i] = name + "=" + filepath.Base(path)
		}
	}
	ends := regexp.MustCompile(`--(config\.check|doctor|once)\b`).MatchString(strings.Join(flags, " "))
	if !ends {
		flags = append(flags, "--web.listen-address=127.0.0.1:0")
		flags = deleteOther(flags)
	}
	cmd := processtest.Command(r.T, flags...)
	cmd.Env = append(cmd.Env, r.environment...)
	if err := os.WriteFile(filepath.Join(cmd.Dir, "vulscan.yml"), []byte(r.configuration), 0o600); err != nil {
		r.Fatal(err)
	}
	p := processtest.Start(r.T, cmd)
	if ends {
		if code := p.Wait(); code != 0 || p.Stdout.String() == "" {
			r.Errorf("%q ended with exit code %d:\n%s%s", flags, code, p.Stdout, p.Stderr)
		}
		return
	}
	p.UntilListening()
	p.UntilReady()
	r.serving = p
}

// deleteOther leaves out listen addresses but the last one.
func deleteOther(flags []string) []string {
	var kept []string
	for i, flag := range flags {
		if i == len(flags)-1 || !strings.HasPrefix(flag, "--web.listen-address=") {
			kept = append(kept, flag)
		}
	}
	return kept
}

// fetch asks the exporter for a URL of a page.
func (r *reader) fetch(url string) {
	r.Helper()
	path, ours := strings.CutPrefix(url, "http://localhost:10877")
	if !ours || r.serving == nil {
		r.Errorf("nobody serves %s", url)
		return
	}
	if answer := r.serving.Get(path); answer.Status != http.StatusOK || answer.Body == "" {
		r.Errorf("%s: %d %.200s", path, answer.Status, answer.Body)
	}
}

// callBySDK makes the call that the command line of Alibaba Cloud would make,
// and looks for the rows and columns that it would show. words are an operation
// and its parameters.
func (r *reader) callBySDK(words []string) {
	r.Helper()
	request := requests.NewCommonRequest()
	request.Product, request.Version, request.ApiName = "Sas", "2018-12-03", words[0]
	request.Method, request.Scheme, request.Domain = requests.POST, requests.HTTP, strings.TrimPrefix(r.endpoint, "http://")
	var columns, rows string
	for i := 1; i < len(words); i++ {
		switch word := words[i]; {
		case strings.HasPrefix(word, "cols="):
			columns = strings.TrimPrefix(word, "cols=")
		case strings.HasPrefix(word, "rows="):
			rows = strings.Trim(strings.TrimPrefix(word, "rows="), `"[]`)
		case word != "--output":
			request.QueryParams[strings.TrimPrefix(word, "--")] = words[i+1]
			i++
		}
	}
	client, err := sdk.NewClientWithOptions("cn-shanghai", sdk.NewConfig(), credentials.NewStaticAKCredentialsProvider(keyID, secret))
	if err != nil {
		r.Fatal(err)
	}
	response, err := client.ProcessCommonRequest(request)
	if err != nil {
		r.Fatalf("%q: %v", words, err)
	}
	if err := hasColumns(response.GetHttpContentBytes(), rows, strings.Split(columns, ",")); err != nil {
		r.Errorf("%q: %v", words, err)
	}
}

func hasColumns(answer []byte, rows string, columns []string) error {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(answer, &fields); err != nil {
		return err
	}
	var list []map[string]any
	if err := json.Unmarshal(fields[rows], &list); err != nil || len(list) == 0 {
		return fmt.Errorf("no %s: %w", rows, err)
	}
	for _, column := range columns {
		if value, there := list[0][column]; !there || value == "" {
			return fmt.Errorf("no %s in %v", column, list[0])
		}
	}
	return nil
}

func TestCommandsOfPagesWork(t *testing.T) {
	t.Parallel()
	for _, page := range []string{english, chinese, quick, "../CONTRIBUTING.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, page)
			commands := commandsOf(t, page)
			if len(commands) < 4 {
				t.Fatalf("only the commands %q found", commands)
			}
			for _, command := range commands {
				if target, is := strings.CutPrefix(command, "make "); is && elsewhere[command].file == "" && page == "../CONTRIBUTING.md" {
					expectTargets(t, strings.Fields(target))
					continue
				}
				r.follow(command)
			}
		})
	}
}

// expectTargets fails for what is no target of the Makefile.
func expectTargets(t *testing.T, targets []string) {
	t.Helper()
	makefile := readDoc(t, "../Makefile")
	for _, target := range targets {
		if !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("make has no target %s", target)
		}
	}
}

// CONTRIBUTING.md tells people to use the demo's Security Center.
func TestContributorsUseTheDemosKeys(t *testing.T) {
	t.Parallel()
	demo, keys := string(simulator.DemoConfig("http://127.0.0.1:1", 0)), 0
	for _, command := range commandsOf(t, "../CONTRIBUTING.md") {
		if _, value, is := strings.Cut(command, "="); is && strings.HasPrefix(command, "export ") {
			if keys++; !strings.Contains(demo, value) {
				t.Errorf("the demo has no key %s", value)
			}
		}
	}
	if keys != 2 {
		t.Errorf("%d keys found", keys)
	}
}
