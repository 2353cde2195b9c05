package status

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
)

// TestStandings: every state of a stream, as a table and as JSON.
func TestStandings(t *testing.T) {
	t.Parallel()
	records := int64(20480)
	source := sourceState{status: sourceOK, now: march, own: march.Add(time.Second), clock: "server", oldest: march.AddDate(0, -3, 0)}
	all := []*Row{
		{
			Stream: "archive", Status: stream.StateOK, Source: "https://a.example", Destination: "s3://b/<p>&q", Serial: 42,
			CommittedAt: march.Add(-time.Second / 2), Cursor: march.Add(-133*time.Second + time.Microsecond), Records: &records,
			Lease: leaseState{State: leaseFree},
		},
		{
			Stream: "webhook", Status: stream.StateOK, Source: "https://a.example", Destination: "https://siem.example/***", Serial: 9001,
			CommittedAt: march.AddDate(0, 0, -2), Cursor: march.Add(-50 * time.Hour), unproved: true,
			Lease: leaseState{
				State: leaseHeld, Since: march, Expires: march.Add(time.Minute),
				Holder: checkpoint.Holder{Host: "pod-1\x1b[2J", PID: 7, Version: "v1"},
			},
		},
		{Stream: "archive", Status: stream.StateDamaged, Problem: "journal corrupt", Source: "https://a.example", Destination: "file:///a"},
	}
	for i := range all {
		all[i].compare(source, exporter.Retention{})
	}
	var narrow, table, lines bytes.Buffer
	if err := Print(&narrow, all, "table", march); err != nil {
		t.Fatal(err)
	}
	wantNarrow(t, narrow.String())
	if err := Print(&table, all, "wide", march); err != nil {
		t.Fatal(err)
	}
	if err := Print(&lines, all, "json", march); err != nil {
		t.Fatal(err)
	}
	wantTable := "" +
		"STREAM   STATUS   POSITION                     LAG    LAST COMMIT           SERIAL  RECORDS  COUNTED  OLDEST AT SOURCE      TIME LEFT  DESTINATION               LEASE\n" +
		"archive  ok       2026-03-01T11:57:47.000001Z  2m13s  2026-03-01T11:59:59Z  42      20480    -        2025-12-01T12:00:00Z  89d23h     s3://b/<p>&q              free\n" +
		"webhook  ok       2026-02-27T10:00:00Z         2d2h   2026-02-27T12:00:00Z  9001    -        -        2025-12-01T12:00:00Z  87d22h     https://siem.example/***  " +
		"held by houndtrail v1 on pod-1.[2J (pid 7) since 2026-03-01T12:00:00Z; expires in 1m unless renewed\n" +
		"archive  damaged  -                            -      -                     -       -        -        2025-12-01T12:00:00Z  -          file:///a                 -\n"
	if diff := cmp.Diff(wantTable, table.String()); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	wantLines := `{"stream":"archive","status":"ok","source":"https://a.example","destination":"s3://b/<p>&q","serial":42,` +
		`"committed_at":"2026-03-01T11:59:59.5Z","cursor":"2026-03-01T11:57:47.000001Z","lag_seconds":132.999999,"clock":"server",` +
		`"records":20480,"lease":{"state":"free"},"source_status":"ok","source_oldest":"2025-12-01T12:00:00Z",` +
		`"retention_deadline":"2026-05-30T11:57:47.000001Z","retention_left_seconds":7775867.000001,"clock_skew_seconds":-1}
{"stream":"webhook","status":"ok","source":"https://a.example","destination":"https://siem.example/***","serial":9001,` +
		`"committed_at":"2026-02-27T12:00:00Z","cursor":"2026-02-27T10:00:00Z","lag_seconds":180000,"clock":"server",` +
		`"lease":{"state":"held","holder":{"host":"pod-1\u001b[2J","pid":7,"version":"v1"},"since":"2026-03-01T12:00:00Z",` +
		`"expires":"2026-03-01T12:01:00Z"},"source_status":"ok","source_oldest":"2025-12-01T12:00:00Z",` +
		`"retention_deadline":"2026-05-28T10:00:00Z","retention_left_seconds":7596000,"clock_skew_seconds":-1}
{"stream":"archive","status":"damaged","problem":"journal corrupt","source":"https://a.example","destination":"file:///a",` +
		`"serial":0,"clock":"server","source_status":"ok","source_oldest":"2025-12-01T12:00:00Z","clock_skew_seconds":-1}
`
	if diff := cmp.Diff(wantLines, lines.String()); diff != "" {
		t.Errorf("the JSON (-want +got):\n%s", diff)
	}
}

// If the source was not asked, or did not answer, the row says so.
func TestStandingWithoutSource(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		sourceOffline: "not asked", sourceFailed: "source failed", sourceEmpty: "no records",
	} {
		s := Row{Stream: "archive", Status: stream.StateOK, Cursor: march}
		s.compare(sourceState{status: status, now: march.Add(-3 * time.Second), own: march.Add(-3 * time.Second), clock: "local"}, exporter.Retention{})
		var table bytes.Buffer
		if err := Print(&table, []*Row{&s}, "table", march); err != nil || !strings.Contains(table.String(), "  0s*  ") ||
			!strings.HasSuffix(table.String(), "\n* by this machine's clock\n") {
			t.Errorf("%s: the narrow table is, %v\n%s", status, err, &table)
		}
		table.Reset()
		if err := Print(&table, []*Row{&s}, "wide", march); err != nil {
			t.Fatal(err)
		}
		// The cursor is the server's, and its clock may be ahead of ours: that is no lag.
		if got := table.String(); !strings.Contains(got, "  "+want+"  ") || !strings.Contains(got, "  0s (local clock)  ") {
			t.Errorf("%s: want %q in\n%s", status, want, got)
		}
	}
}

// wantNarrow compares the table of TestStandings that fits a terminal.
func wantNarrow(t *testing.T, got string) {
	t.Helper()
	const want = "" +
		"STREAM   STATUS   POSITION              LAG    RECORDS  COUNTED  LEFT\n" +
		"archive  ok       2026-03-01T11:57:47Z  2m13s  20480    -        89d23h\n" +
		"webhook  ok       2026-02-27T10:00:00Z  2d2h   -        -        87d22h\n" +
		"archive  damaged  -                     -      -        -        -\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the narrow table (-want +got):\n%s", diff)
	}
}

// TestTablesFit: for every state of a stream, and however long its numbers are, the tables fit a terminal of 80 columns.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	most, lag, left := int64(1e9-1), (999*24*time.Hour + 23*time.Hour).Seconds(), (99*24*time.Hour + 23*time.Hour).Seconds()
	var all []*Row
	for _, state := range stream.AllStates() {
		all = append(all, &Row{
			Stream: stream.Webhook, Status: state, Cursor: march.Add(time.Microsecond), Lag: &lag, Clock: "local", Records: &most,
			Totals: &checkpoint.Totals{Exact: 1}, Left: &left,
		})
	}
	var b bytes.Buffer
	if err := Print(&b, all, "table", march); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
