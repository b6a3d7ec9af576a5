package main

import (
	"encoding/json"
	"maps"
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
		committed, err := os.ReadFile(name)
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
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return filepath.Dir(name) != provisioned })
	var uids []string
	for _, text := range files {
		uids = append(uids, decoded(t, text).UID)
	}
	for name, text := range files {
		d := decoded(t, text)
		for _, wrong := range lint(d, metrics, uids) {
			t.Errorf("%s: %s", name, wrong)
		}
		for _, variable := range []string{"datasource", "cluster", "job", "account", "type"} {
			if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name, Type string }) bool { return v.Name == variable }) {
				t.Errorf("%s lacks the variable %s", name, variable)
			}
		}
	}
	if !slices.Contains(uids, fleetUID) || !slices.Contains(uids, serverUID) {
		t.Errorf("UIDs are %q", uids)
	}
}

// A screen of 1080p has room for 24 units below Grafana's own bars.
func TestFirstScreenSaysWhatRunsFailsAndHangs(t *testing.T) {
	d := decoded(t, generated(t)[filepath.Join(provisioned, "fleet.json")])
	for title, columns := range map[string][]string{
		"Running tasks":                  {"task", "progress"},
		"Accounts":                       {"account", "polls", "latest error"},
		"Failing subtasks, newest first": {"server", "type", "code", "status", "since"},
		"Stalled subtasks, oldest first": {"server", "type", "status", "since"},
	} {
		i := slices.IndexFunc(d.Panels, func(p shownPanel) bool { return p.Title == title })
		if i < 0 || d.Panels[i].GridPos.Y+d.Panels[i].GridPos.H > 24 {
			t.Errorf("%s is not on the first screen", title)
			continue
		}
		for _, column := range columns {
			if !slices.ContainsFunc(d.Panels[i].Transformations, func(f shownTransformation) bool {
				return slices.Contains(slices.Collect(maps.Values(f.Options.RenameByName)), column)
			}) {
				t.Errorf("%s has no column %s", title, column)
			}
		}
	}
}

// Each of these changes makes a clean dashboard one that is not.
func TestLintFindsWhatIsWrong(t *testing.T) {
	metrics, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	clean := string(generated(t)[filepath.Join(provisioned, "fleet.json")])
	const targets = `{cluster=~\"$cluster\", job=~\"$job\"`
	for name, c := range map[string]struct{ old, replacement, want string }{
		"metric":      {"aliyun_vulscan_poll_lag_seconds{", "aliyun_vulscan_poll_lag{", "there is no metric aliyun_vulscan_poll_lag"},
		"label":       {`, state=\"failing\"`, `, stat=\"failing\"`, "has no label stat"},
		"grouping":    {"sum by (code) (", "sum by (region) (", "no label region to group by"},
		"account":     {`, account=~\"$account\", state=\"failing\"}`, `, state=\"failing\"}`, "is not of the chosen accounts"},
		"job":         {`min(aliyun_vulscan_exporter_config_last_reload_successful` + targets, `min(aliyun_vulscan_exporter_config_last_reload_successful{cluster=~\"$cluster\"`, "not of the chosen clusters and jobs"},
		"syntax":      {"sum by (code) (", "sum by (code ((", "parse error"},
		"variable":    {"$account", "$acount", "there is no variable $acount"},
		"unit":        {`"unit": "percentunit"`, `"unit": ""`, "no unit"},
		"all columns": {`"noValue": "no task is running"`, `"noValue": "no task is running", "unit": "s"`, "a unit for all columns"},
		"task IDs":    {`"value": "string"`, `"value": "s"`, "the text column task_id has the unit s"},
		"values":      {`"options": "Value #B"`, `"options": "Value #X"`, "nothing is said of the column Value #B"},
		"heading":     {`"Value #A": "since"`, `"Value #A": "Value #A"`, "the column Value #A is not named"},
		"empty":       {`"noValue": "no server watched"`, `"noValue": ""`, "no text for no data"},
		"description": {`"description": "Subtasks that report an error code now. The table below names them."`, `"description": ""`, "no description"},
		"data source": {`"uid": "${datasource}"`, `"uid": "prometheus"`, "is not the variable's"},
		"link":        {"/d/" + serverUID, "/d/elsewhere", "a link leads nowhere"},
		"ID":          {`"id": 3,`, `"id": 2,`, "another panel has the ID 2"},
		"place":       {`"x": 6,`, `"x": 5,`, "lies over"},
		"failed":      {bad, green, "refused has the colour " + green},
		"high":        {`"color": "` + bad + `"`, `"color": "` + green + `"`, "the threshold 1 has the colour " + green},
		"no":          {`"color": "` + bad + `"`, `"color": "` + green + `"`, "the threshold 0 has the colour " + green},
		"palette":     {skyBlue, "#00ff00", "the colour #00ff00 is not one that everybody can tell"},
		"classic":     {"increase(aliyun_vulscan_scan_duration_seconds{", "increase(aliyun_vulscan_scan_duration_seconds_count{", "only one kind of the histogram"},
		"native":      {"aliyun_vulscan_api_request_duration_seconds_bucket{", "aliyun_vulscan_api_request_duration_seconds{", "only one kind of the histogram"},
		"twice":       {"max by (cluster, account, type, shard) (", "sum by (cluster, account, type, shard) (", "replicas count twice: aliyun_vulscan_subtasks_stalled"},
		"bare":        {"max(aliyun_vulscan_poll_lag_seconds", "abs(aliyun_vulscan_poll_lag_seconds", "replicas count twice: aliyun_vulscan_poll_lag_seconds"},
		"join":        {"* ignoring (code) group_left ()", "* on (account, uuid, task_id, type) group_left ()", "replicas make a join ambiguous"},
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

func TestFormForImportAsksForTheDataSource(t *testing.T) {
	for name, text := range generated(t) {
		if filepath.Dir(name) != importable {
			continue
		}
		var form struct {
			Inputs   []struct{ Name, Type, PluginID string } `json:"__inputs"`
			Requires []struct{ Type, ID string }             `json:"__requires"`
		}
		if err := json.Unmarshal(text, &form); err != nil {
			t.Fatal(err)
		}
		if len(form.Inputs) != 1 || form.Inputs[0].Name != input || form.Inputs[0].PluginID != "prometheus" {
			t.Errorf("%s: inputs %v", name, form.Inputs)
		}
		d := decoded(t, text)
		kinds := map[string]bool{"row": true}
		for _, r := range form.Requires {
			kinds[r.ID] = kinds[r.ID] || r.Type == "panel"
		}
		for _, p := range d.Panels {
			if !kinds[p.Type] {
				t.Errorf("%s: it is not said that %s is required", name, p.Type)
			}
			for _, target := range p.Targets {
				if target.Datasource.UID != "${"+input+"}" {
					t.Errorf("%s: %s asks %q", name, p.Title, target.Datasource.UID)
				}
			}
		}
		if strings.Contains(string(text), "${datasource") {
			t.Errorf("%s refers to a variable that it has not", name)
		}
		if want := decoded(t, generated(t)[filepath.Join(provisioned, filepath.Base(name))]); len(want.Panels) != len(d.Panels) || want.UID != d.UID {
			t.Errorf("%s is not the provisioned dashboard", name)
		}
	}
}
