package main

import (
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Colours that are told apart by people who do not see red or green (Okabe and Ito).
const (
	grey       = "#999999"
	skyBlue    = "#56B4E9"
	blue       = "#0072B2"
	orange     = "#E69F00"
	green      = "#009E73"
	purple     = "#CC79A7"
	vermillion = "#D55E00"
)

// bad is the colour of what somebody has to see to, and of nothing else.
const bad = vermillion

// named is a value with the name and colour that it is shown with.
type named struct {
	value        int
	name, colour string
}

// statuses are a subtask's, as the API numbers them.
func statuses() []named {
	return []named{{0, "unhandled", grey}, {1, "collecting", skyBlue}, {2, "collected", blue}, {3, "matching", orange}, {4, "complete", green}}
}

// Values of a subtask's state that no status has.
const (
	failedState  = -1
	stalledState = -2
)

// states are a subtask's statuses, and what is worse. A failed subtask is not shown as complete,
// although the API says so.
func states() []named {
	return append([]named{{failedState, "failed", bad}, {stalledState, "stalled", purple}}, statuses()...)
}

// serverScanStatuses are the statuses of a server's scan in its task's list.
func serverScanStatuses() []named {
	return []named{{0, "not_started", grey}, {1, "started", skyBlue}, {2, "completed", green}, {3, "failed", bad}, {4, "timed_out", purple}}
}

// accountStates are what can be said of an account's polls.
func accountStates() []named {
	return []named{{0, "polled", blue}, {1, "some fail", orange}, {2, "refused", bad}, {3, "all fail", bad}}
}

// loadedOrNot is whether the configuration was loaded.
func loadedOrNot() []named { return []named{{0, "No", bad}, {1, "Yes", blue}} }

// mappings show values by name and colour.
func mappings(values []named) []dashboard.ValueMapping {
	options := make(map[string]dashboard.ValueMappingResult)
	for i, v := range values {
		place := int32(i)
		options[strconv.Itoa(v.value)] = dashboard.ValueMappingResult{Text: &v.name, Color: &v.colour, Index: &place}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// typeColours are the types of vulnerabilities.
func typeColours() []named {
	return []named{{name: "cve", colour: blue}, {name: "sys", colour: orange}, {name: "cms", colour: skyBlue}, {name: "sca", colour: purple}}
}

func legend() *common.VizLegendOptionsBuilder {
	return common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)
}

// lines is a graph of lines.
func lines() *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().DrawStyle(common.GraphDrawStyleLine).LineWidth(1).FillOpacity(10).Min(0).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassic)).
		Legend(legend()).Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
}

// stacked is a graph whose lines add up.
func stacked() *timeseries.PanelBuilder {
	return lines().FillOpacity(60).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// bars is a graph of what happens now and then.
func bars() *timeseries.PanelBuilder {
	return stacked().DrawStyle(common.GraphDrawStyleBars).FillOpacity(80)
}

// coloured returns lines the colours that their names have everywhere.
func coloured(b *timeseries.PanelBuilder, values []named) *timeseries.PanelBuilder {
	for _, v := range values {
		b = b.OverrideByName(v.name, []dashboard.DynamicConfigValue{fixedColour(v.colour)})
	}
	return b
}

// shades colours lines whose names a pattern matches with shades of one colour.
func shades(b *timeseries.PanelBuilder, pattern, colour string) *timeseries.PanelBuilder {
	return b.OverrideByRegexp(pattern, []dashboard.DynamicConfigValue{{Id: "color", Value: map[string]any{"mode": "shades", "fixedColor": colour}}})
}

func fixedColour(colour string) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": colour}}
}

// number is one large number, bad from some value on; 0: never.
func number(badFrom float64) *stat.PanelBuilder {
	steps := []dashboard.Threshold{{Color: blue}}
	if badFrom > 0 {
		steps = append(steps, dashboard.Threshold{Value: &badFrom, Color: bad})
	}
	return large(steps)
}

// notKnown is the value that stands for neither yes nor no.
const notKnown = -1

// yesNo is a yes, a no that is bad, or neither of them.
func yesNo(neither string) *stat.PanelBuilder {
	yes := 1.0
	return large([]dashboard.Threshold{{Color: bad}, {Value: &yes, Color: blue}}).
		Mappings(mappings([]named{{notKnown, neither, grey}, {0, "No", bad}, {1, "Yes", blue}}))
}

func large(steps []dashboard.Threshold) *stat.PanelBuilder {
	return stat.NewPanelBuilder().ColorMode(common.BigValueColorModeBackgroundSolid).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
}

// timeline shows which state was when.
func timeline(values []named) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().MergeValues(true).ShowValue(common.VisibilityModeAuto).RowHeight(0.8).
		Mappings(mappings(values)).Legend(legend())
}
