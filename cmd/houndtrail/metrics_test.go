package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter"
	"houndtrail/sink/webhook"
)

// TestMetrics: everything that is counted is exported, with a help text.
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	var told []string
	m.progress = func(stream string, _ time.Time) { told = append(told, stream) }
	archive := m.stream(archiveStream)
	cursor := time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)
	archive.Committed(exporter.Commit{
		Entry: checkpoint.Checkpoint{
			Cursor: cursor, Objects: make([]checkpoint.Object, 2),
			Records:     checkpoint.Counts{Read: 15, Fresh: 7, Duplicate: 3, Late: 1, Self: 6, Excluded: 5},
			ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: 15, AtMost: 15},
			Holes:       make([]checkpoint.Hole, 3), Changed: &checkpoint.Changes{Altered: 2, Gone: 4},
		},
		Lag: 2 * time.Minute, Duration: 1500 * time.Millisecond,
	})
	archive.CaughtUp(cursor.Add(time.Minute), time.Minute)
	archive.Guarded(cursor, cursor.AddDate(0, 3, 0))
	silent := m.stream(webhookStream)
	silent.Guarded(cursor, cursor)
	silent.Guarded(cursor, time.Time{}) // no limit any more
	archive.Clocks(-90 * time.Second)
	m.stands(archiveStream, stateFailed)
	m.stands(archiveStream, stateNoJournal)
	m.Request("200", 20*time.Millisecond)
	m.Request("timeout", 30*time.Second)
	m.Retry("timeout")
	m.attempt(webhook.Attempt{Status: http.StatusServiceUnavailable})
	m.attempt(webhook.Attempt{})
	m.retried(webhook.Retry{Number: 1, Reason: "503", Err: errors.New("busy")})

	if len(told) != 2 || told[0] != archiveStream || told[1] != archiveStream {
		t.Errorf("progress was told of %v, want twice of the archive", told)
	}
	answer := httptest.NewRecorder()
	m.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	for _, want := range []string{
		`houndtrail_commit_duration_seconds{stream="archive"} 1.5`,
		`houndtrail_changed_records_total{how="altered",stream="archive"} 2`,
		`houndtrail_changed_records_total{how="gone",stream="archive"} 4`,
		`houndtrail_changed_records_total{how="gone",stream="webhook"} 0`,
		`houndtrail_clock_skew_seconds{stream="archive"} -90`,
		`houndtrail_counted_records_total{count="exact",stream="archive"} 15`,
		`houndtrail_holes_total{stream="archive"} 3`,
		`houndtrail_holes_total{stream="webhook"} 0`,
		`houndtrail_commits_total{stream="archive"} 1`,
		`houndtrail_commits_total{stream="webhook"} 0`,
		`houndtrail_cursor_timestamp_seconds{stream="archive"} 1.7723664605e+09`,
		`houndtrail_lag_seconds{stream="archive"} 60`,
		`houndtrail_last_success_timestamp_seconds{stream="archive"} `,
		`houndtrail_objects_total{stream="archive"} 2`,
		`houndtrail_records_total{kind="duplicate",stream="archive"} 3`,
		`houndtrail_records_total{kind="fresh",stream="archive"} 7`,
		`houndtrail_records_total{kind="late",stream="archive"} 1`,
		`houndtrail_records_total{kind="late",stream="webhook"} 0`,
		`houndtrail_records_total{kind="read",stream="archive"} 15`,
		`houndtrail_records_total{kind="self",stream="archive"} 6`,
		`houndtrail_records_total{kind="self",stream="webhook"} 0`,
		`houndtrail_records_total{kind="excluded",stream="archive"} 5`,
		`houndtrail_request_duration_seconds_count 2`,
		`houndtrail_requests_total{status="200"} 1`,
		`houndtrail_requests_total{status="timeout"} 1`,
		`houndtrail_retries_total{reason="timeout"} 1`,
		`houndtrail_webhook_retries_total{reason="503"} 1`,
		`houndtrail_retention_deadline_timestamp_seconds{stream="archive"} 1.7803152005e+09`,
		`houndtrail_source_oldest_timestamp_seconds{stream="archive"} 1.7723664005e+09`,
		`houndtrail_stream_state{state="failed",stream="archive"} 0`,
		`houndtrail_stream_state{state="no_journal",stream="archive"} 1`,
		`houndtrail_stream_state{state="ok",stream="webhook"} 0`,
		`houndtrail_webhook_posts_total{status="0"} 1`,
		`houndtrail_webhook_posts_total{status="503"} 1`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	if strings.Contains(text, `retention_deadline_timestamp_seconds{stream="webhook"}`) {
		t.Error("a deadline that is no more is still exported")
	}
	families, err := m.registry.Gather()
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
