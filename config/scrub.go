package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// ScrubbedYAML returns the running configuration for people to read: the file's schema with every
// default filled in, and every key, token and key ID as <secret>. Names of files and roles stay
// visible; servers from server_files are left out.
func (c *Config) ScrubbedYAML() ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode((&decoder{}).root(c).shown()); err != nil {
		return nil, fmt.Errorf("write the configuration as YAML: %w", err)
	}
	return out.Bytes(), nil
}
