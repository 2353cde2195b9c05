package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"houndtrail/config"
	"houndtrail/sink/archive"
)

// firstDay is before any record: PR #3049 dates those without a time to 2020.
const firstDay = "2020-01-01"

func (p *program) ddl() *cobra.Command {
	var table, since string
	dialect := choice{"athena", []string{"athena", "duckdb"}}
	cmd := &cobra.Command{
		Use:   "ddl",
		Short: "Print the SQL that makes the archive a table",
		Long: `Print the statement that makes the archive a table: CREATE EXTERNAL TABLE for Athena, whose partitions are
projected, so that new days need no crawler; or a view for DuckDB, which also reads a file:// archive.`,
		RunE: func(*cobra.Command, []string) error {
			c, err := p.load(config.NeedArchive | config.NeedTenant)
			if err != nil {
				return err
			}
			first, err := time.Parse(time.DateOnly, since)
			if err != nil {
				return &usageError{fmt.Errorf("--since %q: want a day such as %s", since, firstDay)}
			}
			write := archive.DDL
			if dialect.value == "duckdb" {
				write = archive.DuckDBView
			}
			sql, err := write(archive.Table{
				Name: table, Location: string(c.Archive.URL), Extension: encoder(c.Archive.Format, c.Tenant).Extension(),
				Tenants: []string{c.Tenant}, First: first,
			})
			if errors.Is(err, archive.ErrNotS3) {
				err = fmt.Errorf("%w: --dialect duckdb", err)
			}
			if err != nil {
				return &usageError{err}
			}
			_, err = fmt.Fprint(p.stdout, sql)
			return err
		},
	}
	cmd.Flags().StringVar(&table, "table", "bloodhound_audit", "name of the table, or database.table")
	cmd.Flags().StringVar(&since, "since", firstDay, "first day that has records")
	cmd.Flags().Var(&dialect, "dialect", "athena or duckdb")
	return cmd
}
