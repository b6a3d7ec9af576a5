package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/version"
	"go.uber.org/goleak"
)

// asProgram makes the test binary be the exporter: tests of signals and exit
// codes run themselves anew, so that the race detector sees the program too.
const asProgram = "VULSCAN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		version.Version = "devel" // as main does
		code := run(os.Args[1:], os.Stdout, os.Stderr)
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "level=error left behind:", err)
			code = 99
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestVersionAndHelpExitWithZero(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flag string
		want []string
	}{
		"version":       {"--version", []string{program + ", version devel"}},
		"version short": {"-V", []string{program + ", version devel"}},
		"help": {"--help", []string{
			"--config.file=\"vulscan.yml\"", "config.check ", "demo ", "doctor ", "once ", "--web.listen-address=:10877", "--web.config.file",
			"--web.telemetry-path=\"/metrics\"", "web.enable-lifecycle ", "web.enable-pprof ", "--web.max-requests=40",
			"--log.level=info", "--log.format=logfmt",
		}},
		"help short": {"-h", []string{"--config.file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, c.flag)
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(p.stdout.String(), want) {
					t.Errorf("no %s in:\n%s", want, p.stdout)
				}
			}
			if p.stderr.String() != "" {
				t.Errorf("on stderr: %s", p.stderr)
			}
		})
	}
}

func TestBadFlagsAreRefusedInOneLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":       {[]string{"--bogus"}, "--bogus"},
		"unknown level":      {[]string{"--log.level=loud"}, "debug,info,warn,error"},
		"unknown format":     {[]string{"--log.format=xml"}, "logfmt,json"},
		"number that is not": {[]string{"--web.max-requests=many"}, "many"},
		"argument":           {[]string{"serve"}, "serve"},
		"value missing":      {[]string{"--config.file"}, "config.file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(c.args, &stdout, &stderr); code != 1 {
				t.Errorf("exit code %d", code)
			}
			expectOneLine(t, stderr.String(), program, c.want, "--help")
			if stdout.Len() > 0 {
				t.Errorf("on stdout: %s", &stdout)
			}
		})
	}
}

func TestConfigurationThatCannotBeReadIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, filepath.Join(dir, "file"), "accounts: []")
	for name, c := range map[string]struct{ path, want string }{
		"absent":         {filepath.Join(dir, "absent.yml"), "no such file: give --config.file, or try --demo"},
		"directory":      {dir, "is a directory"},
		"below a file":   {filepath.Join(file, "vulscan.yml"), "not a directory"},
		"not a file":     {os.DevNull, "not a regular file"},
		"without a name": {"", "no such file"},
	} {
		for _, mode := range []string{"--config.check", "--once", ""} {
			t.Run(strings.TrimSpace(name+" "+mode), func(t *testing.T) {
				t.Parallel()
				args := []string{"--config.file=" + c.path}
				if mode != "" {
					args = append(args, mode)
				}
				var stdout, stderr bytes.Buffer
				if code := run(args, &stdout, &stderr); code != 1 {
					t.Errorf("exit code %d", code)
				}
				expectOneLine(t, stderr.String(), c.path, c.want)
			})
		}
	}
}

// expectOneLine checks that a text is one line and holds what is wanted.
func expectOneLine(t *testing.T, text string, want ...string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Errorf("not one line: %q", text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in %q", w, text)
		}
	}
}

// writeFile writes a file, atomically, and gives its path.
func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	fresh := path + "~" // matched by no pattern of these tests
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
	return path
}
