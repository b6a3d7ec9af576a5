package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// shown is a dashboard as Grafana reads it: only what the lint looks at.
type shown struct {
	UID        string
	Title      string
	Templating struct {
		List []struct {
			Name, Type string
		}
	}
	Panels []shownPanel
}

type shownPanel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               struct{ Type, UID string }
	Targets                  []struct {
		Expr, RefID string
		Datasource  struct{ UID string }
	}
	FieldConfig struct {
		Defaults  struct{ Unit, NoValue string }
		Overrides []struct {
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

// metric is one as docs/metrics.md has it.
type metric struct{ labels []string }

// documented reads the table of docs/metrics.md.
func documented() (map[string]metric, error) {
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		return nil, err
	}
	row := regexp.MustCompile("(?m)^\\| `(aliyun_vulscan_[a-z_]+)` \\| (gauge|counter|histogram) \\| ([^|]*)\\|")
	all := map[string]metric{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		list := strings.ReplaceAll(m[3], "S", "account, uuid, server, task_id, type")
		names := []string{"instance", "job"}
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, strings.TrimSpace(name))
		}
		if m[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				all[m[1]+suffix] = metric{append(names, "le")}
			}
		}
		all[m[1]] = metric{names}
	}
	return all, nil
}

// lint gives what is wrong with a dashboard.
func lint(d shown, metrics map[string]metric, uids []string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	variables := map[string]bool{}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	ids := map[int]bool{}
	var placed []shownPanel
	for _, p := range d.Panels {
		if ids[p.ID] {
			say("%s: another panel has the ID %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, other := range placed {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				say("%s lies over %s", p.Title, other.Title)
			}
		}
		placed = append(placed, p)
		if p.Type == "row" {
			continue
		}
		for _, problem := range lintPanel(p, metrics, variables, uids) {
			say("%s: %s", p.Title, problem)
		}
	}
	return wrong
}

func lintPanel(p shownPanel, metrics map[string]metric, variables map[string]bool, uids []string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if p.FieldConfig.Defaults.Unit == "" {
		say("no unit")
	}
	if p.FieldConfig.Defaults.NoValue == "" {
		say("no text for no data")
	}
	if len(p.Description) < 10 {
		say("no description")
	}
	if p.Datasource.UID != "${datasource}" || p.Datasource.Type != "prometheus" {
		say("its data source is not the variable's")
	}
	if len(p.Targets) == 0 {
		say("no query")
	}
	for _, t := range p.Targets {
		if t.Datasource.UID != "${datasource}" {
			say("a query's data source is not the variable's")
		}
		for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(t.Expr, -1) {
			if !variables[m[1]] && !strings.HasPrefix(m[1], "__") {
				say("there is no variable %s", m[0])
			}
		}
		for _, problem := range lintQuery(t.Expr, metrics) {
			say("%s in %s", problem, t.Expr)
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			text := fmt.Sprint(property.Value)
			if m := regexp.MustCompile(`/d/([\w-]+)`).FindStringSubmatch(text); property.ID == "links" && (m == nil || !slices.Contains(uids, m[1])) {
				say("a link leads nowhere: %s", text)
			}
		}
	}
	return wrong
}

// withoutVariables makes a query of Prometheus' own of one of Grafana's.
func withoutVariables(expr string) string {
	expr = regexp.MustCompile(`\$__(rate_)?interval`).ReplaceAllString(expr, "5m")
	return regexp.MustCompile(`\$__range`).ReplaceAllString(expr, "1h")
}

func lintQuery(expr string, metrics map[string]metric) []string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(withoutVariables(expr))
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	var grouped []string
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			grouped = append(grouped, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				grouped = append(grouped, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	for _, matchers := range parser.ExtractSelectors(parsed) {
		name, byAccount := "", false
		var used []string
		for _, m := range matchers {
			if m.Name == model.MetricNameLabel {
				name = m.Value
				continue
			}
			used = append(used, m.Name)
			byAccount = byAccount || m.Name == "account" && m.Value == "$account"
		}
		known, ok := metrics[name]
		if !ok {
			if !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "go_") && name != "up" {
				say("there is no metric %s", name)
			}
			continue
		}
		for _, label := range used {
			if !slices.Contains(known.labels, label) {
				say("%s has no label %s", name, label)
			}
		}
		for _, label := range grouped {
			if !slices.Contains(known.labels, label) {
				say("%s has no label %s to group by", name, label)
			}
		}
		if slices.Contains(known.labels, "account") && !byAccount {
			say("%s is not of the chosen accounts", name)
		}
	}
	return wrong
}
