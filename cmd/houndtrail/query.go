package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

// asked has the flags of query.
type asked struct {
	table        tableName
	since, until day
	tenants      tenants
	dialect      choice
	answer       table.Answer
}

func (p *program) query() *cobra.Command {
	o := asked{table: "bloodhound_audit", dialect: choice{string(table.Athena), []string{
		string(table.Athena), string(table.Trino), string(table.DuckDB),
	}}}
	cmd := &cobra.Command{
		Use:   "query [NAME]",
		Short: "Print a question about the archive as SQL",
		Long: `Print a question about the archive as SQL, ready to run. Without a name, list the questions.

The questions read the views of houndtrail ddl --view all: make these first. Each question names its tenants and its days, so
that it reads these days only. Houndtrail reads no store, and runs nothing. The files are in deploy/athena.

iceberg is no question: its statements make an Iceberg table of the archive's records, and bring the table up to date.`,
		Example: `  houndtrail query failed-logins --since 2026-01-01 --until 2026-01-31
  houndtrail query one-request --request 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d
  aws athena start-query-execution --query-execution-context Database=logs \
    --query-string "$(houndtrail query data-wipes)"
  houndtrail query exports --dialect duckdb | duckdb archive.duckdb`,
		RunE: func(_ *cobra.Command, args []string) error {
			questions, err := table.Questions(athena.Files)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return p.listQuestions(questions)
			}
			return p.printQuestion(questions, args[0], &o)
		},
	}
	cmd.Flags().Var(&o.table, "table", "name of the table, or database.table; the views lie beside it")
	cmd.Flags().Var(&o.since, "since", "first day (default: 30 days before the last one)")
	cmd.Flags().Var(&o.until, "until", "last day (default: today)")
	cmd.Flags().Var(&o.tenants, "tenants", "the tenants, as a,b (default: HOUNDTRAIL_TENANT, or all)")
	cmd.Flags().Var(&o.dialect, "dialect", "what runs it")
	cmd.Flags().StringVar(&o.answer.Request, "request", "", "the request id of one-request")
	cmd.Flags().StringVar(&o.answer.Zone, "zone", "UTC", "the time zone of out-of-hours, such as Europe/Berlin")
	cmd.Flags().StringVar(&o.answer.Place, "location", "", "the place of the table that iceberg makes, such as s3://bucket/iceberg/")
	return cmd
}

func (p *program) listQuestions(questions []table.Question) error {
	list := show.NewWideTable(p.stdout, []show.Column[table.Question]{
		{Name: "NAME", Cell: func(q table.Question) string { return q.Name }},
		{Name: "QUESTION", Cell: func(q table.Question) string { return q.Title }},
	})
	for _, q := range questions {
		if err := list.Add(q); err != nil {
			return err
		}
	}
	return list.Flush()
}

func (p *program) printQuestion(questions []table.Question, name string, o *asked) error {
	if _, err := time.LoadLocation(o.answer.Zone); err != nil {
		return stream.Usagef("--zone %q: want a time zone such as Europe/Berlin", o.answer.Zone)
	}
	c, err := p.load(config.NeedNothing)
	if err != nil {
		return err
	}
	a := o.answer
	a.Table, a.Tenants, a.Since, a.Until = string(o.table), o.tenants, o.since.Time, o.until.Time
	if len(a.Tenants) == 0 && c.Tenant != "" {
		a.Tenants = []string{c.Tenant}
	}
	if !o.until.set {
		a.Until = stream.NewSet(c, p.process(zap.NewNop())).Now().UTC()
	}
	if !o.since.set {
		a.Since = a.Until.AddDate(0, 0, -30)
	}
	names := make([]string, len(questions))
	for i, q := range questions {
		if names[i] = q.Name; q.Name != name {
			continue
		}
		sql, err := q.SQL(table.Dialect(o.dialect.value), a)
		if err != nil {
			return stream.Usage(err)
		}
		_, err = fmt.Fprint(p.stdout, sql)
		return err
	}
	return stream.Usagef("no question %q: want one of %s", name, strings.Join(names, ", "))
}
