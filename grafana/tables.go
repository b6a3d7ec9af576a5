package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// column is one of a table's. Only columns of values have a unit: task IDs and names may be decimal
// numbers, and are not to be read as such.
type column struct {
	field, title string
	properties   []dashboard.DynamicConfigValue
}

// text is a column of a label.
func text(label, title string, more ...dashboard.DynamicConfigValue) column {
	return column{label, title, append(more, property("unit", "string"), nothing())}
}

// value is a column of the values of a table's query; ref is empty if it has only one.
func value(ref, title, unit string, more ...dashboard.DynamicConfigValue) column {
	field := "Value"
	if ref != "" {
		field += " #" + ref
	}
	return column{field, title, append(more, property("unit", unit), nothing())}
}

// nothing is what a cell without a value shows. A cell would show the panel's text for no data
// else.
func nothing() dashboard.DynamicConfigValue { return property("noValue", "–") }

func left() dashboard.DynamicConfigValue { return property("custom.align", "left") }

// since is a column of times, which a query has in milliseconds.
func since(ref, title string) column {
	return value(ref, title, "dateTimeFromNow", pixels(145), left())
}

// state is a column of values that have names.
func state(ref, title string, values []named, more ...dashboard.DynamicConfigValue) column {
	return value(ref, title, "none", append(more, property("mappings", mappings(values)), pixels(110), left())...)
}

// share is a column of ratios, drawn as bars.
func share(ref, title string) column {
	return value(ref, title, "percentunit", property("min", 0), property("max", 1), property("decimals", 0), fixedColour(blue),
		property("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}))
}

// hidden keeps a column for links, out of sight.
func hidden(field string) column {
	return column{field, field, []dashboard.DynamicConfigValue{
		property("custom.hidden", true), property("custom.hideFrom", map[string]any{"viz": true, "legend": true, "tooltip": true}),
	}}
}

// serverColumn leads to the server's dashboard.
func serverColumn() column {
	return text("server", "server", property("links", []map[string]any{{
		"title": "This server",
		"url": "/d/" + serverUID + "?${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}" +
			"&var-account=${__data.fields.account:percentencode}&var-server=${__data.fields.uuid:percentencode}&${__url_time_range}",
	}}))
}

// codeColumn is of error codes.
func codeColumn() column {
	return column{"code", "code", append(inColour(bad), property("unit", "string"), property("noValue", " "))}
}

func taskColumn() column { return text("task_id", "task", property("custom.minWidth", 150)) }

func typeColumn() column { return text("type", "type", property("custom.width", 60)) }

func pixels(n int) dashboard.DynamicConfigValue { return property("custom.width", n) }

// inColour writes a column's texts in one colour.
func inColour(colour string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{fixedColour(colour), property("custom.cellOptions", map[string]any{"type": "color-text"})}
}

// filled fills a column's cells with the colours of their values.
func filled() dashboard.DynamicConfigValue {
	return property("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"})
}

func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

// list is a table of these columns, in this order. The answers of its queries are joined where
// their labels are equal. Nothing but the columns is shown.
func list(columns ...column) *table.PanelBuilder {
	b := table.NewPanelBuilder().CellHeight(common.TableCellHeightSm)
	order, names, shown := map[string]int{}, map[string]string{}, map[string]bool{}
	for i, c := range columns {
		order[c.field], names[c.field], shown[c.field] = i, c.title, true
		b = b.OverrideByName(c.field, c.properties)
	}
	excluded := map[string]bool{}
	for _, field := range []string{
		"Time", "cluster", "account", "uuid", "server", "task_id", "type", "Value", "Value #A", "Value #B", "Value #C", "Value #D", "Value #E",
	} {
		if !shown[field] {
			excluded[field] = true
		}
	}
	return b.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": excluded, "indexByName": order, "renameByName": names,
		}})
}

// sorted sorts a table by a column that is shown.
func sorted(b *table.PanelBuilder, title string, descending bool) *table.PanelBuilder {
	return b.SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName(title).Desc(descending)})
}
