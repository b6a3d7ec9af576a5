package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

const (
	fleetUID  = "aliyun-vulscan-fleet"
	serverUID = "aliyun-vulscan-server"
)

// empty makes a dashboard with its variables and no panels.
func empty(uid, title, description string, variables ...cog.Builder[dashboard.VariableModel]) (dashboard.Dashboard, error) {
	b := dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).Tags([]string{"aliyun-vulscan"}).
		Time("now-6h", "now").Refresh("30s").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("Vulnerability scans").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{"aliyun-vulscan"}).IncludeVars(true).KeepTime(true)).
		Annotation(alerts()).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
		WithVariable(clusters()).WithVariable(jobs())
	for _, v := range variables {
		b = b.WithVariable(v)
	}
	return b.Build()
}

// alerts marks on the graphs when the shipped alerts fire, once for all servers of an account.
func alerts() *dashboard.AnnotationQueryBuilder {
	expr := `max by (alertname, severity, cluster, account) (ALERTS{` + ofAlerts + `})`
	return dashboard.NewAnnotationQueryBuilder().Name("Alerts").Datasource(source()).Enable(true).IconColor(bad).
		Expr(expr).Step("60s").TitleFormat("{{alertname}}").TextFormat("{{account}} {{cluster}}").TagKeys("severity").
		Target(prometheus.NewDataqueryBuilder().Expr(expr).RefId("Alerts").Datasource(source()).Interval("60s").Range())
}

// choice is a variable of what a query returns.
func choice(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "variable-" + name}}).Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortNaturalAsc)
}

// many makes a choice one of several values, all at first.
func many(b *dashboard.QueryVariableBuilder, all string) *dashboard.QueryVariableBuilder {
	return b.Multi(true).IncludeAll(true).AllValue(all).Current(dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	})
}

// clusters chooses among the values of a label that only some installations have.
func clusters() *dashboard.QueryVariableBuilder {
	return many(choice("cluster", "Cluster", "label_values(aliyun_vulscan_exporter_build_info, cluster)"), ".*")
}

func jobs() *dashboard.QueryVariableBuilder {
	return many(choice("job", "Job", `label_values(aliyun_vulscan_exporter_build_info{cluster=~"$cluster"}, job)`), ".+")
}

func accounts() *dashboard.QueryVariableBuilder {
	return many(choice("account", "Account", `label_values(aliyun_vulscan_servers{`+ofTargets+`}, account)`), ".+")
}

func types(within string) *dashboard.QueryVariableBuilder {
	return many(choice("type", "Type", "label_values(aliyun_vulscan_subtasks{"+within+"}, type)"), ".+")
}

// serverChoice shows servers by account and name, and has their UUIDs as values.
func serverChoice() *dashboard.QueryVariableBuilder {
	return choice("server", "Server",
		`query_result(group by (shown, uuid) (label_join(aliyun_vulscan_server_info{`+ofAccounts+`}, "shown", " / ", "account", "server")))`).
		Regex(`/shown="(?<text>(?:[^"\\]|\\.)*)".*uuid="(?<value>[^"]+)"/`)
}
