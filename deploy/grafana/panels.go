package grafana

import "strings"

// A kind is a type of Grafana's panels.
type kind string

const (
	stat  kind = "stat"
	chart kind = "timeseries"
)

// A row is a heading of the dashboard, and the views below it.
type row struct {
	title  string
	height int // of each view, in units of the grid
	views  []view
}

// A view is one panel: a question, and the queries that answer it.
type view struct {
	title, about string
	kind         kind
	width        int    // of 24
	unit         string // in Grafana's words
	none         string // what a stat shows if there is no data; "" for Grafana's words
	named        bool   // a stat shows the legend, and not the value
	steps        []step
	queries      []query
}

type query struct{ expr, legend string }

// q is a query of one stream's series. In expr, $s stands for the labels that the user has chosen, and $by for a group by tenant
// and stream.
func q(expr string, labels ...string) query {
	return query{fill(expr), strings.Join(append([]string{"{{tenant}} {{stream}}"}, labels...), " ")}
}

// p is a query of the whole process: its series have no stream.
func p(expr string, labels ...string) query {
	return query{fill(expr), strings.Join(append([]string{"{{tenant}}"}, labels...), " ")}
}

func fill(expr string) string {
	return strings.NewReplacer(
		"$s", `tenant=~"$tenant",stream=~"$stream"`, "$t", `tenant=~"$tenant"`, "$by", "by (tenant, stream",
	).Replace(expr)
}

// from is the colour of all values from value on.
func from(value float64, color string) step { return step{color, &value} }

// colours begins with the colour of all values below the first step.
func colours(lowest string, more ...step) []step { return append([]step{{Color: lowest}}, more...) }
