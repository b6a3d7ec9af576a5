package processtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// AsProgram is the environment variable that makes the root package's test binary be the
	// exporter, and look for goroutines left behind at its end.
	AsProgram = "VULSCAN_TEST_AS_PROGRAM"
	// binary is the environment variable that names the exporter to test.
	binary = "EXPORTER"
)

// Main builds the exporter once, with the race detector where cgo exists, runs a package's tests,
// and returns the exit code: TestMain hands it to os.Exit. Where EXPORTER names a binary, that one
// is tested.
func Main(m *testing.M) int {
	flag.Parse()
	if isDefault("test.parallel") { // processes are waited for more than they compute
		_ = flag.Set("test.parallel", "4")
	}
	none := flag.Lookup("test.list").Value.String() != "" || flag.Lookup("test.run").Value.String() == "^$"
	if none || os.Getenv(binary) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "processtest")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(filepath.Join(dir, "exporter"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// isDefault reports whether a flag was not given.
func isDefault(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return !given
}

// build builds the exporter, which is the root package's test binary.
func build(path string) error {
	cgo, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil {
		return fmt.Errorf("asking go for CGO_ENABLED: %w", err)
	}
	args := []string{"test", "-c", "-o", path}
	if strings.TrimSpace(string(cgo)) == "1" { // a compiler was found
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "aliyun_vulscan_exporter")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the exporter: %w\n%s", err, out)
	}
	return os.Setenv(binary, path)
}
