package page

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// drawn is a calendar as a word, with a letter for each day.
func drawn(c *calendar) string {
	if c == nil {
		return ""
	}
	var b strings.Builder
	for _, m := range c.Months {
		for _, s := range m.Squares {
			b.WriteString(map[state]string{outside: "-", empty: "0", exact: "e", bounded: "b", unknown: "u", gap: "g", forgotten: "x", finding: "f"}[s.State])
		}
	}
	return b.String()
}

// TestCalendar: a day has the state of its weakest part.
func TestCalendar(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	d := func(n int) time.Time { return at.AddDate(0, 0, n) }
	hole := func(w *writer) {
		w.entry(checkpoint.Checkpoint{
			Kind: checkpoint.KindExport, Window: window.Window{Start: w.cursor, End: d(1)}, Holes: []checkpoint.Hole{{CreatedAt: d(0)}},
			ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact},
		})
	}
	late := func(w *writer, status string) {
		w.entry(checkpoint.Checkpoint{
			Kind: checkpoint.KindRescan, Window: window.Window{Start: d(1), End: d(2)}, Records: checkpoint.Counts{Fresh: 1},
			ServerCount: &checkpoint.ServerCount{Status: status}, Objects: []checkpoint.Object{object(d(0), d(1), 1)},
		})
	}
	for _, test := range []struct {
		name  string
		write func(w *writer)
		want  string
	}{
		{"nothing", func(*writer) {}, ""},
		{"exact", func(w *writer) { w.export(d(3), checkpoint.CountExact, 2, 2, 2) }, "eee"},
		{"empty", func(w *writer) { w.export(d(3), checkpoint.CountExact, 2, 0, 2) }, "e0e"},
		{"empty by no count", func(w *writer) { w.export(d(2), "", 2, 0) }, "uu"},
		{"off", func(w *writer) { w.export(d(1), checkpoint.CountOff, 2) }, "u"},
		{"a later version's word", func(w *writer) { w.export(d(1), "new", 2) }, "u"},
		{"the weakest part", func(w *writer) {
			w.export(d(1).Add(time.Hour), checkpoint.CountExact, 1, 1)
			w.export(d(2).Add(time.Hour), checkpoint.CountBounded, 1, 1)
			w.export(d(4), checkpoint.CountExact, 1, 1)
		}, "ebbe"},
		{"a part of a day", func(w *writer) { w.export(d(1).Add(time.Second), checkpoint.CountExact, 1, 1) }, "ee"},
		{"a gap", func(w *writer) {
			w.export(d(1), checkpoint.CountExact, 1)
			w.cursor = d(2).Add(time.Microsecond)
			w.export(d(4), checkpoint.CountExact, 1, 1)
		}, "egge"},
		{"a hole", func(w *writer) { hole(w); w.export(d(2), checkpoint.CountExact, 1) }, "ge"},
		{"late records without a count", func(w *writer) { w.export(d(3), checkpoint.CountExact, 1, 1, 1); late(w, checkpoint.CountUnknown) }, "uue"},
		{"late records, counted", func(w *writer) { w.export(d(3), checkpoint.CountExact, 1, 1, 1); late(w, checkpoint.CountExact) }, "eee"},
		{"an adoption", func(w *writer) {
			w.export(d(2), checkpoint.CountExact, 1, 1)
			w.entry(checkpoint.Checkpoint{Kind: checkpoint.KindAdopt, Adopted: &checkpoint.Adoption{From: d(0), To: d(2)}})
			w.export(d(3), checkpoint.CountExact, 1)
		}, "uue"},
		{"a backfill", func(w *writer) {
			w.export(d(1), checkpoint.CountExact, 1)
			b := &writer{Account: w.Account, stream: "archive-backfill", cursor: d(-3)}
			b.export(d(-1), checkpoint.CountBounded, 1, 1)
		}, "bb-e"},
		{"a compaction", func(w *writer) {
			w.export(d(1), checkpoint.CountExact, 3)
			w.entry(checkpoint.Checkpoint{
				Kind: checkpoint.KindCompact, Compacted: &checkpoint.Compaction{Day: "2026-03-01", Duplicates: 3},
				Objects: []checkpoint.Object{object(d(0), d(0), 3)},
			})
		}, "0"},
		{"a removal on purpose", func(w *writer) {
			hole(w)
			w.export(d(4), checkpoint.CountExact, 3, 0, 3)
			w.entry(checkpoint.Checkpoint{Kind: checkpoint.KindForget, Forgotten: &checkpoint.Forgetting{
				Before: d(2), Reason: "x", Removed: []checkpoint.Removal{{Key: object(d(0), d(0), 3).Key}, {Key: object(d(1), d(1), 3).Key}},
			}})
		}, "xx0e"},
	} {
		w := &writer{Account: NewAccount(false, journals()...), stream: "archive", start: at, cursor: at}
		test.write(w)
		if got := drawn(w.archive.calendar(time.Time{}, time.Time{}, nil, true)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestReceiver: the webhook's journal does not tell the records of a day, so no day counts as empty.
func TestReceiver(t *testing.T) {
	t.Parallel()
	a := NewAccount(false, journals()...)
	w := &writer{Account: a, stream: "webhook", start: begin, cursor: begin}
	w.export(begin.AddDate(0, 0, 1), checkpoint.CountExact)
	if got := drawn(a.receiver.calendar(time.Time{}, time.Time{}, nil, false)); got != "ee" || a.archive.calendar(time.Time{}, time.Time{}, nil, true) != nil {
		t.Errorf("%s, or the archive has days", got)
	}
}

// TestPeriod: a calendar has the days of the period and the days with findings, and leaves out a long empty time.
func TestPeriod(t *testing.T) {
	t.Parallel()
	at := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	w := &writer{Account: NewAccount(false, journals()...), stream: "archive", start: at, cursor: at}
	w.export(begin.Truncate(24*time.Hour), checkpoint.CountUnknown)
	w.export(begin.Truncate(24*time.Hour).AddDate(0, 0, 3), checkpoint.CountExact, 1, 1, 1)
	none := time.Time{}
	c := w.archive.calendar(none, none, nil, true)
	if got := drawn(c); got != "eee" || !strings.Contains(c.Before, "2025-12-31 there is no record") || !strings.Contains(c.Before, " are unknown") {
		t.Errorf("since 1970: %s, %q", got, c.Before)
	}
	first := begin.Truncate(24 * time.Hour)
	c = w.archive.calendar(first.AddDate(0, 0, -1), first.AddDate(0, 0, 1), map[int64]bool{day(first): true, day(first) + 1: true}, true)
	if got := drawn(c); got != "uf" || len(c.Look) != 2 {
		t.Errorf("of two days: %s, %q", got, c.Look)
	}
	forged := &writer{Account: NewAccount(false, journals()...), stream: "archive", start: at.AddDate(-1900, 0, 0), cursor: at.AddDate(-1900, 0, 0)}
	forged.export(at.AddDate(8000, 0, 0), checkpoint.CountUnknown)
	if c := forged.archive.calendar(none, none, map[int64]bool{0: true}, true); len(drawn(c)) > mostDays {
		t.Errorf("%d days", len(drawn(c)))
	}
}

// TestSpans compares the spans with a plain union of windows, which come in any order.
func TestSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Hour) }
		var s spans
		var all []window.Window
		for range rapid.IntRange(0, 12).Draw(t, "windows") {
			start := rapid.IntRange(0, 40).Draw(t, "start")
			w := window.Window{Start: at(start), End: at(start + rapid.IntRange(0, 6).Draw(t, "length"))}
			s.add(w)
			all = append(all, w)
		}
		whole := window.Window{Start: at(3), End: at(33)}
		want := window.Gaps(whole, window.Gaps(whole, all)) // joins neighbours
		if got := s.within(whole); len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		} else {
			for i := range got {
				if !got[i].Equal(want[i]) {
					t.Fatalf("%v, want %v", got, want)
				}
			}
		}
	})
}
