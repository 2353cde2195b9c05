package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// firstDay is the first day of the table if the archive does not tell. PR #3049 dates records without a time to 2020.
const firstDay = "2020-01-01"

// ddlOptions are the flags of ddl.
type ddlOptions struct {
	table   tableName
	since   string
	dialect choice
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

func (p *program) ddl() *cobra.Command {
	o := ddlOptions{table: "bloodhound_audit", dialect: choice{"athena", []string{"athena", "duckdb"}}}
	cmd := &cobra.Command{
		Use:   "ddl",
		Short: "Print the SQL that makes the archive a table",
		Long: `Print the statement that makes the archive a table: CREATE EXTERNAL TABLE for Athena, whose partitions are
projected, so that new days need no crawler; or a view for DuckDB, which also reads a file:// archive.

The table for Athena has the days from the archive's first one until today, or until the last one if that is later. Houndtrail
lists the archive to find them. With --since it asks for nothing, and the days end today. If the archive is empty or cannot be
read, they begin at ` + firstDay + `, and a comment in the SQL says so.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.printDDL(cmd.Context(), &o) },
	}
	cmd.Flags().Var(&o.table, "table", "name of the table, or database.table")
	cmd.Flags().StringVar(&o.since, "since", "", "first day that has records (default: the archive's)")
	cmd.Flags().Var(&o.dialect, "dialect", "what reads the table")
	return cmd
}

func (p *program) printDDL(ctx context.Context, o *ddlOptions) error {
	first, err := time.Parse(time.DateOnly, cmp.Or(o.since, firstDay))
	if err != nil {
		return stream.Usagef("--since %q: want a day such as %s", o.since, firstDay)
	}
	c, err := p.load(config.NeedArchive | config.NeedTenant)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(zap.NewNop())) // a comment in the SQL tells of a problem with the archive
	t := archive.Table{
		Name: string(o.table), Location: string(c.Archive.URL), Extension: set.Encoder().Extension(),
		Tenants: []string{c.Tenant}, First: first,
	}
	write, comment := archive.DuckDBView, ""
	if o.dialect.value == "athena" {
		write = archive.DDL
	}
	if o.dialect.value == "athena" && o.since == "" {
		if comment, err = setDays(ctx, set, &t); err != nil {
			return err
		}
	}
	sql, err := write(t)
	if errors.Is(err, archive.ErrNotS3) {
		err = fmt.Errorf("%w: --dialect duckdb", err)
	}
	if err != nil {
		return stream.Usage(err)
	}
	_, err = fmt.Fprint(p.stdout, comment, sql)
	return err
}

// setDays sets the table's days to the archive's, if the archive can be read. It returns a comment about the days for the
// reader of the SQL.
func setDays(ctx context.Context, set *stream.Set, t *archive.Table) (comment string, err error) {
	b, err := set.Files(ctx)
	var first, last time.Time
	var found bool
	if err == nil {
		first, last, found, err = read.Days(ctx, b, set.Tenant())
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil: //nolint:nilerr // the comment has the error
		return comments("The archive cannot be read: "+err.Error(),
			"So the days begin at "+firstDay+". If it has earlier records, print this again with --since and their first day."), nil
	case !found:
		return comments("The archive has no record yet, so the days begin at " + firstDay + "."), nil
	}
	t.First = first
	if last.After(time.Now().UTC()) {
		t.Last = last
		comment = comments("The archive has records of " + last.Format(time.DateOnly) + ", which is later than today. The days end " +
			"there: print this again after that day.")
	}
	return comment, nil
}

// comments makes each text a comment of one line.
func comments(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString("-- " + strings.Join(strings.Fields(text), " ") + "\n")
	}
	return b.String()
}
