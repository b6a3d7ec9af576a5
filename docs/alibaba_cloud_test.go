package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/config"
)

// blocks returns the blocks of docs/alibaba-cloud.md.
func blocks(t *testing.T) []block {
	t.Helper()
	found := blocksOf(t, "alibaba-cloud.md")
	if len(found) < 15 {
		t.Fatalf("only %d blocks found", len(found))
	}
	return found
}

func TestConfigurationsOfAlibabaCloudPageAreValid(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	for _, name := range []string{"subsidiary_id", "subsidiary_secret"} {
		if err := os.WriteFile(filepath.Join(keys, name), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checked := 0
	for _, b := range blocks(t) {
		if !strings.HasPrefix(b.text, "# vulscan.yml\n") {
			continue
		}
		checked++
		cfg, err := config.Parse("vulscan.yml", []byte(strings.ReplaceAll(b.text, "/run/credentials", keys)))
		if err != nil {
			t.Errorf("%v in\n%s", err, b.text)
			continue
		}
		if warnings := cfg.Warnings(); len(warnings) > 0 {
			t.Errorf("%q in\n%s", warnings, b.text)
		}
	}
	if checked < 3 {
		t.Errorf("only %d configurations found", checked)
	}
}

// policy is what RAM reads of a policy and of a trust policy.
type policy struct {
	Version   string
	Statement []struct {
		Effect    string
		Action    any // text or list
		Resource  string
		Principal map[string][]string
		Condition map[string]map[string]string
	}
}

func TestPoliciesOfAlibabaCloudPageAreValid(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, b := range blocks(t) {
		if b.language != "json" {
			continue
		}
		checked++
		decoder := json.NewDecoder(strings.NewReader(b.text))
		decoder.DisallowUnknownFields()
		var p policy
		if err := decoder.Decode(&p); err != nil || p.Version != "1" || len(p.Statement) != 1 {
			t.Errorf("%v in\n%s", err, b.text)
			continue
		}
		s := p.Statement[0]
		isTrust := s.Action == "sts:AssumeRole"
		if s.Effect != "Allow" || isTrust == (len(s.Principal) == 0) || isTrust == (s.Resource == "*") {
			t.Errorf("a policy has a resource, a trust policy a principal:\n%s", b.text)
		}
	}
	if checked != 3 {
		t.Errorf("%d policies found", checked)
	}
}
