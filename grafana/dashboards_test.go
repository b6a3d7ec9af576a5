package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func decoded(t *testing.T, text []byte) shown {
	t.Helper()
	var d shown
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCommittedDashboardsAreTheGeneratedOnes(t *testing.T) {
	for name, text := range generated(t) {
		committed, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(committed) != string(text) {
			t.Errorf("%s is not what the code makes: run `go run .` in this folder", name)
		}
	}
}

func TestDashboardsAreClean(t *testing.T) {
	metrics, err := documented()
	if err != nil || len(metrics) < 25 {
		t.Fatalf("%d metrics documented: %v", len(metrics), err)
	}
	files := generated(t)
	var uids []string
	for _, text := range files {
		uids = append(uids, decoded(t, text).UID)
	}
	for name, text := range files {
		d := decoded(t, text)
		for _, wrong := range lint(d, metrics, uids) {
			t.Errorf("%s: %s", name, wrong)
		}
		for _, variable := range []string{"datasource", "account", "type"} {
			if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name, Type string }) bool { return v.Name == variable }) {
				t.Errorf("%s lacks the variable %s", name, variable)
			}
		}
	}
	if !slices.Contains(uids, fleetUID) || !slices.Contains(uids, serverUID) {
		t.Errorf("UIDs are %q", uids)
	}
}

// Each of these changes makes a clean dashboard one that is not.
func TestLintFindsWhatIsWrong(t *testing.T) {
	metrics, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	clean := string(generated(t)["fleet.json"])
	for name, c := range map[string]struct{ old, replacement, want string }{
		"metric":      {"aliyun_vulscan_poll_lag_seconds{", "aliyun_vulscan_poll_lag{", "there is no metric aliyun_vulscan_poll_lag"},
		"label":       {`, state=\"ok\"`, `, stat=\"ok\"`, "has no label stat"},
		"grouping":    {"sum by (status) (", "sum by (server) (", "no label server to group by"},
		"account":     {`{account=~\"$account\", state=\"ok\"}`, `{state=\"ok\"}`, "is not of the chosen accounts"},
		"syntax":      {"sum by (status) (", "sum by (status ((", "parse error"},
		"variable":    {"$account", "$acount", "there is no variable $acount"},
		"unit":        {`"unit": "percentunit"`, `"unit": ""`, "no unit"},
		"empty":       {`"noValue": "no server polled yet"`, `"noValue": ""`, "no text for no data"},
		"description": {`"description": "Servers whose last poll succeeded."`, `"description": ""`, "no description"},
		"data source": {`"uid": "${datasource}"`, `"uid": "prometheus"`, "is not the variable's"},
		"link":        {"/d/" + serverUID, "/d/elsewhere", "a link leads nowhere"},
		"ID":          {`"id": 3,`, `"id": 2,`, "another panel has the ID 2"},
		"place":       {`"x": 4,`, `"x": 3,`, "lies over"},
	} {
		broken := strings.ReplaceAll(clean, c.old, c.replacement)
		if broken == clean {
			t.Errorf("%s: there is no %s to break", name, c.old)
			continue
		}
		found := lint(decoded(t, []byte(broken)), metrics, []string{fleetUID, serverUID})
		if !strings.Contains(strings.Join(found, "\n"), c.want) {
			t.Errorf("%s: want %q among %q", name, c.want, found)
		}
	}
	if found := lint(decoded(t, []byte(clean)), metrics, []string{fleetUID, serverUID}); len(found) > 0 {
		t.Errorf("clean, but: %q", found)
	}
}
