package processtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// keeping returns the flags of an exporter that keeps its state, and its file.
func keeping(t *testing.T) (args []string, file string) {
	t.Helper()
	fleet := testFleet(20)
	c := simulated(t, fleet)
	file = filepath.Join(t.TempDir(), "state")
	return []string{"--config.file=" + configured(t, accountFile{name: "a", endpoint: c.url, servers: fleet.Servers()}), "--state.file=" + file}, file
}

// carriedOver returns what has to be the same after a restart.
func carriedOver(s Samples) string {
	var b strings.Builder
	for _, metric := range []string{"subtask_status", "subtask_error", "subtask_errors_total", "subtask_last_change_timestamp_seconds"} {
		found := s.Of("aliyun_vulscan_" + metric)
		for _, series := range slices.Sorted(maps.Keys(found)) {
			fmt.Fprintln(&b, series, found[series])
		}
	}
	return b.String()
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	args, _ := keeping(t)
	first := Serve(t, args...)
	first.UntilReady()
	var before string
	first.Until("errors are counted", func() bool {
		before = carriedOver(first.Scrape())
		return strings.Contains(before, "errors_total")
	})
	if code := first.stopped(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, first.Stderr)
	}
	second := Serve(t, args...)
	if after := carriedOver(second.Scrape()); after != before {
		t.Errorf("at the first scrape:\n%s\nbefore:\n%s", after, before)
	}
	second.UntilReady()
	if after := carriedOver(second.Scrape()); after != before {
		t.Errorf("polled again:\n%s\nbefore:\n%s", after, before)
	}
}

func TestStateFileOfAnotherProcessIsRefused(t *testing.T) {
	t.Parallel()
	args, file := keeping(t)
	Serve(t, args...).UntilReady()
	second := Launch(t, args...)
	if code := second.Wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if text := second.Stderr.String(); !strings.Contains(text, file+" is in use") || !strings.Contains(text, "--state.file") {
		t.Errorf("stderr:\n%s", text)
	}
}

func TestStateFileThatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	args, file := keeping(t)
	p := Launch(t, append(args[:1], "--state.file="+filepath.Join(file, "nowhere"))...)
	if code := p.Wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if text := p.Stderr.String(); !strings.Contains(text, "see that the file and its directory exist") {
		t.Errorf("stderr:\n%s", text)
	}
}

func TestTruncatedStateFileIsSetAside(t *testing.T) {
	t.Parallel()
	args, file := keeping(t)
	first := Serve(t, args...)
	first.UntilReady()
	if code := first.stopped(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	p := Serve(t, args...)
	p.UntilReady()
	aside, err := filepath.Glob(file + ".corrupt-*")
	if err != nil || len(aside) != 1 {
		t.Errorf("set aside: %q %v", aside, err)
	}
	if text := p.Stderr.String(); strings.Count(text, "level=error") != 1 || !strings.Contains(text, "was set aside") {
		t.Errorf("stderr:\n%s", text)
	}
	if n := p.Scrape()["aliyun_vulscan_exporter_state_errors_total"]; n != 1 {
		t.Errorf("%v errors are counted", n)
	}
}
