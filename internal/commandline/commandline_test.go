package commandline

import (
	"bytes"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/go-kit/log/level"
)

// parse reads a command line and returns what its loggers write.
func parse(t *testing.T, args ...string) *bytes.Buffer {
	t.Helper()
	app, f := New("exporter", "1", new(bytes.Buffer), new(bytes.Buffer))
	if _, err := app.Parse(args); err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	own, bridged := f.Loggers(out)
	level.Debug(own).Log("msg", "own debug")
	level.Warn(own).Log("msg", "own warn")
	bridged.Debug("bridged debug")
	bridged.Warn("bridged warn")
	return out
}

func TestBothLoggersKeepToTheLevel(t *testing.T) {
	for severity, want := range map[string]int{"debug": 4, "info": 2, "warn": 2, "error": 0} {
		if out := parse(t, "--log.level="+severity).String(); strings.Count(out, "\n") != want {
			t.Errorf("at %s %d lines are wanted:\n%s", severity, want, out)
		}
	}
}

func TestBothLoggersKeepToTheFormat(t *testing.T) {
	decoder := json.NewDecoder(parse(t, "--log.format=json"))
	for _, want := range []string{"own warn", "bridged warn"} {
		var line struct{ TS, Msg, Level string }
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Msg != want || line.TS == "" || line.Level != "warn" {
			t.Errorf("got %+v, want the message %q", line, want)
		}
	}
}

// read parses a command line, and drops what it prints.
func read(args ...string) (*Flags, error) {
	return Parse("exporter", "1", args, new(bytes.Buffer), new(bytes.Buffer))
}

func TestLinesOfTheToolkitCarryTheTimeOnce(t *testing.T) {
	t.Parallel()
	_, f := New("exporter", "1", new(bytes.Buffer), new(bytes.Buffer))
	var out bytes.Buffer
	_, bridged := f.Loggers(&out)
	bridged.With("a", 1).WithGroup("g").Warn("bridged", "b", 2)
	line := out.String()
	if strings.Count(line, "ts=") != 1 || strings.Contains(line, "time=") || !strings.Contains(line, "a=1") || !strings.Contains(line, "g.b=2") {
		t.Errorf("got %s", line)
	}
}

func TestRoutesAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args             []string
		prefix, external string
	}{
		{nil, "/", ""},
		{[]string{"--web.route-prefix="}, "/", ""},
		{[]string{"--web.route-prefix=/"}, "/", ""},
		{[]string{"--web.route-prefix=vulscan/"}, "/vulscan", ""},
		{[]string{"--web.route-prefix=//vulscan"}, "/vulscan", ""},
		{[]string{"--web.route-prefix=/a/b.c-d_e~f"}, "/a/b.c-d_e~f", ""},
		{[]string{"--web.external-url="}, "/", ""},
		{[]string{"--web.external-url=https://example.com"}, "/", "https://example.com/"},
		{[]string{"--web.external-url=https://[::1]:8443/x"}, "/x", "https://[::1]:8443/x"},
		{[]string{"--web.external-url=https://example.com/a/b/"}, "/a/b", "https://example.com/a/b"},
		{[]string{"--web.external-url=https://example.com/a", "--web.route-prefix=/"}, "/", "https://example.com/a"},
	} {
		f, err := read(test.args...)
		if err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		external := ""
		if f.ExternalURL != nil {
			external = f.ExternalURL.String()
		}
		if f.RoutePrefix != test.prefix || external != test.external {
			t.Errorf("%q: %q, %q", test.args, f.RoutePrefix, external)
		}
	}
}

