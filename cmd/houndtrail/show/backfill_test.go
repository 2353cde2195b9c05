package show

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// shown is the output of a backfill of ten days. Four days are skipped. Each other day takes a second and has 500 records.
type shown struct {
	terminal *bytes.Buffer
	logs     *observer.ObservedLogs
	*Backfill
	clock time.Time
}

func shownOn(moves bool) *shown {
	core, logs := observer.New(zap.InfoLevel)
	s := &shown{terminal: &bytes.Buffer{}, logs: logs, clock: march}
	s.Backfill = NewBackfill(s.terminal, zap.New(core), stream.Webhook)
	s.line.moves, s.now = moves, func() time.Time { return s.clock }
	return s
}

func days(from, to int) window.Window {
	return window.Window{Start: march.AddDate(0, 0, from), End: march.AddDate(0, 0, to)}
}

func tenDays() exporter.BackfillPlan {
	return exporter.BackfillPlan{
		Asked: days(0, 10), Gaps: []window.Window{days(2, 8)}, Resumed: true,
		Skipped: []exporter.Skipped{
			{Window: days(0, 2), Reason: exporter.SkippedEmpty}, {Window: days(8, 10), Reason: exporter.SkippedDone},
		},
	}
}

// work commits n days.
func (s *shown) work(n int) {
	for i := range n {
		s.clock = s.clock.Add(time.Second)
		s.Committed(exporter.Commit{Entry: checkpoint.Checkpoint{
			Window: days(2+i, 3+i), Cursor: days(2, 3+i).End,
			Records: checkpoint.Counts{Fresh: 500}, Objects: make([]checkpoint.Object, 2),
		}})
	}
}

func TestBackfillOnATerminal(t *testing.T) {
	t.Parallel()
	s := shownOn(true)
	s.Planned(tenDays())
	s.work(3)
	var out bytes.Buffer
	if err := s.End(&out, "text", false); err != nil {
		t.Fatal(err)
	}
	const wipe = "\r\x1b[K"
	want := "webhook: backfilling: 2026-03-01T12:00:00Z to 2026-03-11T12:00:00Z\n" +
		"webhook: finishing the window that an interrupted backfill was writing: 2026-03-03T12:00:00Z to 2026-03-09T12:00:00Z\n" +
		"webhook: skipping: 2026-03-01T12:00:00Z to 2026-03-03T12:00:00Z: BloodHound has no record that old\n" +
		"webhook: skipping: 2026-03-09T12:00:00Z to 2026-03-11T12:00:00Z: an earlier backfill delivered it\n" +
		wipe + "webhook [....................]   0%  0 records" +
		wipe + "webhook [###.................]  16%  500 records, 500/s, 5s left" +
		wipe + "webhook [######..............]  33%  1000 records, 500/s, 4s left" +
		wipe + "webhook [##########..........]  50%  1500 records, 500/s, 3s left" + wipe
	if diff := cmp.Diff(want, s.terminal.String()); diff != "" {
		t.Errorf("the terminal (-want +got):\n%s", diff)
	}
	const stopped = "webhook: stopped at 50% of 2026-03-01T12:00:00Z to 2026-03-11T12:00:00Z: 1500 records in 6 batches; " +
		"the same command goes on from there\n"
	if diff := cmp.Diff(stopped, out.String()); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	if s.logs.Len() > 0 {
		t.Errorf("the log says %v", s.logs.All())
	}
}

func TestBackfillInAPipe(t *testing.T) {
	t.Parallel()
	s := shownOn(false)
	s.Planned(tenDays())
	s.logs.TakeAll()
	s.work(6) // the log has a line at the fifth second, and no other before the tenth
	if s.terminal.Len() > 0 {
		t.Errorf("a line was drawn: %q", s.terminal)
	}
	var got []map[string]any
	for _, entry := range s.logs.All() {
		fields := entry.ContextMap()
		fields["msg"] = entry.Message
		got = append(got, fields)
	}
	want := []map[string]any{{
		"msg": "progress", "stream": "webhook", "percent": 83.3, "cursor": days(2, 7).End,
		"records": int64(2500), "records_per_second": int64(500), "left": time.Second,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}

	var out bytes.Buffer
	if err := s.End(&out, "text", true); err != nil {
		t.Fatal(err)
	}
	if err := s.End(&out, "json", true); err != nil {
		t.Fatal(err)
	}
	const summary = "webhook: backfilled 2026-03-01T12:00:00Z to 2026-03-11T12:00:00Z: 3000 records in 12 batches, in 6s\n" +
		`{"stream":"webhook","status":"done","from":"2026-03-01T12:00:00Z","to":"2026-03-11T12:00:00Z",` +
		`"windows":6,"records":3000,"objects":12,"percent":100,"seconds":6,"skipped":[` +
		`{"from":"2026-03-01T12:00:00Z","to":"2026-03-03T12:00:00Z","reason":"BloodHound has no record that old"},` +
		`{"from":"2026-03-09T12:00:00Z","to":"2026-03-11T12:00:00Z","reason":"an earlier backfill delivered it"}]}` + "\n"
	if diff := cmp.Diff(summary, out.String()); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
}

// If a backfill fails before it has a plan, it shows nothing.
func TestBackfillWithoutAPlan(t *testing.T) {
	t.Parallel()
	s := shownOn(true)
	var out bytes.Buffer
	if err := s.End(&out, "json", false); err != nil || out.Len()+s.terminal.Len() > 0 {
		t.Errorf("%v, %q, %q", err, &out, s.terminal)
	}
}
