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

// metric is one as docs/metrics.md has it.
type metric struct {
	labels []string
	// histogram is the native histogram's name, of those that the classic has too.
	histogram string
	recorded  bool
}

// ofEachTarget matches metrics of what an exporter itself does: those of replicas add up.
var ofEachTarget = regexp.MustCompile(`^(process_|go_|aliyun_vulscan_(api_|response_anomalies_|exporter_))`)

// documented reads the table of docs/metrics.md.
func documented() (map[string]metric, error) {
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		return nil, err
	}
	all := announced()
	row := regexp.MustCompile("(?m)^\\| `(aliyun_vulscan_[a-z_]+)` \\| (gauge|counter|histogram) \\| ([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		list := strings.ReplaceAll(m[3], "S", "account, uuid, server, task_id, type")
		var names []string
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, strings.TrimSpace(name))
		}
		if m[2] != "histogram" {
			all[m[1]] = metric{labels: names}
			continue
		}
		all[m[1]] = metric{labels: names, histogram: m[1]}
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			all[m[1]+suffix] = metric{labels: append(names, "le"), histogram: m[1]}
		}
	}
	rules, err := os.ReadFile("../deploy/prometheus/recording.yml")
	if err != nil {
		return nil, err
	}
	for _, m := range regexp.MustCompile(`(?m)record: (account_type:\S+)`).FindAllStringSubmatch(string(rules), -1) {
		all[m[1]] = metric{labels: []string{"account", "type"}, recorded: true}
	}
	return all, nil
}

// announced are the metrics and rules that the dashboards use and that docs/metrics.md and
// recording.yml need not have yet.
func announced() map[string]metric {
	byType := []string{"account", "type"}
	return map[string]metric{
		"aliyun_vulscan_subtask_stalled":                         {labels: []string{"account", "uuid", "server", "task_id", "type"}},
		"aliyun_vulscan_scan_failures_total":                     {labels: byType},
		"aliyun_vulscan_server_agent_online":                     {labels: []string{"account", "uuid", "server"}},
		"aliyun_vulscan_server_scan_status":                      {labels: []string{"account", "uuid", "server", "task_id"}},
		"aliyun_vulscan_server_scans":                            {labels: []string{"account", "task_id", "status"}},
		"aliyun_vulscan_exporter_shard_info":                     {labels: []string{"shard", "total_shards"}},
		"ALERTS":                                                 {labels: []string{"alertname", "alertstate", "severity", "account"}, recorded: true},
		"account_type:aliyun_vulscan_scans_finished:increase24h": {labels: byType, recorded: true},
		"account_type:aliyun_vulscan_scan_failures:increase24h":  {labels: byType, recorded: true},
	}
}

// withoutVariables makes a query of Prometheus' own of one of Grafana's.
func withoutVariables(expr string) string {
	expr = regexp.MustCompile(`\$__(rate_)?interval`).ReplaceAllString(expr, "5m")
	return regexp.MustCompile(`\$__range`).ReplaceAllString(expr, "1h")
}

// lintQuery returns what is wrong with a query: what it asks for, and how.
func lintQuery(expr string, metrics map[string]metric) []string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(withoutVariables(expr))
	if err != nil {
		return []string{err.Error()}
	}
	return slices.Concat(lintSelectors(parsed, metrics), lintGrouping(parsed, metrics), lintReplicas(parsed, metrics), lintHistograms(parsed, metrics))
}

// targetLabels are those that Prometheus adds. shard is joined from shard_info.
func targetLabels() []string { return []string{"cluster", "job", "instance", "shard"} }

