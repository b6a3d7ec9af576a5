package commandline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-kit/log/level"
)

// parse reads a command line and gives what its loggers write.
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

func TestOddValuesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--log.level=loud"}, {"--log.format=xml"}, {"--total-shards=many"}, {"--nonsense"}} {
		app, _ := New("exporter", "1", new(bytes.Buffer), new(bytes.Buffer))
		if _, err := app.Parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestRoutesAreThoseOfPrometheus(t *testing.T) {
	for _, test := range []struct {
		args             []string
		prefix, external string
	}{
		{nil, "/", ""},
		{[]string{"--web.route-prefix=vulscan/"}, "/vulscan", ""},
		{[]string{"--web.external-url=https://example.com"}, "/", "https://example.com/"},
		{[]string{"--web.external-url=https://example.com/a/b/"}, "/a/b", "https://example.com/a/b"},
		{[]string{"--web.external-url=https://example.com/a", "--web.route-prefix=/"}, "/", "https://example.com/a"},
	} {
		app, f := New("exporter", "1", new(bytes.Buffer), new(bytes.Buffer))
		if _, err := app.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		external := ""
		err := f.ResolveRoutes()
		if f.ExternalURL != nil {
			external = f.ExternalURL.String()
		}
		if err != nil || f.RoutePrefix != test.prefix || external != test.external {
			t.Errorf("%q: %q, %q, %v", test.args, f.RoutePrefix, external, err)
		}
	}
}

func TestOddExternalURLsAreRefused(t *testing.T) {
	for _, given := range []string{"example.com/a", "ftp://example.com", "https://", "https://u:p@example.com", "https://example.com?a=b", "https://example.com#a"} {
		app, f := New("exporter", "1", new(bytes.Buffer), new(bytes.Buffer))
		if _, err := app.Parse([]string{"--web.external-url=" + given}); err != nil {
			t.Fatal(err)
		}
		if err := f.ResolveRoutes(); err == nil || !strings.Contains(err.Error(), "--web.external-url") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", given, err)
		}
	}
}
