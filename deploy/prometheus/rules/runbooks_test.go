package rules_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runbooks returns the sections of docs/runbooks.md that belong to alerts.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	sections := map[string]string{}
	for section := range strings.SplitSeq(content(t, "../../../docs/runbooks.md"), "\n## ") {
		if name, text, _ := strings.Cut(section, "\n"); strings.HasPrefix(name, "AliyunVulscan") {
			sections[name] = text
		}
	}
	return sections
}

// shownPanels returns the titles of the dashboards' panels.
func shownPanels(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../../grafana/dashboards/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d dashboards: %v", len(paths), err)
	}
	var titles []string
	for _, path := range paths {
		var dashboard struct {
			Panels []struct {
				Title  string
				Panels []struct{ Title string }
			}
		}
		if err := json.Unmarshal([]byte(content(t, path)), &dashboard); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, p := range dashboard.Panels {
			titles = append(titles, p.Title)
			for _, inner := range p.Panels {
				titles = append(titles, inner.Title)
			}
		}
	}
	return titles
}

func TestEveryAlertHasARunbookThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	sections := runbooks(t)
	titles := shownPanels(t)
	panel := regexp.MustCompile(`\]\(https://GRAFANA/d/aliyun-vulscan-\w+\?var-\w+=NAME\), panel \*([^*]+)\*`)
	for _, r := range parsed(t, rendered(t, nil)["alerts.yml"]) {
		text := sections[r.Alert]
		delete(sections, r.Alert)
		for _, part := range []string{"\n**Urgency:** ", "\n**Means:** ", "\n1. ", "\n2. ", "`", "\n**Over when** ", "\n**Dashboard:** "} {
			if !strings.Contains(text, part) {
				t.Errorf("the runbook of %s lacks %q", r.Alert, part)
			}
		}
		if now := strings.Contains(text, "**Urgency:** now"); now != (r.Labels["severity"] == "critical") {
			t.Errorf("%s is %s, and urgent now: %t", r.Alert, r.Labels["severity"], now)
		}
		for _, m := range panel.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(titles, m[1]) {
				t.Errorf("the runbook of %s names the panel %q, which no dashboard has", r.Alert, m[1])
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/runbooks.md has a section %s of no alert", name)
	}
}
