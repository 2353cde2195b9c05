package duckdbtest

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// engine is DuckDB for the tests that all engines share.
type engine struct{ *sql.DB }

func (e engine) Exec(tb testing.TB, text string) {
	tb.Helper()
	if _, err := e.ExecContext(tb.Context(), text); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}

func (e engine) Query(tb testing.TB, text string) [][]any {
	tb.Helper()
	return rows(tb, e.DB, text)
}

// TestTables runs each view and each question over an archive of each format.
func TestTables(t *testing.T) {
	for extension, encoder := range map[string]func(tenant string) archive.Encoder{
		parquet.Extension: func(tenant string) archive.Encoder {
			return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"})
		},
		ndjson.Extension:     func(tenant string) archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
		ndjson.ZstdExtension: func(tenant string) archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Zstd) },
	} {
		t.Run(extension, func(t *testing.T) {
			store, err := dir.Open(filepath.Join(t.TempDir(), "it's an archive"))
			if err != nil {
				t.Fatal(err)
			}
			tabletest.Write(t, store, encoder)
			e := engine{open(t)}
			over := table.Table{Name: "bloodhound_audit", Location: store.String(), Extension: extension}
			create, err := over.Create(table.DuckDB)
			if err != nil {
				t.Fatal(err)
			}
			e.Exec(t, create)
			tabletest.Views(t, e, table.DuckDB, over)
			tabletest.Questions(t, e, table.DuckDB, over.Name)

			over.Tenants = []string{tabletest.Other}
			if create, err = over.Create(table.DuckDB); err != nil {
				t.Fatal(err)
			}
			e.Exec(t, create)
			got := tabletest.Rows(e.Query(t, "SELECT tenant, count(*) FROM bloodhound_audit GROUP BY ALL"))
			if diff := cmp.Diff([][]string{{tabletest.Other, "2"}}, got); diff != "" {
				t.Errorf("one tenant (-want +got):\n%s", diff)
			}
		})
	}
}
