package config

import (
	"bytes"
	"fmt"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// The page /config shows these: the schema of the file again, in its order, with values instead of setters.
type (
	configPage struct {
		Global   settingsPage  `yaml:"global"`
		Accounts []accountPage `yaml:"accounts"`
	}
	settingsPage struct {
		PollInterval    model.Duration `yaml:"poll_interval"`
		SettledInterval model.Duration `yaml:"settled_interval"`
		StaleAfter      model.Duration `yaml:"stale_after"`
		Timeout         model.Duration `yaml:"timeout"`
		Series          string         `yaml:"series"`
		StallAfter      model.Duration `yaml:"stall_after"`
		SuccessCodes    []string       `yaml:"success_codes,flow"`
	}
	accountPage struct {
		Name              string          `yaml:"name"`
		Region            string          `yaml:"region,omitempty"`
		Endpoint          string          `yaml:"endpoint"`
		Credentials       credentialsPage `yaml:"credentials"`
		RequestsPerSecond float64         `yaml:"requests_per_second"`
		Concurrency       int             `yaml:"concurrency"`
		Types             []string        `yaml:"types,flow"`
		TaskIDs           []string        `yaml:"task_ids,flow"`
		Servers           []serverPage    `yaml:"servers"`
		ServerFiles       []string        `yaml:"server_files"`
		Discovery         map[string]any  `yaml:"discovery"`
		Settings          settingsPage    `yaml:",inline"`
	}
	credentialsPage struct {
		AccessKeyID         Secret `yaml:"access_key_id,omitempty"`
		AccessKeyIDFile     string `yaml:"access_key_id_file,omitempty"`
		AccessKeySecret     Secret `yaml:"access_key_secret,omitempty"`
		AccessKeySecretFile string `yaml:"access_key_secret_file,omitempty"`
		SecurityToken       Secret `yaml:"security_token,omitempty"`
		SecurityTokenFile   string `yaml:"security_token_file,omitempty"`
		Profile             string `yaml:"profile,omitempty"`
		ECSRAMRole          string `yaml:"ecs_ram_role,omitempty"`
		RoleARN             string `yaml:"role_arn,omitempty"`
		OIDCTokenFile       string `yaml:"oidc_token_file,omitempty"`
		OIDCProviderARN     string `yaml:"oidc_provider_arn,omitempty"`
	}
	serverPage struct {
		UUID    string            `yaml:"uuid"`
		Name    string            `yaml:"name"`
		TaskIDs []string          `yaml:"task_ids,flow"`
		Types   []string          `yaml:"types,flow"`
		Labels  map[string]string `yaml:"labels,flow,omitempty"`
	}
	taskDiscoveryPage struct {
		RefreshInterval model.Duration `yaml:"refresh_interval"`
		MaxAge          model.Duration `yaml:"max_age"`
		MaxTasks        int            `yaml:"max_tasks"`
		Sources         []string       `yaml:"sources,flow"`
	}
	serverDiscoveryPage struct {
		RefreshInterval model.Duration `yaml:"refresh_interval"`
		OnlineOnly      bool           `yaml:"online_only"`
		Regions         []string       `yaml:"regions,flow"`
		Include         string         `yaml:"include"`
		Exclude         string         `yaml:"exclude"`
		TypesByOS       bool           `yaml:"types_by_os"`
	}
)

// ScrubbedYAML returns the running configuration for people to read: the file's schema with every default filled
// in, and every key, token and key ID as <secret>. Names of files and roles stay visible; servers from server_files
// are left out.
func (c *Config) ScrubbedYAML() ([]byte, error) {
	page := configPage{Global: pageOfSettings(c.Global)}
	for _, a := range c.Accounts {
		page.Accounts = append(page.Accounts, pageOfAccount(a))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(page); err != nil {
		return nil, fmt.Errorf("write the configuration as YAML: %w", err)
	}
	return out.Bytes(), nil
}

func pageOfSettings(s Settings) settingsPage {
	return settingsPage{
		PollInterval:    model.Duration(s.PollInterval),
		SettledInterval: model.Duration(s.SettledInterval),
		StaleAfter:      model.Duration(s.StaleAfter),
		Timeout:         model.Duration(s.Timeout),
		Series:          s.Series,
		StallAfter:      model.Duration(s.StallAfter),
		SuccessCodes:    s.SuccessCodes,
	}
}

func pageOfAccount(a Account) accountPage {
	page := accountPage{
		Name:              a.Name,
		Region:            a.Region,
		Endpoint:          a.Endpoint.String(),
		Credentials:       pageOfCredentials(a.Credentials),
		RequestsPerSecond: a.RequestsPerSecond,
		Concurrency:       a.Concurrency,
		Types:             a.Types,
		TaskIDs:           a.TaskIDs,
		ServerFiles:       a.ServerFiles,
		Discovery:         pageOfDiscovery(a.Discovery),
		Settings:          pageOfSettings(a.Settings),
	}
	for _, s := range a.Servers[:a.listed] {
		page.Servers = append(page.Servers, serverPage(s))
	}
	return page
}

func pageOfCredentials(c Credentials) credentialsPage {
	return credentialsPage{
		AccessKeyID:         c.AccessKeyID.Value,
		AccessKeyIDFile:     c.AccessKeyID.File,
		AccessKeySecret:     c.AccessKeySecret.Value,
		AccessKeySecretFile: c.AccessKeySecret.File,
		SecurityToken:       c.SecurityToken.Value,
		SecurityTokenFile:   c.SecurityToken.File,
		Profile:             c.Profile,
		ECSRAMRole:          c.ECSRAMRole,
		RoleARN:             c.RoleARN,
		OIDCTokenFile:       c.OIDCTokenFile,
		OIDCProviderARN:     c.OIDCProviderARN,
	}
}

// pageOfDiscovery returns a mapping without the keys that are off, since a key alone turns discovery on.
func pageOfDiscovery(d Discovery) map[string]any {
	page := map[string]any{}
	if t := d.Tasks; t != nil {
		page["tasks"] = taskDiscoveryPage{model.Duration(t.RefreshInterval), model.Duration(t.MaxAge), t.MaxTasks, t.Sources}
	}
	if s := d.Servers; s != nil {
		page["servers"] = serverDiscoveryPage{
			model.Duration(s.RefreshInterval), s.OnlineOnly, s.Regions, expression(s.Include), expression(s.Exclude), s.TypesByOS,
		}
	}
	return page
}
