package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// shown is a dashboard as Grafana reads it: only what the lint looks at.
type shown struct {
	UID         string
	Title       string
	Annotations struct {
		List []struct{ Target struct{ Expr string } }
	}
	Templating struct {
		List []struct{ Name, Type string }
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
	Transformations []shownTransformation
	FieldConfig     struct {
		Defaults struct {
			Unit, NoValue string
			Mappings      []shownMapping
			Thresholds    struct {
				Steps []struct {
					Value *float64
					Color string
				}
			}
		}
		Overrides []shownOverride
	}
}

type shownTransformation struct {
	ID      string
	Options struct {
		ExcludeByName map[string]bool
		RenameByName  map[string]string
	}
}

type shownMapping struct {
	Options map[string]struct{ Text, Color string }
}

type shownOverride struct {
	Matcher    struct{ ID, Options string }
	Properties []struct {
		ID    string
		Value any
	}
}

// property returns an override's value of a property, nil if it has none.
func (o shownOverride) property(id string) any {
	for _, p := range o.Properties {
		if p.ID == id {
			return p.Value
		}
	}
	return nil
}

// mappings returns an override's names and colours of values.
func (o shownOverride) mappings() []shownMapping {
	var list []shownMapping
	if text, err := json.Marshal(o.property("mappings")); err != nil || json.Unmarshal(text, &list) != nil {
		return nil
	}
	return list
}

// lint returns what is wrong with a dashboard.
func lint(d shown, metrics map[string]metric, uids []string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	variables := map[string]bool{}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	for _, a := range d.Annotations.List {
		for _, problem := range lintQuery(a.Target.Expr, metrics) {
			say("annotation: %s", problem)
		}
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
		for _, problem := range slices.Concat(lintPanel(p, metrics, variables, uids), lintUnits(p), lintColours(p)) {
			say("%s: %s", p.Title, problem)
		}
	}
	return wrong
}

func lintPanel(p shownPanel, metrics map[string]metric, variables map[string]bool, uids []string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
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
		text := fmt.Sprint(o.property("links"))
		m := regexp.MustCompile(`/d/([\w-]+)`).FindStringSubmatch(text)
		if o.property("links") != nil && (m == nil || !slices.Contains(uids, m[1])) {
			say("a link leads nowhere: %s", text)
		}
	}
	return wrong
}

// lintUnits returns where a panel lacks a unit, and where a name or an ID would be read as a number
// with one.
func lintUnits(p shownPanel) []string {
	if p.Type != "table" {
		if p.FieldConfig.Defaults.Unit == "" {
			return []string{"no unit"}
		}
		return nil
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if p.FieldConfig.Defaults.Unit != "" {
		say("a unit for all columns")
	}
	handled := map[string]bool{}
	for _, o := range p.FieldConfig.Overrides {
		field, unit := o.Matcher.Options, o.property("unit")
		handled[field] = true
		switch {
		case strings.HasPrefix(field, "Value"):
			if unit == nil {
				say("no unit of the column %s", field)
			}
		case unit != nil && unit != "string":
			say("the text column %s has the unit %v", field, unit)
		}
	}
	names := map[string]string{}
	for _, t := range p.Transformations {
		for field := range t.Options.ExcludeByName {
			handled[field] = true
		}
		for field, name := range t.Options.RenameByName {
			names[field] = name
		}
	}
	for _, t := range p.Targets {
		field := "Value #" + t.RefID
		if len(p.Targets) == 1 {
			field = "Value"
		}
		if !handled[field] {
			say("nothing is said of the column %s", field)
		}
	}
	for field := range handled {
		if name, ok := names[field]; ok && strings.HasPrefix(name, "Value") {
			say("the column %s is not named", field)
		}
	}
	return wrong
}

// lintColours returns where a colour says what is not so: vermillion is for what is bad, and what
// is bad has no other colour.
func lintColours(p shownPanel) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	palette := []string{grey, skyBlue, blue, orange, green, purple, vermillion}
	steps := p.FieldConfig.Defaults.Thresholds.Steps
	for i, s := range steps {
		no := p.FieldConfig.Defaults.Unit == "bool_yes_no" && i == 0
		low := p.FieldConfig.Defaults.Unit != "bool_yes_no" && i > 0
		if (no || low) != (s.Color == bad) {
			say("the threshold %d has the colour %s", i, s.Color)
		}
	}
	all := p.FieldConfig.Defaults.Mappings
	for _, o := range p.FieldConfig.Overrides {
		all = append(all, o.mappings()...)
		name := o.Matcher.Options
		if colour, ok := o.property("color").(map[string]any); ok && isBad(name) && colour["fixedColor"] != bad {
			say("%s has the colour %v", name, colour["fixedColor"])
		}
	}
	for _, m := range all {
		for _, v := range m.Options {
			if isBad(v.Text) != (v.Color == bad) {
				say("%s has the colour %s", v.Text, v.Color)
			}
			if !slices.Contains(palette, v.Color) {
				say("the colour %s is not one that everybody can tell", v.Color)
			}
		}
	}
	return wrong
}

// isBad tells of a value's name whether somebody has to see to it.
func isBad(name string) bool {
	return slices.Contains([]string{"failed", "refused", "all fail", "No", "code"}, name)
}
