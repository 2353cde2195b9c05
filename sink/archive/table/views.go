package table

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/houndtrail/houndtrail/exporter/record"
)

//go:embed views/*.sql
var templates embed.FS

// Views are the names of the views over the table.
func Views() []string {
	return []string{"audit_events", "audit_orphans", "audit_logins", "audit_actors"}
}

// View is the statement that makes a view. It lies in the database of the table, and reads the table.
func (t Table) View(d Dialect, name string) (string, error) {
	if !slices.Contains(Views(), name) {
		return "", fmt.Errorf("no view %q: want one of %s", name, strings.Join(Views(), ", "))
	}
	if d == Glue {
		return "", errors.New("no view for Glue: make it with Athena, which keeps it in Glue")
	}
	if err := t.Check(d); err != nil {
		return "", err
	}
	return t.render(d, name)
}

// linesView is the statement that makes the table itself, as a view over raw lines.
func (t Table) linesView(d Dialect) (string, error) { return t.render(d, "lines") }

// render fills the expressions of the dialect into a file of views.
func (t Table) render(d Dialect, file string) (string, error) {
	f := functionsOf(d)
	from := identifiers(t.Name, f.quote)
	address := func(alias string, n int) string { return f.bare(f.item(alias+"source_ip_address", n)) }
	only := ""
	if d == DuckDB {
		only = t.only()
	}
	settings := ""
	if d == ClickHouse {
		settings = "\nSETTINGS join_use_nulls = 1"
	}
	parsed, err := template.New(file+".sql").Funcs(template.FuncMap{
		"name":     func(view string) string { return identifiers(t.beside(view), f.quote) },
		"table":    func() string { return from },
		"who":      func(alias string) string { return who(f, alias) },
		"client":   func(alias string) string { return address(alias, 1) },
		"peer":     func(alias string) string { return address(alias, -1) },
		"text":     f.text,
		"next":     func() string { return f.shift(dayColumn, "+") },
		"previous": func() string { return f.shift(dayColumn, "-") },
		"paired":   func() string { return "commit_id NOT IN ('', '00000000-0000-0000-0000-000000000000')" },
		"settings": func() string { return settings },
		"lines":    func() string { return t.lineSource(d) },
		"number":   func() string { return f.part(f.text("line", "event_id"), 3) },
		"instant":  f.instant,
		"only":     func() string { return only },
		"members": func() (members []string) {
			for _, c := range record.Columns() {
				value := f.text("line", c.Name)
				if c.Kind == record.JSON {
					value = f.document("line", c.Name)
				}
				members = append(members, value+" AS "+c.Name)
			}
			return members
		},
	}).ParseFS(templates, "views/"+file+".sql")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = parsed.Execute(&b, nil)
	return b.String(), err
}

// beside is the name of a table or a view in the database of the table.
func (t Table) beside(name string) string {
	if database, _, qualified := strings.Cut(t.Name, "."); qualified {
		return database + "." + name
	}
	return name
}
