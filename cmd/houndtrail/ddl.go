package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

// ddlOptions are the flags of ddl.
type ddlOptions struct {
	table   tableName
	since   day
	tenants tenants
	dialect choice
	views   []string
	alter   bool
}

// A tableName is a flag: table or database.table, with characters that Athena accepts.
type tableName string

func (n *tableName) String() string { return string(*n) }

// Type is the flag's value in the help.
func (n *tableName) Type() string { return "name" }

func (n *tableName) Set(s string) error {
	if !tableNames.MatchString(s) {
		return errors.New("want table or database.table, of letters, digits and underscores")
	}
	*n = tableName(s)
	return nil
}

var tableNames = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?$`)

// A day is a flag: a day in UTC.
type day struct {
	time.Time

	set bool // the user has set it
}

func (d *day) String() string {
	if !d.set {
		return ""
	}
	return d.Format(time.DateOnly)
}

// Type is the flag's value in the help.
func (d *day) Type() string { return "day" }

func (d *day) Set(s string) error {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return errors.New("want a day such as 2026-01-31")
	}
	d.Time, d.set = at, true
	return nil
}

// tenants is a flag: names with commas between them.
type tenants []string

func (t *tenants) String() string { return strings.Join(*t, ",") }

// Type is the flag's value in the help.
func (t *tenants) Type() string { return "names" }

func (t *tenants) Set(s string) error {
	names := strings.Split(s, ",")
	for _, name := range names {
		if err := read.CheckTenant(name); err != nil {
			return err
		}
	}
	slices.Sort(names)
	*t = slices.Compact(names)
	return nil
}

func (p *program) ddl() *cobra.Command {
	o := ddlOptions{table: "bloodhound_audit", dialect: choice{string(table.Athena), table.Dialects()}}
	cmd := &cobra.Command{
		Use:   "ddl",
		Short: "Print the SQL that makes the archive a table",
		Long: `Print the statement that makes the archive a table, in the dialect of the engine that reads it: athena, trino, spark,
duckdb, clickhouse, or glue for the JSON of Glue's call CreateTable. DuckDB, Spark and ClickHouse also read a file:// archive.

Athena, Trino and Glue project the partitions from the tenants and the days of the table, so new days need no crawler. No query
finds a tenant or a day that the table lacks. Houndtrail lists the archive to find all tenants and the first day. With --tenants
and the own tenant alone, it reads the journal instead, which is faster. With --tenants and --since it reads nothing. If there
is neither a record nor a journal yet, the days begin today, and a comment says so. For a tenant that comes later, print the
statement of --alter and run it. Spark does not project partitions: run the statement of --alter after each new day.

--view prints the statement of one view over the table instead, or of all views:
  audit_events    each action that ended: who, from which address, how long
  audit_orphans   each intent without an outcome
  audit_logins    each login that succeeded or failed
  audit_actors    the activity of each day and actor
houndtrail query prints questions for these views.`,
		Example: `  houndtrail ddl --table logs.bloodhound_audit
  houndtrail ddl --table logs.bloodhound_audit --view all
  houndtrail ddl --dialect duckdb > archive.sql`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.printDDL(cmd.Context(), &o) },
	}
	cmd.Flags().Var(&o.table, "table", "name of the table, or database.table")
	cmd.Flags().Var(&o.since, "since", "first day that has records (default: the archive's)")
	cmd.Flags().Var(&o.tenants, "tenants", "the tenants of the table, as a,b (default: all of the archive)")
	cmd.Flags().Var(&o.dialect, "dialect", "what reads the table: one of "+strings.Join(o.dialect.allowed, ", "))
	cmd.Flags().StringSliceVar(&o.views, "view", nil, "print this view, not the table: all, or one of "+strings.Join(table.Views(), ", "))
	cmd.Flags().BoolVar(&o.alter, "alter", false, "print the statement that brings an existing table up to date")
	return cmd
}

func (p *program) printDDL(ctx context.Context, o *ddlOptions) error {
	if o.alter && len(o.views) > 0 {
		return stream.Usagef("--alter and --view: want one of the two; a view needs no change")
	}
	c, err := p.load(config.NeedArchive | config.NeedTenant)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(zap.NewNop())) // the error names a problem with a store
	t := table.Table{
		Name: string(o.table), Location: string(c.Archive.URL), Endpoint: string(c.S3.Endpoint),
		Extension: set.Encoder().Extension(), Tenants: o.tenants, First: o.since.Time,
	}
	dialect := table.Dialect(o.dialect.value)
	if len(o.views) > 0 {
		return p.printViews(t, dialect, o.views)
	}
	if err := t.Check(dialect); err != nil { // before Houndtrail asks a store
		return stream.Usage(err)
	}
	comment := ""
	if dialect.Projects() && (!o.since.set || len(o.tenants) == 0) {
		if comment, err = setPartitions(ctx, set, &t, o.since.set); err != nil {
			return err
		}
	}
	write := t.Create
	if o.alter {
		write = t.Alter
	}
	sql, err := write(dialect)
	if err != nil {
		return stream.Usage(err)
	}
	if dialect == table.Glue { // JSON has no comments
		fmt.Fprint(p.stderr, strings.ReplaceAll(comment, "-- ", "houndtrail: "))
		comment = ""
	}
	_, err = fmt.Fprint(p.stdout, comment, sql)
	return err
}

func (p *program) printViews(t table.Table, dialect table.Dialect, names []string) error {
	if slices.Contains(names, "all") {
		names = table.Views()
	}
	var statements []string
	for _, name := range names {
		sql, err := t.View(dialect, name)
		if err != nil {
			return stream.Usage(err)
		}
		statements = append(statements, sql)
	}
	_, err := fmt.Fprint(p.stdout, strings.Join(statements, "\n"))
	return err
}

// setPartitions sets the tenants and the days of the archive, if the user did not name them. It returns a comment about the
// days, for the reader of the SQL.
func setPartitions(ctx context.Context, set *stream.Set, t *table.Table, since bool) (comment string, err error) {
	found, err := set.Partitions(ctx, t.Tenants)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%w; with --since and --tenants, Houndtrail reads no store", err)
	}
	today := set.Now().UTC()
	t.Tenants = found.Tenants
	switch {
	case since: // the user named the first day
	case found.First.IsZero():
		t.First = today
		comment = comments("There is no journal yet, and the archive has no record. So the days begin today: print this again after " +
			"the first run, or name the first day with --since.")
	default:
		t.First = found.First
	}
	if found.Last.After(today) {
		t.Last = found.Last
		comment += comments("The archive has records of " + found.Last.UTC().Format(time.DateOnly) +
			", which is later than today. The days end there: print this again after that day.")
	}
	return comment, nil
}

// comments makes a comment of one line from each text.
func comments(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString("-- " + strings.Join(strings.Fields(text), " ") + "\n")
	}
	return b.String()
}
