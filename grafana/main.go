// Command grafana writes the dashboards of aliyun_vulscan_exporter as Grafana reads them: `go run
// .` in this folder, after every change.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Folders of the dashboards: those for provisioning and packages, and the same in the form that
// grafana.com and the import page of Grafana ask for.
const (
	provisioned = "dashboards"
	importable  = "import"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // others read it
			return err
		}
	}
	return nil
}

// generate returns every dashboard's files by their paths.
func generate() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for name, build := range map[string]func() (dashboard.Dashboard, error){"fleet.json": fleet, "server.json": server} {
		d, err := build()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[filepath.Join(provisioned, name)] = append(text, '\n')
		text, err = importForm(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[filepath.Join(importable, name)] = append(text, '\n')
	}
	return files, nil
}
