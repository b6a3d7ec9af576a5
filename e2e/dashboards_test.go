package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aliyun_vulscan_exporter/internal/processtest"
)

// dashboard is what of a dashboard asks Prometheus something.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct {
			Name, Type, AllValue string
			IncludeAll           bool
			Query                any
		}
	}
	Panels []struct {
		Title   string
		Targets []struct {
			RefID   string
			Expr    string
			Instant bool
		}
	}
}

// part is a panel's query, or all queries of a panel if it names none.
type part struct{ dashboard, panel, query string }

// readDashboard decodes a generated dashboard.
func readDashboard(t *testing.T, path string) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, path)), &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// emptyByDesign are the panels and queries that may have no data.
func emptyByDesign(t *testing.T) map[part]bool {
	t.Helper()
	var list []struct{ Dashboard, Panel, Query, Why string }
	if err := yaml.Unmarshal([]byte(read(t, "../grafana/dashboards/empty_by_design.yml")), &list); err != nil {
		t.Fatal(err)
	}
	parts := map[part]bool{}
	for _, p := range list {
		if p.Why == "" {
			t.Errorf("%s, %s: it is not said why it may be empty", p.Dashboard, p.Panel)
		}
		parts[part{p.Dashboard, p.Panel, p.Query}] = true
	}
	return parts
}

func TestEveryPanelHasData(t *testing.T) {
	paths, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(paths) != 2 {
		t.Fatalf("dashboards %q: %v", paths, err)
	}
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			s := prometheus(t, v, exporter(t, "--demo"), nil, "")
			s.value("count(aliyun_vulscan_server_up)", is(25))
			mayBeEmpty := emptyByDesign(t)
			queries := 0
			for _, path := range paths {
				d := readDashboard(t, path)
				values := s.variables(t, d)
				for _, p := range d.Panels {
					for _, target := range p.Targets {
						queries++
						may := mayBeEmpty[part{d.UID, p.Title, ""}] || mayBeEmpty[part{d.UID, p.Title, target.RefID}]
						s.answers(t, d.UID+": "+p.Title, substitute(target.Expr, values), target.Instant, may)
					}
				}
			}
			if queries < 30 {
				t.Errorf("only %d queries", queries)
			}
		})
	}
}

// answers waits until a panel's query has data. An empty answer is waited out too where it is
// allowed to stay empty.
func (s *server) answers(t *testing.T, panel, expr string, instant, mayBeEmpty bool) {
	t.Helper()
	ask := func() ([]sample, error) {
		if instant {
			return s.query(expr)
		}
		return s.queryRange(expr, 5*time.Minute)
	}
	if mayBeEmpty {
		if _, err := ask(); err != nil {
			t.Errorf("%s: %v", panel, err)
		}
		return
	}
	processtest.Until(t, panel+" has data: "+expr, func() error {
		found, err := ask()
		if err == nil && len(found) == 0 {
			err = errors.New("no data")
		}
		return err
	})
}

// substitute returns a query as Grafana sends it.
func substitute(expr string, values map[string]string) string {
	return regexp.MustCompile(`\$(\w+)`).ReplaceAllStringFunc(expr, func(name string) string {
		if value, known := values[name[1:]]; known {
			return value
		}
		return name // Prometheus will not understand it, and say so
	})
}

// The two kinds of questions that variables ask.
var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
)

// variables chooses a value for every variable, by asking what it asks: all where that can be
// chosen; else a server that is failing, for which all panels have something to show.
func (s *server) variables(t *testing.T, d dashboard) map[string]string {
	t.Helper()
	values := map[string]string{"__rate_interval": "30s", "__interval": "5s", "__range": "5m"}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		text, _ := v.Query.(map[string]any)["query"].(string)
		if m := queryResult.FindStringSubmatch(text); m != nil {
			values[v.Name] = s.failing(t, substitute(m[1], values))
			continue
		}
		m := labelValues.FindStringSubmatch(text)
		if m == nil || !v.IncludeAll {
			t.Fatalf("variable %s asks %q", v.Name, text)
		}
		values[v.Name] = v.AllValue
		if regexp.MustCompile("^" + v.AllValue + "$").MatchString("") {
			continue // it need not have any
		}
		processtest.Until(t, "variable "+v.Name+" has values", func() error {
			var found []string
			err := s.api("label/"+m[2]+"/values", url.Values{"match[]": {substitute(m[1], values)}}, &found)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("none of %s", m[1])
			}
			return err
		})
	}
	return values
}

// failing returns the UUID of one of the servers that a query returns, which reports an error code
// and goes on doing so.
func (s *server) failing(t *testing.T, among string) string {
	t.Helper()
	var uuid string
	processtest.Until(t, "a server fails that can be chosen", func() error {
		found, err := s.query(`(` + among + `) and on (uuid) aliyun_vulscan_subtask_error{task_id="16190385"}`)
		if err == nil && len(found) == 0 {
			err = errors.New("none")
		}
		if err == nil {
			uuid = found[0].Metric["uuid"]
		}
		return err
	})
	return uuid
}
