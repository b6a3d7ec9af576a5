package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/common/version"
	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/internal/processtest"
)

// TestMain makes this test binary be the exporter where processtest asks for that, so that its
// tests see the race detector's reports of the program, and goroutines that it leaves behind.
func TestMain(m *testing.M) {
	if os.Getenv(processtest.AsProgram) == "" {
		os.Exit(m.Run())
	}
	version.Version = "devel" // as main does
	code := run(os.Args[1:], os.Stdout, os.Stderr)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "level=error left behind:", err)
		code = 99
	}
	os.Exit(code)
}

func TestCommandLinesThatCannotBeMeantEndInOneLine(t *testing.T) {
	for _, args := range [][]string{
		{"--bogus"},
		{"--log.level=loud"},
		{"--web.max-requests=-1"},
		{"serve"},
		{"--config.file"},
		{"--web.route-prefix=/{x"},
		{"--demo", "--config.file=vulscan.yml"},
		{"--once", "--doctor"},
		{"--total-shards=99999999999"},
		{"--web.listen-address="},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != 1 || stdout.Len() > 0 {
			t.Errorf("%q: exit code %d, on stdout: %s", args, code, &stdout)
		}
		if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, program+": ") || !strings.HasSuffix(text, "(see --help)\n") {
			t.Errorf("%q: %q", args, text)
		}
	}
}
