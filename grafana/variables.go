package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
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
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range variables {
		b = b.WithVariable(v)
	}
	return b.Build()
}

// choice is a variable of a label's values.
func choice(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "variable-" + name}}).Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortNaturalAsc)
}

// many makes a choice one of several values, all at first.
func many(b *dashboard.QueryVariableBuilder) *dashboard.QueryVariableBuilder {
	all := "$__all"
	return b.Multi(true).IncludeAll(true).AllValue(".+").Current(dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{all}},
	})
}

func accounts() *dashboard.QueryVariableBuilder {
	return many(choice("account", "Account", "label_values(aliyun_vulscan_servers, account)"))
}

func types(within string) *dashboard.QueryVariableBuilder {
	return many(choice("type", "Type", "label_values(aliyun_vulscan_subtasks{"+within+"}, type)"))
}
