package daemon

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// TestMetrics: the daemon exports everything that it counts, with a help text.
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics("acme", "dev")
	m.due = func(_ string, success time.Time) time.Time { return success.Add(12 * time.Minute) }
	var told []string
	m.progress = func(stream string, _ time.Time) { told = append(told, stream) }
	archive := m.Stream(stream.Archive)
	cursor := time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)
	archive.Committed(exporter.Commit{
		Entry: checkpoint.Checkpoint{
			Cursor: cursor, Objects: []checkpoint.Object{{Bytes: 600}, {Bytes: 66}},
			Records:     checkpoint.Counts{Read: 15, Fresh: 7, Duplicate: 3, Late: 1, Self: 6, Excluded: 5},
			ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: 15, AtMost: 15},
			Holes:       make([]checkpoint.Hole, 3), Changed: &checkpoint.Changes{Altered: 2, Gone: 4},
		},
		Lag: 2 * time.Minute, Duration: 1500 * time.Millisecond,
	})
	archive.CaughtUp(cursor.Add(time.Minute), time.Minute)
	archive.Guarded(cursor, cursor.AddDate(0, 3, 0))
	silent := m.Stream(stream.Webhook)
	silent.Guarded(cursor, cursor)
	silent.Guarded(cursor, time.Time{}) // there is no deadline any more
	archive.Clocks(-90 * time.Second)
	archive.Ended(stream.StateFailed, &exporter.Error{Stage: exporter.StageSource, Err: errors.New("timeout")})
	archive.Ended("", exporter.ErrStopped)
	archive.Ended(stream.StateNoJournal, &exporter.Error{Stage: exporter.StageCheckpoint, Err: exporter.ErrJournalGone})
	compactions := m.Compactions()
	compactions.Found(stream.Note{SucceededAt: cursor}, cursor.Add(time.Hour))
	compactions.day(compact.Day{Objects: 9, Bytes: 900, Made: 2, Size: 300})
	compactions.ended(errors.New("x"), stream.Note{}, cursor.Add(time.Hour))
	verifications := m.Verifications(stream.Archive)
	m.Verifications(stream.Webhook)
	verifications.Found(stream.Note{SucceededAt: cursor}, cursor.Add(time.Minute))
	verifications.looked(&verify.Report{
		Streams: []verify.Stream{{Entries: 300}, {Entries: 20}}, Objects: 7, Counts: map[verify.Severity]int{verify.Error: 2, verify.Info: 3},
	}, 1500*time.Millisecond)
	verifications.looked(&verify.Report{Objects: 1, Unread: []string{"503"}}, 2*time.Second) // which says nothing of findings
	verifications.looked(nil, time.Hour)
	verifications.ended(stream.ErrTampered, stream.Note{}, cursor)
	m.Request("200", 20*time.Millisecond)
	m.Request("timeout", 30*time.Second)
	m.Retry("timeout")
	m.Posted(webhook.Attempt{Status: http.StatusServiceUnavailable})
	m.Posted(webhook.Attempt{})
	m.Reposted(webhook.Retry{Number: 1, Reason: "503", Err: errors.New("busy")})

	if len(told) != 2 || told[0] != stream.Archive || told[1] != stream.Archive {
		t.Errorf("progress was told of %v, want twice of the archive", told)
	}
	answer := httptest.NewRecorder()
	m.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	for _, want := range []string{
		`houndtrail_commit_duration_seconds{stream="archive",tenant="acme"} 1.5`,
		`houndtrail_changed_records_total{how="altered",stream="archive",tenant="acme"} 2`,
		`houndtrail_changed_records_total{how="gone",stream="archive",tenant="acme"} 4`,
		`houndtrail_changed_records_total{how="gone",stream="webhook",tenant="acme"} 0`,
		`houndtrail_clock_skew_seconds{stream="archive",tenant="acme"} -90`,
		`houndtrail_compact_bytes_total{kind="made",stream="archive",tenant="acme"} 300`,
		`houndtrail_compact_bytes_total{kind="replaced",stream="archive",tenant="acme"} 900`,
		`houndtrail_compact_days_total{stream="archive",tenant="acme"} 1`,
		`houndtrail_compact_last_success_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664005e+09`,
		`houndtrail_compact_objects_total{kind="made",stream="archive",tenant="acme"} 2`,
		`houndtrail_compact_objects_total{kind="replaced",stream="archive",tenant="acme"} 9`,
		`houndtrail_compact_runs_total{result="ok",stream="archive",tenant="acme"} 0`,
		`houndtrail_compact_runs_total{result="unexpected",stream="archive",tenant="acme"} 1`,
		`houndtrail_counted_records_total{count="exact",stream="archive",tenant="acme"} 15`,
		`houndtrail_bytes_total{stream="archive",tenant="acme"} 666`,
		`houndtrail_bytes_total{stream="webhook",tenant="acme"} 0`,
		`houndtrail_counted_records_total{count="unknown",stream="archive",tenant="acme"} 0`,
		`houndtrail_cycles_total{result="integrity",stream="archive",tenant="acme"} 1`,
		`houndtrail_cycles_total{result="ok",stream="archive",tenant="acme"} 0`,
		`houndtrail_cycles_total{result="source",stream="archive",tenant="acme"} 1`,
		`houndtrail_cycles_total{result="stopped",stream="archive",tenant="acme"} 1`,
		`houndtrail_cycles_total{result="unexpected",stream="webhook",tenant="acme"} 0`,
		`houndtrail_last_success_timestamp_seconds{stream="webhook",tenant="acme"} 0`,
		`houndtrail_stream_stopped{reason="no_journal",stream="archive",tenant="acme"} 1`,
		`houndtrail_stream_stopped{reason="no_journal",stream="webhook",tenant="acme"} 0`,
		`houndtrail_holes_total{stream="archive",tenant="acme"} 3`,
		`houndtrail_holes_total{stream="webhook",tenant="acme"} 0`,
		`houndtrail_commits_total{stream="archive",tenant="acme"} 1`,
		`houndtrail_compact_due_timestamp_seconds{stream="archive",tenant="acme"} 1.7723700005e+09`,
		`houndtrail_verification_due_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664005e+09`,
		`houndtrail_success_due_timestamp_seconds{stream="archive",tenant="acme"} `,
		`houndtrail_commits_total{stream="webhook",tenant="acme"} 0`,
		`houndtrail_cursor_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664605e+09`,
		`houndtrail_lag_seconds{stream="archive",tenant="acme"} 60`,
		`houndtrail_last_success_timestamp_seconds{stream="archive",tenant="acme"} `,
		`houndtrail_objects_total{stream="archive",tenant="acme"} 2`,
		`houndtrail_records_total{kind="duplicate",stream="archive",tenant="acme"} 3`,
		`houndtrail_records_total{kind="fresh",stream="archive",tenant="acme"} 7`,
		`houndtrail_records_total{kind="late",stream="archive",tenant="acme"} 1`,
		`houndtrail_records_total{kind="late",stream="webhook",tenant="acme"} 0`,
		`houndtrail_records_total{kind="read",stream="archive",tenant="acme"} 15`,
		`houndtrail_records_total{kind="self",stream="archive",tenant="acme"} 6`,
		`houndtrail_records_total{kind="self",stream="webhook",tenant="acme"} 0`,
		`houndtrail_records_total{kind="excluded",stream="archive",tenant="acme"} 5`,
		`houndtrail_request_duration_seconds_count{tenant="acme"} 2`,
		`houndtrail_requests_total{status="200",tenant="acme"} 1`,
		`houndtrail_requests_total{status="timeout",tenant="acme"} 1`,
		`houndtrail_retries_total{reason="timeout",tenant="acme"} 1`,
		`houndtrail_webhook_retries_total{reason="503",tenant="acme"} 1`,
		`houndtrail_retention_deadline_timestamp_seconds{stream="archive",tenant="acme"} 1.7803152005e+09`,
		`houndtrail_source_oldest_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664005e+09`,
		`houndtrail_stream_state{state="failed",stream="archive",tenant="acme"} 0`,
		`houndtrail_stream_state{state="no_journal",stream="archive",tenant="acme"} 1`,
		`houndtrail_stream_state{state="ok",stream="webhook",tenant="acme"} 0`,
		`houndtrail_verification_duration_seconds{stream="archive",tenant="acme"} 2`,
		`houndtrail_verification_entries_total{stream="archive",tenant="acme"} 320`,
		`houndtrail_verification_findings{severity="error",stream="archive",tenant="acme"} 2`,
		`houndtrail_verification_findings{severity="info",stream="archive",tenant="acme"} 3`,
		`houndtrail_verification_findings{severity="warn",stream="webhook",tenant="acme"} 0`,
		`houndtrail_verification_last_success_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664005e+09`,
		`houndtrail_verification_last_success_timestamp_seconds{stream="webhook",tenant="acme"} 0`,
		`houndtrail_verification_objects_total{stream="archive",tenant="acme"} 8`,
		`houndtrail_verification_runs_total{result="integrity",stream="archive",tenant="acme"} 1`,
		`houndtrail_verification_runs_total{result="ok",stream="webhook",tenant="acme"} 0`,
		`houndtrail_webhook_posts_total{status="0",tenant="acme"} 1`,
		`houndtrail_webhook_posts_total{status="503",tenant="acme"} 1`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	if strings.Contains(text, `retention_deadline_timestamp_seconds{stream="webhook"`) {
		t.Error("a deadline that is no more is still exported")
	}
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		name, help := family.GetName(), family.GetHelp()
		if strings.HasPrefix(name, "houndtrail_") && !strings.HasSuffix(help, ".") {
			t.Errorf("the help of %s is no sentence: %q", name, help)
		}
	}
}

