package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

func (p *program) compact() *cobra.Command {
	var older, wait time.Duration
	var dry bool
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Make one file of a closed day's many",
		Long: `Make one file of each closed day of the archive. A query then opens one file a day instead of hundreds. The file has
the same records, sorted, in the same folder, with the best compression. First the journal gets an entry that names
the new file, and the old files with their SHA-256. Then compact deletes the old files. In a bucket with versions or
Object Lock, they only get a delete marker, and every version stays.

compact uses a file only if its SHA-256 is the one in the journal. If it is not, the day stays as it is, and the exit
code is 6. If a late record of a compacted day comes, it makes a small file, and the next compaction adds it. If a day
is larger than memory, it becomes several files.

It may run beside houndtrail run: it takes the lease for a moment for each day, and waits while a run holds the lease.
If it is killed, the next compaction finishes its work. Until then, queries may see the records of one day twice. It
needs the right to delete files of the archive (s3:DeleteObject), and changes nothing without it. If the journal is
signed, it also needs HOUNDTRAIL_SIGNING_KEY. With --dry-run it does not need the key.`,
		Example: `  houndtrail compact --dry-run
  houndtrail compact --older-than 168h`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if older < 0 || wait < 0 {
				return stream.Usage(errors.New("--older-than and --wait-lease: want a duration that is not negative, such as 48h"))
			}
			need := config.NeedArchive | config.NeedCheckpoint | config.NeedTenant
			if !dry {
				need |= config.NeedCommit
			}
			c, err := p.load(need)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			compactor, err := stream.NewSet(c, p.asked().process(log)).Compaction(cmd.Context(), dry)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("older-than") {
				compactor.OlderThan = older
			}
			compactor.Wait = wait
			return p.compactArchive(cmd.Context(), compactor, output.value)
		},
	}
	cmd.Flags().DurationVar(&older, "older-than", 0,
		"how far the stream has to be past the end of a day (default: 48h, or HOUNDTRAIL_RESCAN and 24h if that is more)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say which days would be compacted")
	cmd.Flags().DurationVar(&wait, "wait-lease", 90*time.Second, "how long to wait while a run holds the lease")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

func (p *program) compactArchive(ctx context.Context, c *stream.Compaction, form string) error {
	table := show.NewTable(p.stdout, compactColumns(c.DryRun))
	var told []error
	c.Done = func(d compact.Day) {
		if form == "json" {
			told = append(told, show.JSON(p.stdout, d))
			return
		}
		told = append(told, table.Add(d))
	}
	err := c.Run(ctx)
	if form == "table" && table.Empty() && err == nil {
		fmt.Fprintln(p.stdout, "archive: no day has files to compact")
	}
	return errors.Join(errors.Join(told...), table.Flush(), err)
}

// compactColumns are the columns of the result. A dry run cannot tell how large the new files would be.
func compactColumns(dry bool) []show.Column[compact.Day] {
	number := func(name string, of func(compact.Day) int64) show.Column[compact.Day] {
		return show.Column[compact.Day]{Name: name, Cell: func(d compact.Day) string { return strconv.FormatInt(of(d), 10) }}
	}
	columns := []show.Column[compact.Day]{
		{Name: "DAY", Cell: func(d compact.Day) string { return d.Day }},
		number("FILES", func(d compact.Day) int64 { return int64(d.Objects) }),
		number("BYTES", func(d compact.Day) int64 { return d.Bytes }),
		number("RECORDS", func(d compact.Day) int64 { return d.Records }),
	}
	if dry {
		return columns
	}
	return append(columns,
		number("NEW FILES", func(d compact.Day) int64 { return int64(d.Made) }),
		number("NEW BYTES", func(d compact.Day) int64 { return d.Size }))
}

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
