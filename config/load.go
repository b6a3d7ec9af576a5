package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads the configuration file at path and every file it names. The error is of type Errors:
// all that is wrong, sorted by file and line.
func Load(path string) (*Config, error) {
	content, err := readMain(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, content)
}

// Parse makes a configuration of the content of a main file called name, and of the files it names,
// whose relative paths start at the folder of name. The error is of type Errors, as Load's.
func Parse(name string, content []byte) (*Config, error) {
	d := &decoder{
		dir: filepath.Dir(name), left: maxAliased, files: fileStamps{}, owners: map[string]string{},
		problems: &problems{}, warnings: &problems{}, warned: map[string]bool{},
	}
	c := &Config{source: &source{name: name, content: content}, files: d.files}
	if root, ok := d.document(name, content); ok {
		d.config(root, c)
	}
	if err := d.problems.errors(); err != nil {
		return nil, err
	}
	c.warnings = d.warnings.errors()
	return c, nil
}

// readMain returns the content of the main file, or Errors of one line that says what to do.
func readMain(path string) ([]byte, error) {
	content, err := readFile(path, maxFile)
	var message string
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, fs.ErrNotExist):
		message = "no such file: give --config.file, or try --demo"
	case errors.Is(err, fs.ErrPermission):
		message = fmt.Sprintf("permission denied: make it readable for user ID %d", os.Getuid())
	default:
		message = "cannot be read: " + err.Error() + ": --config.file must name a YAML file"
	}
	return nil, Errors{{File: path, Message: message}}
}

// Warnings returns what is legal but likely a mistake, a line each, with file, line and key as in
// Errors.
func (c *Config) Warnings() []string { return lines(c.warnings) }
