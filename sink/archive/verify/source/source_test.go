package source_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/source"
)

const day = 24 * time.Hour

func base() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// at is the base and so many hours.
func at(hours int) time.Time { return base().Add(time.Duration(hours) * time.Hour) }

// fake is a server with records at these times.
type fake struct {
	rows  []time.Time
	asked int
	mute  bool              // it tells no count
	whole bool              // its count ignores the filter
	each  func(nth int)     // it is called before each count
	fails func(n int) error // it returns the error of the nth count
}

func (f *fake) CountBefore(_ context.Context, t time.Time) (n int64, known bool, err error) {
	f.asked++
	if f.each != nil {
		f.each(f.asked)
	}
	if f.fails != nil && f.fails(f.asked) != nil {
		return 0, false, f.fails(f.asked)
	}
	for _, row := range f.rows {
		if f.whole || row.Before(t) {
			n++
		}
	}
	return n, !f.mute, nil
}

func (f *fake) Read(_ context.Context, from, until time.Time, use func([]record.Record) error) error {
	for i, row := range f.rows {
		if (window.Window{Start: from, End: until}).Contains(row) {
			if err := use([]record.Record{{ID: int64(i + 1), CreatedAt: row}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// none is an archive without a file.
type none struct{ bucket.Opener }

func (none) List(context.Context, string, string) ([]string, error) { return nil, nil }
func (none) Folders(context.Context, string) ([]string, error)      { return nil, nil }

// A ledger makes entries of journals.
type ledger struct {
	*source.Account
	start, cursor time.Time
	serial        uint64
}

func newLedger() *ledger {
	return &ledger{
		Account: source.NewAccount(verify.Journal{Name: "archive", Files: true}, verify.Journal{Name: "archive-backfill", Files: true, AnyOrder: true}),
		start:   base(), cursor: base(),
	}
}

// entry adds an entry of the archive's journal, which delivers records of these times.
func (l *ledger) entry(kind checkpoint.Kind, until int, rows []time.Time, change ...func(*checkpoint.Stored)) {
	l.serial++
	e := checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{
		Kind: kind, Tenant: "acme", Stream: "archive", Serial: l.serial, Start: l.start,
		Window: window.Window{Start: l.cursor, End: at(until)}, CommittedAt: at(until),
	}}
	l.cursor = at(until)
	e.Cursor = l.cursor
	e.Objects = objects(e.Window, rows)
	for _, c := range change {
		c(&e)
	}
	l.Entry(e)
}

func objects(w window.Window, rows []time.Time) (all []checkpoint.Object) {
	count := map[time.Time]int{}
	for _, row := range rows {
		count[row.Truncate(day)]++
	}
	for of, n := range count {
		key := read.Object{Tenant: "acme", Day: of, Start: w.Start, Extension: ".parquet"}
		all = append(all, checkpoint.Object{Key: key.Key(), Records: n})
	}
	return all
}

func compare(t interface{ Context() context.Context }, l *ledger, f *fake, change ...func(*source.Options)) (*source.Result, error) {
	o := source.Options{
		Server: f, Name: "https://hound", Files: none{}, Now: l.cursor.Add(time.Minute), Overlap: 10 * time.Minute,
	}
	for _, c := range change {
		c(&o)
	}
	return source.Compare(t.Context(), l.Account, o)
}

func states(r *source.Result) string {
	var all []string
	for _, d := range r.Days {
		all = append(all, strings.TrimPrefix(d.Day, "2026-")+" "+string(d.State))
	}
	return strings.Join(all, ", ")
}

func TestCompare(t *testing.T) {
	rows := []time.Time{at(1), at(2), at(25), at(49), at(71)}
	for name, test := range map[string]struct {
		archive, server []time.Time
		entries         func(l *ledger)
		change          func(*source.Options)
		want            string
	}{
		"alike":                {rows, rows, nil, nil, "03-01 equal, 03-02 equal, 03-03 equal"},
		"one is missing":       {rows[1:], rows, nil, nil, "03-01 missing, 03-02 equal, 03-03 equal"},
		"a whole day":          {slices.Delete(slices.Clone(rows), 2, 3), rows, nil, nil, "03-01 equal, 03-02 missing, 03-03 equal"},
		"all of it":            {nil, rows, nil, nil, "03-01 missing, 03-02 missing, 03-03 missing"},
		"retention":            {rows, rows[3:], nil, nil, "03-01 dropped, 03-02 dropped, 03-03 equal"},
		"retention of a part":  {rows, rows[1:], nil, nil, "03-01 more, 03-02 equal, 03-03 equal"},
		"lost in the middle":   {rows, slices.Delete(slices.Clone(rows), 2, 3), nil, nil, "03-01 equal, 03-02 more, 03-03 equal"},
		"an empty server":      {rows, nil, nil, nil, "03-01 more, 03-02 more, 03-03 more"},
		"nothing on both":      {nil, nil, nil, nil, ""},
		"late, not due":        {rows, append(slices.Clone(rows), at(72).Add(-time.Minute)), nil, nil, "03-01 equal, 03-02 equal, 03-03 pending"},
		"late, and due":        {rows, append(slices.Clone(rows), at(72).Add(-time.Hour)), nil, nil, "03-01 equal, 03-02 equal, 03-03 missing"},
		"newer than the end":   {rows, append(slices.Clone(rows), at(73)), nil, nil, "03-01 equal, 03-02 equal, 03-03 equal"},
		"older than the start": {rows, append(slices.Clone(rows), at(-3)), nil, nil, "03-01 equal, 03-02 equal, 03-03 equal"},
		"since":                {rows[1:], rows, nil, func(o *source.Options) { o.Since = at(24) }, "03-02 equal, 03-03 equal"},
		"until":                {rows[1:], rows, nil, func(o *source.Options) { o.Until = at(24) }, "03-01 missing"},
		"a stream that stands": {
			rows, append(slices.Clone(rows), at(80), at(100)), nil, func(o *source.Options) { o.Due = at(120) },
			"03-01 equal, 03-02 equal, 03-03 equal, 03-04 missing, 03-05 missing",
		},
		"a hole": {rows[1:], rows, func(l *ledger) {
			for range 2 { // a search finds the same hole again
				l.entry(checkpoint.KindRescan, 72, nil, func(e *checkpoint.Stored) {
					e.Holes = []checkpoint.Hole{{CreatedAt: at(1), Reason: "unreadable"}}
				})
			}
		}, nil, "03-01 explained, 03-02 equal, 03-03 equal"},
		"a hole explains one": {rows[2:], rows, func(l *ledger) {
			for range 2 {
				l.entry(checkpoint.KindRescan, 72, nil, func(e *checkpoint.Stored) {
					e.Holes = []checkpoint.Hole{{CreatedAt: at(1), Reason: "unreadable"}}
				})
			}
		}, nil, "03-01 missing, 03-02 equal, 03-03 equal"},
		"left out": {rows[1:], rows, func(l *ledger) {
			l.entry(checkpoint.KindExport, 72, nil, func(e *checkpoint.Stored) {
				e.Window = window.Window{Start: at(0), End: at(5)}
				e.Records.Excluded = 1
			})
		}, nil, "03-01 explained, 03-02 equal, 03-03 equal"},
		"forgotten": {rows, rows[2:], func(l *ledger) {
			l.entry(checkpoint.KindForget, 72, nil, func(e *checkpoint.Stored) { e.ForgottenBefore = at(24) })
		}, nil, "03-01 not-compared, 03-02 equal, 03-03 equal"},
		"another source": {rows, rows[2:], func(l *ledger) {
			l.entry(checkpoint.KindReset, 72, nil, func(e *checkpoint.Stored) { e.Reset, e.CommittedAt = &checkpoint.Reset{}, at(26) })
		}, nil, "03-01 not-compared, 03-02 not-compared, 03-03 equal"},
		"compacted": {append(slices.Clone(rows), rows[0]), rows, func(l *ledger) {
			l.entry(checkpoint.KindCompact, 72, nil, func(e *checkpoint.Stored) {
				e.Compacted = &checkpoint.Compaction{Day: "2026-03-01", Duplicates: 1}
				e.Objects = objects(window.Window{Start: at(0)}, rows[:2])
			})
		}, nil, "03-01 equal, 03-02 equal, 03-03 equal"},
		"backfilled": {rows, append(slices.Clone(rows), at(-30), at(-29)), func(l *ledger) {
			w := window.Window{Start: at(-48), End: at(-24)}
			l.Entry(checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{
				Kind: checkpoint.KindExport, Stream: "archive-backfill", Tenant: "acme", Serial: 1, Window: w, Cursor: w.End,
				Covered: []window.Window{w}, Objects: objects(w, []time.Time{at(-30)}),
			}})
		}, nil, "02-27 missing, 03-01 equal, 03-02 equal, 03-03 equal"},
		"delivered before its time": {append(slices.Clone(rows), at(73)), append(slices.Clone(rows), at(73)), func(l *ledger) {
			l.entry(checkpoint.KindAhead, 72, []time.Time{at(73).Add(time.Hour)})
			l.entry(checkpoint.KindExport, 74, nil)
		}, nil, "03-01 equal, 03-02 equal, 03-03 equal, 03-04 more"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			l.entry(checkpoint.KindExport, 72, test.archive)
			if test.entries != nil {
				test.entries(l)
			}
			var change []func(*source.Options)
			if test.change != nil {
				change = append(change, test.change)
			}
			r, err := compare(t, l, &fake{rows: test.server}, change...)
			if err != nil {
				t.Fatal(err)
			}
			if got := states(r); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			errs := 0
			for _, f := range r.Findings("archive") {
				if f.Severity == verify.Error {
					errs++
				}
			}
			if errs != strings.Count(test.want, "missing") {
				t.Errorf("%d errors: %+v", errs, r.Findings("archive"))
			}
		})
	}
}

// TestCompareProperty: for any records on both sides, the states name the missing ones, with exact numbers and few requests.
func TestCompareProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(1, 90).Draw(t, "days")
		l, f := newLedger(), &fake{}
		missing := map[string]int64{}
		var rows []time.Time
		for i := range days {
			if !rapid.Bool().Draw(t, "any") {
				continue
			}
			here, there := rapid.IntRange(0, 3).Draw(t, "archive"), rapid.IntRange(0, 3).Draw(t, "server")
			for n := range max(here, there) {
				row := at(24*i + rapid.IntRange(0, 22).Draw(t, "hour"))
				if n < here {
					rows = append(rows, row)
				}
				if n < there {
					f.rows = append(f.rows, row)
				}
			}
			if there > here {
				missing[at(24*i).Format(time.DateOnly)] = int64(there - here)
			}
		}
		l.entry(checkpoint.KindExport, 24*days, rows)
		r, err := compare(t, l, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Days {
			if d.Missing != missing[d.Day] || (d.State == source.Missing) != (d.Missing > 0) || d.AtLeast != d.AtMost {
				t.Errorf("%+v, want %d missing", d, missing[d.Day])
			}
			delete(missing, d.Day)
		}
		if len(missing) > 0 {
			t.Errorf("not told: %v", missing)
		}
		if f.asked > 4*days+20 {
			t.Errorf("%d counts of %d days", f.asked, days)
		}
	})
}

