package tabletest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

const name = "bloodhound_audit"

// encoders are the formats of the archive, by extension.
func encoders() map[string]func(tenant string) archive.Encoder {
	return map[string]func(tenant string) archive.Encoder{
		parquet.Extension: func(tenant string) archive.Encoder {
			return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"})
		},
		ndjson.Extension:     func(tenant string) archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
		ndjson.ZstdExtension: func(tenant string) archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Zstd) },
	}
}

// statements splits a text into its statements.
func statements(sql string) (all []string) {
	for statement := range strings.SplitSeq(sql, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

func execAll(t *testing.T, e tabletest.Engine, sql string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements(sql) {
		e.Exec(t, statement)
	}
}

// byTenant returns the number of rows that the table has for each tenant.
func byTenant(t *testing.T, e tabletest.Engine) [][]string {
	t.Helper()
	return tabletest.Rows(e.Query(t, "SELECT tenant, count(*) FROM "+name+" GROUP BY tenant ORDER BY tenant"))
}

// whole is the right result of byTenant.
func whole(t *testing.T) [][]string {
	t.Helper()
	records := tabletest.Records(t)
	return tabletest.Rows([][]any{
		{tabletest.Other, len(records[tabletest.Other])}, {tabletest.Tenant, len(records[tabletest.Tenant])},
	})
}

func local(t *testing.T) (table.Table, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "an archive")
	store, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	tabletest.Write(t, store, encoders()[parquet.Extension])
	return table.Table{
		Name: name, Location: store.String(), Extension: parquet.Extension,
		Tenants: []string{tabletest.Other, tabletest.Tenant}, First: tabletest.First, Last: tabletest.Last,
	}, folder
}

func TestSpark(t *testing.T) {
	e := engine.StartPython(t, "spark")
	over, folder := local(t)
	create, err := over.Create(table.Spark)
	execAll(t, e, create, err)
	got := byTenant(t, e)
	if diff := cmp.Diff(whole(t), got); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	t.Logf("rows by tenant: %v", got)
	tabletest.Views(t, e, table.Spark, over)

	t.Run("a new day needs MSCK", func(t *testing.T) {
		store, err := dir.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		const count = "SELECT count(*) FROM " + name + " WHERE dt = '2026-03-11'"
		tabletest.WriteDay(t, store, encoders()[parquet.Extension], tabletest.Last.AddDate(0, 0, 1))
		before := tabletest.Rows(e.Query(t, count))
		alter, err := over.Alter(table.Spark)
		execAll(t, e, alter, err)
		after := tabletest.Rows(e.Query(t, count))
		if before[0][0] != "0" || after[0][0] != "1" {
			t.Errorf("%s rows of a new day before MSCK, %s after; want 0 and 1", before, after)
		}
	})
	t.Run("the grammar of Athena", func(t *testing.T) {
		s3 := over
		s3.Location, s3.Name = "s3://audit/it's", "logs.audit"
		for _, extension := range []string{parquet.Extension, ndjson.Extension} {
			s3.Extension = extension
			create, err := s3.Create(table.Athena)
			if err != nil {
				t.Fatal(err)
			}
			e.Run(t, "parse", statements(create)[0]) // the second statement makes a view, in the grammar of Trino
			alter, err := s3.Alter(table.Athena)
			if err != nil {
				t.Fatal(err)
			}
			e.Run(t, "parse", statements(alter)[0])
		}
	})
}

func TestClickHouse(t *testing.T) {
	e := engine.StartPython(t, "clickhouse")
	over, _ := local(t)
	over.Tenants = nil
	create, err := over.Create(table.ClickHouse)
	execAll(t, e, create, err)
	if diff := cmp.Diff(whole(t), byTenant(t, e)); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	tabletest.Views(t, e, table.ClickHouse, over)
	over.Tenants = []string{tabletest.Other}
	create, err = over.Create(table.ClickHouse)
	execAll(t, e, create, err)
	if diff := cmp.Diff(whole(t)[:1], byTenant(t, e)); diff != "" {
		t.Errorf("one tenant (-want +got):\n%s", diff)
	}
}
