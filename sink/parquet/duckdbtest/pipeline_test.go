package duckdbtest

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// DuckDB reads from the archive exactly the records of the server, in every column, also the hard cases.
func TestPipeline(t *testing.T) {
	end := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	rows := history.Rows(history.Options{Seed: 5, N: 5000, Start: end.AddDate(0, 0, -10), End: end, FirstID: 1 << 20})
	rows = append(rows, history.Corner()...)
	server := bloodhoundtest.New(bloodhoundtest.Options{Rows: rows, Now: func() time.Time { return end.Add(time.Hour) }})
	listener := httptest.NewServer(server)
	defer listener.Close()
	folder := t.TempDir()
	export(t, listener.URL, server.Session("houndtrail"), folder)

	want := map[int64]record.Record{}
	for _, row := range server.Rows() {
		if row.CreatedAt.IsZero() {
			continue
		}
		r := record.Record{
			ID: row.ID, CreatedAt: row.CreatedAt.UTC().Truncate(time.Microsecond), ActorID: row.ActorID, ActorName: row.ActorName,
			ActorEmail: row.ActorEmail, Action: row.Action, Fields: string(row.Fields), RequestID: row.RequestID,
			SourceIP: row.SourceIP, CommitID: row.CommitID, Status: row.Status,
		}
		if row.Fields == nil {
			r.Absent = record.Of("fields")
		}
		if r.CommitID == "" {
			r.CommitID = "00000000-0000-0000-0000-000000000000" // how servers print NULL
		}
		want[row.ID] = r
	}
	got := map[int64]record.Record{}
	for _, r := range values(t, open(t), "read_parquet(?, hive_partitioning = true)", filepath.Join(folder, "audit/*/*/*.parquet")) {
		if _, twice := got[r.ID]; twice {
			t.Errorf("id %d is there twice", r.ID)
		}
		got[r.ID] = r
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("served and archived differ (-want +got):\n%.3000s", diff)
	}
}

// export runs one cycle from the server into the folder.
func export(t *testing.T, address, session, folder string) {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: base, Auth: rest.Bearer(func() (string, error) { return session, nil }), Rate: 1000,
		},
		PageSize: 700,
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := archive.New(store, sinktest.Tenant, func() archive.Encoder {
		return parquet.NewEncoder(parquet.Metadata{Tenant: sinktest.Tenant, Version: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &exporter.Exporter{
		Source: client, Sink: sink, Windows: window.Planner{Max: 100 * time.Hour}, Settle: time.Minute, Overlap: time.Minute,
		Store:  checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: "archive", Source: address, Destination: folder}),
		Limits: bloodhound.Limits{Records: 2000}, Log: zap.NewNop(),
	}
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// DuckDB opens the demo's own archive and finds as many records as the demo says it proved.
func TestDemo(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "demo")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/houndtrail", "demo", "--records", "3000", "--dir", folder)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	served := regexp.MustCompile(`(\d+) records in BloodHound's audit log`).FindSubmatch(output)
	if served == nil {
		t.Fatalf("no proof in\n%s", output)
	}
	got := query(t, open(t), "SELECT count(*), count(DISTINCT id) FROM read_parquet(?, hive_partitioning = true)",
		filepath.Join(folder, "archive/audit/*/*/*.parquet"))
	if want := fmt.Sprintf("[[%[1]s %[1]s]]", served[1]); fmt.Sprint(got) != want {
		t.Errorf("DuckDB counts %v, the demo says %s", got, served[1])
	}
}