// TestAhead: a record that was delivered before its time does not replace one that is missing before the position.
func TestAhead(t *testing.T) {
	l := newLedger()
	l.entry(checkpoint.KindExport, 72, nil)
	l.entry(checkpoint.KindAhead, 72, []time.Time{at(80)})
	l.entry(checkpoint.KindExport, 74, nil)
	r, err := compare(t, l, &fake{rows: []time.Time{at(73), at(80)}})
	if !errors.Is(err, source.ErrUncounted) || states(r) != "03-04 uncounted" {
		t.Errorf("%+v, %v", r, err)
	}
	l.entry(checkpoint.KindExport, 96, nil)
	if r, err = compare(t, l, &fake{rows: []time.Time{at(73), at(80)}}); err != nil || states(r) != "03-04 missing" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestChangesMeanwhile: if a server changes while it counts, Compare counts again. If the server keeps changing, Compare claims only
// bounds.
func TestChangesMeanwhile(t *testing.T) {
	rows := []time.Time{at(1), at(2), at(25), at(26)}
	for name, test := range map[string]struct {
		each func(f *fake, nth int)
		want string
		err  bool
	}{
		"new records":     {func(f *fake, _ int) { f.rows = append(f.rows, at(72)) }, "03-01 equal, 03-02 equal", false},
		"a drop, once":    {func(f *fake, nth int) { f.drop(nth == 4) }, "03-01 more, 03-02 equal", false},
		"a late record":   {func(f *fake, nth int) { f.late(nth == 4) }, "03-01 missing, 03-02 equal", false},
		"all of the time": {func(f *fake, nth int) { f.late(nth%2 == 0) }, "03-01 missing, 03-02 uncounted", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			l.entry(checkpoint.KindExport, 48, rows)
			f := &fake{rows: slices.Clone(rows)}
			f.each = func(nth int) { test.each(f, nth) }
			r, err := compare(t, l, f)
			if errors.Is(err, source.ErrUncounted) != test.err || err != nil && !test.err {
				t.Fatal(err)
			}
			if got := states(r); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func (f *fake) drop(now bool) {
	if now {
		f.rows = f.rows[1:]
	}
}

func (f *fake) late(now bool) {
	if now {
		f.rows = append(f.rows, at(3))
	}
}

// TestUncounted: if the server does not count, Compare claims nothing.
func TestUncounted(t *testing.T) {
	down := errors.New("down")
	for name, f := range map[string]*fake{
		"no count":    {mute: true},
		"whole count": {whole: true, rows: []time.Time{at(1)}},
		"down":        {fails: func(int) error { return down }},
		"down later":  {fails: func(n int) error { return map[bool]error{true: down}[n > 3] }},
	} {
		l := newLedger()
		l.entry(checkpoint.KindExport, 48, []time.Time{at(1)})
		r, err := compare(t, l, f)
		if r != nil || !errors.Is(err, source.ErrUncounted) && !errors.Is(err, down) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestLongEmpty: if a stream begins at the beginning of time, Compare does not ask for each day since then.
func TestLongEmpty(t *testing.T) {
	l := newLedger()
	l.start, l.cursor = time.Time{}, time.Time{}
	l.entry(checkpoint.KindExport, 48, []time.Time{at(1)})
	f := &fake{rows: []time.Time{at(1), at(-24 * 365 * 30)}}
	r, err := compare(t, l, f)
	if err != nil || states(r) != "1996-03-08 missing, 03-01 equal" || f.asked > 150 {
		t.Errorf("%s, %v, after %d requests", states(r), err, f.asked)
	}
	if ids := fmt.Sprint(r.Days[0].IDs); ids != "[2]" {
		t.Errorf("ids %s", ids)
	}
}