// refused are command lines that cannot be meant, and what the error names.
var refused = []struct {
	args []string
	want string
}{
	{[]string{"--bogus"}, "--bogus"},
	{[]string{"--bogus\nsecond line"}, "--bogus"},
	{[]string{"-x"}, "-x"},
	{[]string{"serve"}, "serve"},
	{[]string{""}, "everything but flags is unexpected"},
	{[]string{"-"}, "everything but flags is unexpected"},
	{[]string{"--config.file"}, "--config.file"},
	{[]string{"--config.file=a", "--config.file=b"}, "config.file"},
	{[]string{"@/nowhere/at/all"}, "/nowhere/at/all"},
	{[]string{"--log.level=loud"}, "--log.level=loud: it must be one of debug, info, warn, error"},
	{[]string{"--log.level="}, "--log.level="},
	{[]string{"--log.level=INFO"}, "--log.level=INFO"},
	{[]string{"--log.format=xml"}, "--log.format=xml: it must be one of logfmt, json"},
	{[]string{"--web.max-requests=many"}, "--web.max-requests=many: it must be a whole number from 0 to 100000"},
	{[]string{"--web.max-requests=-1"}, "--web.max-requests=-1"},
	{[]string{"--web.max-requests=1.5"}, "--web.max-requests=1.5"},
	{[]string{"--web.max-requests=1e3"}, "--web.max-requests=1e3"},
	{[]string{"--web.max-requests="}, "--web.max-requests="},
	{[]string{"--web.max-requests=99999999999999999999"}, "--web.max-requests="},
	{[]string{"--web.max-requests=100001"}, "--web.max-requests=100001"},
	{[]string{"--total-shards=many"}, "--total-shards=many: it must be a whole number from 1 to 1024"},
	{[]string{"--total-shards=99999999999"}, "--total-shards=99999999999"},
	{[]string{"--total-shards=1025"}, "--total-shards=1025"},
	{[]string{"--total-shards=0"}, "--total-shards=0"},
	{[]string{"--total-shards=-2"}, "--total-shards=-2"},
	{[]string{"--shard=1"}, "--shard=1: it must be auto or a number from 0 to 0"},
	{[]string{"--shard=-1", "--total-shards=2"}, "--shard=-1"},
	{[]string{"--shard=3", "--total-shards=3"}, "--shard=3: it must be auto or a number from 0 to 2 (--total-shards less one)"},
	{[]string{"--shard=one", "--total-shards=2"}, "--shard=one"},
	{[]string{"--shard=", "--total-shards=2"}, "--shard="},
	{[]string{"--web.listen-address="}, "--web.listen-address="},
	{[]string{"--web.listen-address=:"}, "--web.listen-address=:"},
	{[]string{"--web.listen-address=127.0.0.1"}, "--web.listen-address=127.0.0.1"},
	{[]string{"--web.listen-address=127.0.0.1:"}, "--web.listen-address=127.0.0.1:"},
	{[]string{"--web.listen-address=10877"}, "--web.listen-address=10877"},
	{[]string{"--web.listen-address=:65536"}, "--web.listen-address=:65536"},
	{[]string{"--web.listen-address=:-1"}, "--web.listen-address=:-1"},
	{[]string{"--web.listen-address=::1:10877"}, "--web.listen-address=::1:10877"},
	{[]string{"--web.listen-address=http://127.0.0.1:10877"}, "--web.listen-address=http://127.0.0.1:10877"},
	{[]string{"--web.listen-address=:10877", "--web.listen-address="}, "--web.listen-address="},
	{[]string{"--web.route-prefix=/foo bar"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/{x"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/{x}"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a/{$}"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/{rest...}"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/../x"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/x/.."}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=."}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a//b"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a%20b"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a?b"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a#b"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/é"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=/a\tb"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=GET /a"}, "--web.route-prefix"},
	{[]string{"--web.route-prefix=https://example.com/a"}, "--web.route-prefix"},
	{[]string{"--web.external-url=example.com/a"}, "--web.external-url: it must be a URL such as https://monitoring.example.com/vulscan"},
	{[]string{"--web.external-url=ftp://example.com"}, "--web.external-url"},
	{[]string{"--web.external-url=https://"}, "--web.external-url"},
	{[]string{"--web.external-url=https://:80/"}, "--web.external-url"},
	{[]string{"--web.external-url=https://example.com:99999/"}, "--web.external-url"},
	{[]string{"--web.external-url=https://example.com:x/"}, "--web.external-url"},
	{[]string{"--web.external-url=https://user:hush-hush@example.com"}, "--web.external-url"},
	{[]string{"--web.external-url=https://user:hush-hush@exa mple.com"}, "--web.external-url"},
	{[]string{"--web.external-url=https://example.com?a=b"}, "--web.external-url"},
	{[]string{"--web.external-url=https://example.com#a"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/a%20b"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/a%2Fb"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/%7Bx%7D"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/a//b"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/a/../b", "--web.route-prefix=/"}, "--web.external-url"},
	{[]string{"--web.external-url=https://x/a%zz"}, "--web.external-url"},
	{[]string{"--web.telemetry-path="}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=metrics"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/{x}"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/a b"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/a/../b"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/config"}, "--web.telemetry-path"},
	{[]string{"--web.telemetry-path=/-/ready"}, "--web.telemetry-path"},
	{[]string{"--once", "--doctor"}, "--doctor and --once exclude each other"},
	{[]string{"--once", "--config.check"}, "--config.check and --once exclude each other"},
	{[]string{"--config.check", "--doctor"}, "--config.check and --doctor exclude each other"},
	{[]string{"--config.check", "--doctor", "--once"}, "--config.check and --doctor and --once exclude each other"},
	{[]string{"--demo", "--config.file=vulscan.yml"}, "--demo and --config.file exclude each other"},
	{[]string{"--demo.servers=20"}, "--demo.servers belongs to --demo"},
	{[]string{"--demo", "--demo.servers=-1"}, "--demo.servers=-1: it must be a whole number from 0 to 200000"},
	{[]string{"--demo", "--demo.servers=200001"}, "--demo.servers=200001"},
	{[]string{"--config.check", "--demo", "--config.file", "other.yml"}, "--demo and --config.file exclude each other"},
}

func TestCommandLinesThatCannotBeMeantAreRefusedInOneLine(t *testing.T) {
	t.Parallel()
	for _, c := range refused {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			_, err := read(c.args...)
			if err == nil {
				t.Fatal("it is taken")
			}
			text := err.Error()
			if !strings.HasPrefix(text, "exporter: ") || !strings.Contains(text, c.want) || strings.Contains(text, "\n") {
				t.Errorf("got %q, want it to name %s", text, c.want)
			}
			for _, odd := range []string{"strconv", "hush-hush", "goroutine"} {
				if strings.Contains(text, odd) {
					t.Errorf("got %q", text)
				}
			}
		})
	}
}

func TestCommandLinesThatAreMeantAreTaken(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{},
		{"--demo"},
		{"--demo", "--demo.servers=2000"},
		{"--demo", "--once"},
		{"--demo", "--doctor"},
		{"--demo", "--config.check"},
		{"--once", "--config.file=x.yml"},
		{"--web.max-requests=0"},
		{"--web.max-requests=100000"},
		{"--total-shards=1024", "--shard=1023"},
		{"--web.listen-address=:0"},
		{"--web.listen-address=[::1]:10877", "--web.listen-address=localhost:http"},
		{"--web.listen-address=vsock://:9100"},
		{"--log.level=debug", "--log.format=json"},
		{"--web.telemetry-path=/a/b"},
		{"--no-demo"},
		{"--web.config.file="},
		{"--state.file="},
	} {
		if _, err := read(args...); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// closed is a pipe that nobody reads any more.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestHelpThatIsNotReadToItsEndIsNoCrash(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--help", "--help-long", "--help-man", "--completion-script-bash", "--completion-bash"} {
		app, _ := New("exporter", "1", closed{}, closed{})
		app.Terminate(func(int) {})
		if _, err := app.Parse([]string{flag}); err != nil {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestTheDemoHasNoConfigurationFile(t *testing.T) {
	t.Parallel()
	for file, args := range map[string][]string{"": {"--demo"}, "vulscan.yml": nil, "x.yml": {"--config.file=x.yml"}} {
		if f, err := read(args...); err != nil || f.ConfigFile != file {
			t.Errorf("%q: %q, %v", args, f.ConfigFile, err)
		}
	}
}
