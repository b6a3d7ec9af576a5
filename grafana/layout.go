package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// panel is what every panel has, whatever it looks like.
type panel struct {
	title, description string
	// unit is Grafana's name of one; a table has units of its columns instead. empty says what no
	// data means.
	unit, empty string
	width       uint32 // of 24
	queries     []query
	look        cog.Builder[dashboard.Panel]
}

// query is a question to Prometheus.
type query struct {
	expr   string
	legend string
	now    bool // only the present values, as tables and numbers want them
}

// row is a heading, which may be absent, and the panels under it, all of one height.
type row struct {
	title  string
	height uint32
	panels []panel
}

const width = 24

// lay puts rows under one another.
func lay(d *dashboard.Dashboard, rows []row) error {
	var y, id uint32
	for _, r := range rows {
		if r.title != "" {
			id++
			title := r.title
			d.Panels = append(d.Panels, dashboard.PanelOrRowPanel{RowPanel: &dashboard.RowPanel{
				Type: "row", Id: id, Title: &title, Panels: []dashboard.Panel{}, GridPos: &dashboard.GridPos{H: 1, W: width, X: 0, Y: y},
			}})
			y++
		}
		var x uint32
		for _, p := range r.panels {
			if x+p.width > width {
				x, y = 0, y+r.height
			}
			id++
			built, err := p.build(id, dashboard.GridPos{H: r.height, W: p.width, X: x, Y: y})
			if err != nil {
				return fmt.Errorf("panel %q: %w", p.title, err)
			}
			d.Panels = append(d.Panels, dashboard.PanelOrRowPanel{Panel: &built})
			x += p.width
		}
		y += r.height
	}
	return nil
}

// source is the data source that a viewer chooses.
func source() common.DataSourceRef {
	kind, uid := "prometheus", "${datasource}"
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

// build returns the panel as the SDK has it.
func (p panel) build(id uint32, at dashboard.GridPos) (dashboard.Panel, error) {
	built, err := p.look.Build()
	if err != nil {
		return built, err
	}
	datasource := source()
	built.Id, built.Title, built.Description = &id, &p.title, &p.description
	built.Datasource, built.GridPos = &datasource, &at
	if built.FieldConfig == nil {
		built.FieldConfig = &dashboard.FieldConfigSource{Overrides: []dashboard.DashboardFieldConfigSourceOverrides{}}
	}
	built.FieldConfig.Defaults.NoValue = &p.empty
	if p.unit != "" {
		built.FieldConfig.Defaults.Unit = &p.unit
	}
	for i, q := range p.queries {
		b := prometheus.NewDataqueryBuilder().Expr(q.expr).RefId(string(rune('A' + i))).Datasource(datasource).LegendFormat(q.legend)
		if q.now {
			b = b.Instant()
		} else {
			b = b.Range()
		}
		if built.Type == "table" {
			b = b.Format(prometheus.PromQueryFormatTable)
		}
		target, err := b.Build()
		if err != nil {
			return built, err
		}
		built.Targets = append(built.Targets, target)
	}
	return built, nil
}
