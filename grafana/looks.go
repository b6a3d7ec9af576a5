package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Colours that are told apart by people who do not see red or green (Okabe and Ito).
const (
	grey       = "#999999"
	skyBlue    = "#56B4E9"
	blue       = "#0072B2"
	orange     = "#E69F00"
	green      = "#009E73"
	vermillion = "#D55E00"
)

func legend() *common.VizLegendOptionsBuilder {
	return common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)
}

// lines is a graph of lines.
func lines() *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().DrawStyle(common.GraphDrawStyleLine).LineWidth(1).FillOpacity(10).Min(0).
		Legend(legend()).Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
}

// stacked is a graph whose lines add up.
func stacked() *timeseries.PanelBuilder {
	return lines().FillOpacity(60).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// statusColours gives the lines of statuses the colours that they have everywhere.
func statusColours(b *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	for _, s := range statuses() {
		b = b.OverrideByName(s.name, []dashboard.DynamicConfigValue{
			{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": s.colour}},
		})
	}
	return b
}

type status struct{ name, colour string }

// statuses are the API's, by number.
func statuses() []status {
	return []status{{"unhandled", grey}, {"collecting", skyBlue}, {"collected", blue}, {"matching", orange}, {"complete", green}}
}

// number is one large number, bad from some value on; 0: never.
func number(badFrom float64) *stat.PanelBuilder {
	steps := []dashboard.Threshold{{Color: blue}}
	if badFrom > 0 {
		steps = append(steps, dashboard.Threshold{Value: &badFrom, Color: vermillion})
	}
	return stat.NewPanelBuilder().ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
}

// timeline shows which status was when.
func timeline() *statetimeline.PanelBuilder {
	options := make(map[string]dashboard.ValueMappingResult)
	for i, s := range statuses() {
		place, text := int32(i), s.name
		options[string(rune('0'+i))] = dashboard.ValueMappingResult{Text: &text, Color: &s.colour, Index: &place}
	}
	mapping := dashboard.ValueMapping{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}
	return statetimeline.NewPanelBuilder().MergeValues(true).ShowValue(common.VisibilityModeAuto).RowHeight(0.8).
		Mappings([]dashboard.ValueMapping{mapping}).Legend(legend())
}

// list is a table with these columns, in this order, of labels and, for Value,
// the value under another name. Each server leads to its dashboard.
func list(value string, columns ...string) *table.PanelBuilder {
	order := map[string]int{}
	for i, c := range append(columns, "Value") {
		order[c] = i
	}
	names := map[string]string{"Value": value}
	hidden := map[string]bool{"Time": true, "__name__": true, "instance": true, "job": true}
	for _, label := range []string{"account", "server", "uuid", "task_id", "type", "code"} {
		if _, shown := order[label]; !shown {
			hidden[label] = true
		}
	}
	return table.NewPanelBuilder().WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
		"excludeByName": hidden, "indexByName": order, "renameByName": names,
	}}).OverrideByName("server", []dashboard.DynamicConfigValue{{Id: "links", Value: []map[string]any{{
		"title": "This server",
		"url":   "/d/" + serverUID + "?${datasource:queryparam}&var-account=${__data.fields.account}&var-server=${__value.text}&${__url_time_range}",
	}}}})
}
