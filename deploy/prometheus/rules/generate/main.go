// Command generate writes the rules that are made from deploy/prometheus/rules. In the folder of
// the repository:
//
//	go run ./deploy/prometheus/rules/generate
//
// writes the files of the repository anew, and
//
//	go run ./deploy/prometheus/rules/generate -settings mine.yml -to /etc/prometheus/rules
//
// writes rules with settings of yours into a folder of yours.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"aliyun_vulscan_exporter/deploy/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

func main() {
	own := flag.String("settings", "", "file with settings that differ from rules/settings.yml")
	to := flag.String("to", "", "folder for alerts.yml and recording.yml; empty: the repository's")
	flag.Parse()
	if err := run(*own, *to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(own, to string) error {
	overrides := map[string]any{}
	if own != "" {
		text, err := os.ReadFile(own)
		if err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
		if err := yaml.Unmarshal(text, &overrides); err != nil {
			return fmt.Errorf("reading settings of %s: %w", own, err)
		}
	}
	files, err := rules.Render(overrides)
	if err != nil {
		return fmt.Errorf("making rules: %w", err)
	}
	if to != "" {
		return write(to, files)
	}
	if err := write("deploy/prometheus", files); err != nil {
		return err
	}
	return write("deploy/helm/aliyun-vulscan-exporter/rules", rules.Sources())
}

func write(folder string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // Prometheus reads it
			return fmt.Errorf("writing rules: %w", err)
		}
	}
	return nil
}
