// Package grafana makes the Grafana dashboard of Houndtrail's metrics, houndtrail.json. The file is what a user imports, and a
// test compares it with this package. Write it anew with: go test ./deploy/grafana -update
//
// The form is that of Grafana's dashboard schema, version 39 (Grafana 10 and later). Only the fields that the dashboard needs
// are here.
package grafana

import (
	"encoding/json"
	"fmt"
)

// A dashboard is the root object of the file.
type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Editable      bool       `json:"editable"`
	GraphTooltip  int        `json:"graphTooltip"` // 1: the crosshair is on all panels
	Refresh       string     `json:"refresh"`
	Time          span       `json:"time"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

// A variable is a choice at the top of the dashboard.
type variable struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	Type       string  `json:"type"`
	Query      string  `json:"query"`
	Datasource *source `json:"datasource,omitempty"`
	Refresh    int     `json:"refresh"` // 1: when the dashboard is opened; 2: also when its time range changes
	IncludeAll bool    `json:"includeAll"`
	Multi      bool    `json:"multi"`
	AllValue   string  `json:"allValue,omitempty"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int         `json:"id"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Type        string      `json:"type"`
	GridPos     place       `json:"gridPos"`
	Datasource  *source     `json:"datasource,omitempty"`
	Targets     []target    `json:"targets,omitempty"`
	FieldConfig fieldConfig `json:"fieldConfig"`
	Options     any         `json:"options"`
}

// A place is a panel's position on a grid of 24 columns.
type place struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
	Range        bool   `json:"range"`
}

type fieldConfig struct {
	Defaults  defaults `json:"defaults"`
	Overrides []any    `json:"overrides"`
}

type defaults struct {
	Unit       string         `json:"unit,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Color      map[string]any `json:"color,omitempty"`
	Thresholds *thresholds    `json:"thresholds,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// A step is the colour of all values from Value on; nil is the lowest.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// JSON returns the dashboard's file.
func JSON() ([]byte, error) {
	prometheus := &source{Type: "prometheus", UID: "${datasource}"}
	d := dashboard{
		UID: "houndtrail", Title: "Houndtrail", Tags: []string{"houndtrail", "bloodhound"}, SchemaVersion: 39, Editable: true,
		Description: "Is every record of the BloodHound audit log archived, how far behind is each stream, and what went wrong",
		Time:        span{"now-24h", "now"}, Refresh: "1m", GraphTooltip: 1,
		Templating: templating{[]variable{
			{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1},
			choice("tenant", "Tenant", "label_values(houndtrail_build_info, tenant)", prometheus),
			choice("stream", "Stream", `label_values(houndtrail_cycles_total{tenant=~"$tenant"}, stream)`, prometheus),
		}},
	}
	y := 0
	for _, r := range rows() {
		d.Panels = append(d.Panels, panel{
			ID: len(d.Panels) + 1, Title: r.title, Type: "row", GridPos: place{1, 24, 0, y},
			FieldConfig: fieldConfig{Overrides: []any{}}, Options: struct{}{},
		})
		y++
		x := 0
		for _, v := range r.views {
			if x+v.width > 24 {
				x, y = 0, y+r.height
			}
			p := v.panel(prometheus)
			p.ID, p.GridPos = len(d.Panels)+1, place{r.height, v.width, x, y}
			d.Panels = append(d.Panels, p)
			x += v.width
		}
		y += r.height
	}
	body, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the dashboard: %w", err)
	}
	return append(body, '\n'), nil
}

// choice is a variable for any number of a label's values.
func choice(name, label, query string, from *source) variable {
	return variable{
		Name: name, Label: label, Type: "query", Query: query, Datasource: from, Refresh: 2, IncludeAll: true, Multi: true, AllValue: ".+",
	}
}

// panel is the view in Grafana's form. Stats show the last value, and charts show the whole time range.
func (v view) panel(from *source) panel {
	p := panel{
		Title: v.title, Description: v.about, Type: string(v.kind), Datasource: from,
		FieldConfig: fieldConfig{Defaults: defaults{
			Unit: v.unit, NoValue: v.none, Thresholds: &thresholds{Mode: "absolute", Steps: v.steps},
		}, Overrides: []any{}},
	}
	for i, q := range v.queries {
		p.Targets = append(p.Targets, target{
			RefID: string(rune('A' + i)), Expr: q.expr, LegendFormat: q.legend, Instant: v.kind == stat, Range: v.kind != stat,
		})
	}
	if v.kind == stat {
		text := "auto"
		if v.named {
			text = "name"
		}
		p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
		p.Options = map[string]any{
			"colorMode": "background", "graphMode": "none", "textMode": text, "justifyMode": "auto", "orientation": "auto",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
		return p
	}
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 10, "showPoints": "never", "spanNulls": false}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}, "showLegend": true},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}