// TestMetricsAtTheStart: before the first success, the metrics have the journal's values.
func TestMetricsAtTheStart(t *testing.T) {
	t.Parallel()
	m := NewMetrics("acme", "dev")
	m.progress = func(string, time.Time) {
		t.Error("what was committed by an earlier process is no progress of this one")
	}
	m.due = func(_ string, success time.Time) time.Time { return success.Add(12 * time.Minute) }
	cursor := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m.Stream(stream.Archive).Found(checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{
		Serial: 7, Cursor: cursor, CommittedAt: cursor.Add(2 * time.Minute), Oldest: checkpoint.Sighting{CreatedAt: cursor.AddDate(0, -1, 0)},
	}}, cursor.Add(time.Hour), exporter.Retention{Fixed: 24 * time.Hour})
	m.Stream(stream.Webhook).Found(checkpoint.Stored{}, cursor, exporter.Retention{})
	answer := httptest.NewRecorder()
	m.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	for _, want := range []string{
		`houndtrail_last_success_timestamp_seconds{stream="archive",tenant="acme"} 1.77236652e+09`,
		`houndtrail_last_success_timestamp_seconds{stream="webhook",tenant="acme"} 0`,
		`houndtrail_success_due_timestamp_seconds{stream="archive",tenant="acme"} 1.77236724e+09`, // by the journal, and not by the start
		`houndtrail_success_due_timestamp_seconds{stream="webhook",tenant="acme"} 1.77236712e+09`, // by the start
		`houndtrail_cursor_timestamp_seconds{stream="archive",tenant="acme"} 1.7723664e+09`,
		`houndtrail_lag_seconds{stream="archive",tenant="acme"} 3600`,
		`houndtrail_retention_deadline_timestamp_seconds{stream="archive",tenant="acme"} 1.7724528e+09`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	if strings.Contains(text, `houndtrail_cursor_timestamp_seconds{stream="webhook"`) {
		t.Error("a stream without a journal has a position")
	}
}