func lintSelectors(parsed parser.Expr, metrics map[string]metric) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, matchers := range parser.ExtractSelectors(parsed) {
		chosen := map[string]string{}
		for _, m := range matchers {
			chosen[m.Name] = m.Value
		}
		name := chosen[model.MetricNameLabel]
		delete(chosen, model.MetricNameLabel)
		known, ok := metrics[name]
		if !ok && !ofEachTarget.MatchString(name) {
			say("there is no metric %s", name)
			continue
		}
		for label := range chosen {
			if ok && !slices.Contains(known.labels, label) && !slices.Contains(targetLabels(), label) {
				say("%s has no label %s", name, label)
			}
		}
		if chosen["cluster"] != "$cluster" || chosen["job"] != "$job" && !known.recorded {
			say("%s is not of the chosen clusters and jobs", name)
		}
		if slices.Contains(known.labels, "account") && !strings.HasPrefix(chosen["account"], "$account") {
			say("%s is not of the chosen accounts", name)
		}
	}
	return wrong
}

// lintGrouping returns the labels that are grouped by and that no metric of the query has.
func lintGrouping(parsed parser.Expr, metrics map[string]metric) []string {
	labels := targetLabels()
	for _, matchers := range parser.ExtractSelectors(parsed) {
		for _, m := range matchers {
			if m.Name == model.MetricNameLabel {
				labels = append(labels, metrics[m.Value].labels...)
			}
		}
	}
	var wrong []string
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				if !slices.Contains(labels, label) {
					wrong = append(wrong, "no label "+label+" to group by")
				}
			}
		}
		return nil
	})
	return wrong
}

// lintHistograms returns the histograms of which a query reads one kind only.
func lintHistograms(parsed parser.Expr, metrics map[string]metric) []string {
	classic, native := map[string]bool{}, map[string]bool{}
	for _, matchers := range parser.ExtractSelectors(parsed) {
		for _, m := range matchers {
			if h := metrics[m.Value].histogram; m.Name == model.MetricNameLabel && h != "" {
				classic[h] = classic[h] || m.Value != h
				native[h] = native[h] || m.Value == h
			}
		}
	}
	var wrong []string
	for h := range classic {
		if !classic[h] || !native[h] {
			wrong = append(wrong, "only one kind of the histogram "+h)
		}
	}
	return wrong
}

// lintReplicas returns where replicas of an exporter, which publish the same, would count twice, or
// make a join ambiguous.
func lintReplicas(parsed parser.Expr, metrics map[string]metric) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	parser.Inspect(parsed, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			if known, ok := metrics[n.Name]; ok && !known.recorded && !ofEachTarget.MatchString(n.Name) && !countedOnce(n, path) {
				say("replicas count twice: %s", n.Name)
			}
		case *parser.BinaryExpr:
			joins := n.VectorMatching != nil && !n.Op.IsSetOperator() && n.VectorMatching.On
			if joins && !slices.Contains(n.VectorMatching.MatchingLabels, "instance") && (!aggregated(n.LHS) || !aggregated(n.RHS)) {
				say("replicas make a join ambiguous: %s", n)
			}
		}
		return nil
	})
	return wrong
}

// countedOnce tells of a selector whether replicas do no harm: what encloses it picks one of them,
// or divides by as many.
func countedOnce(s parser.Node, path []parser.Node) bool {
	inner := s
	for i := len(path) - 1; i >= 0; i-- {
		switch n := path[i].(type) {
		case *parser.AggregateExpr:
			switch n.Op {
			case parser.MAX, parser.MIN, parser.GROUP, parser.AVG:
				return true
			default:
				return slices.Contains(n.Grouping, "instance") || ratio(path[:i])
			}
		case *parser.BinaryExpr:
			if n.Op.IsSetOperator() && n.Op != parser.LOR && n.RHS == inner {
				return true
			}
		}
		inner = path[i]
	}
	return false
}

// ratio reports whether a quotient or a quantile encloses what the path leads to.
func ratio(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(n parser.Node) bool {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			return n.Op == parser.DIV
		case *parser.Call:
			return n.Func.Name == "histogram_quantile"
		}
		return false
	})
}

// aggregated reports whether an expression has at most one series for a group of labels.
func aggregated(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.AggregateExpr, *parser.NumberLiteral:
		return true
	case *parser.ParenExpr:
		return aggregated(e.Expr)
	case *parser.BinaryExpr:
		return aggregated(e.LHS) && aggregated(e.RHS)
	}
	return false
}
