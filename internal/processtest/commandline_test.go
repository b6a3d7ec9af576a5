package processtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionAndHelpExitWithZero(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flag string
		want []string
	}{
		"version":       {"--version", []string{"aliyun_vulscan_exporter, version devel"}},
		"version short": {"-V", []string{"aliyun_vulscan_exporter, version devel"}},
		"help": {"--help", []string{
			"--config.file=\"vulscan.yml\"", "config.check ", "demo ", "doctor ", "once ", "--web.listen-address=:10877", "--web.config.file",
			"--web.telemetry-path=\"/metrics\"", "web.enable-lifecycle ", "web.enable-pprof ", "--web.max-requests=40",
			"--log.level=info", "--log.format=logfmt", "--total-shards=1",
		}},
		"help short": {"-h", []string{"--config.file"}},
		"man page":   {"--help-man", []string{".TH aliyun_vulscan_exporter 1  \"\"\n.SH \"NAME\"\n", ".SH \"OPTIONS\"", "config.file="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := ended(t, c.flag)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, on stderr: %s", code, stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("no %s in:\n%s", want, stdout)
				}
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
		for _, mode := range []string{"--config.check", "--once", "--no-once"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				code, _, stderr := ended(t, "--config.file="+c.path, mode)
				if code != 1 {
					t.Errorf("exit code %d", code)
				}
				expectOneLine(t, stderr, c.path, c.want)
			})
		}
	}
}
