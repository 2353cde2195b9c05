package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// A small archive is in memory, and a test writes any entries into it.
type small struct {
	t                testing.TB
	files, positions *checkpointtest.Memory
	journal          *checkpoint.Journal
	last             checkpoint.Stored
	sink             *archive.Archive
}

func newSmall(t testing.TB, stream string, options ...checkpoint.Option) *small {
	t.Helper()
	s := &small{t: t, files: new(checkpointtest.Memory), positions: new(checkpointtest.Memory)}
	s.journal = checkpoint.Open(s.positions, checkpoint.Identity{
		Tenant: tenant, Stream: stream, Destination: "s3://lake/" + stream, Encoding: "parquet",
	}, options...)
	var err error
	s.sink, err = archive.New(s.files, tenant, func() archive.Encoder {
		return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"})
	})
	check(t, err)
	return s
}

// hours returns a window from one hour of the first day to another one.
func hours(from, to int) window.Window {
	return window.Window{Start: begin.Add(time.Duration(from) * time.Hour), End: begin.Add(time.Duration(to) * time.Hour)}
}

// export commits a window with records of these ids, one second apart.
func (s *small) export(w window.Window, change func(*checkpoint.Checkpoint), ids ...int64) {
	s.t.Helper()
	var records []record.Record
	for i, id := range ids {
		records = append(records, record.Record{ID: id, CreatedAt: w.Start.Add(time.Duration(i) * time.Second), Raw: "{}"})
	}
	receipt, err := sinktest.Write(s.t.Context(), s.sink, w, records)
	check(s.t, err)
	n := len(ids)
	e := checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Window: w, Cursor: w.End, Start: begin, DeliveredSince: begin,
		Records: checkpoint.Counts{Read: n, Fresh: n}, Objects: receipt.Objects,
	}
	if change != nil {
		change(&e)
	}
	s.last, err = s.journal.Commit(s.t.Context(), s.last, e)
	check(s.t, err)
}

// declare writes the intents that a run declares after it has loaded the journal.
func (s *small) declare() {
	s.t.Helper()
	if s.last.Serial == 0 {
		return
	}
	lease, err := s.journal.Acquire(s.t.Context())
	check(s.t, err)
	s.last, err = s.journal.Load(s.t.Context())
	check(s.t, err)
	s.last, err = s.journal.Declare(s.t.Context(), lease, s.last, begin)
	check(s.t, err)
	check(s.t, lease.Release(s.t.Context()))
}

func (s *small) place() place { return place{s.files, s.positions} }

// TestDefects: the chain of hashes does not show the defects and forgeries of the writer itself, and the verification finds them.
func TestDefects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(s *small)
		want []string
		read bool // only a reader of the objects finds it
	}{
		{name: "none", do: func(s *small) { s.export(hours(0, 1), nil, 1, 2); s.export(hours(1, 2), nil, 3) }},
		{
			name: "a gap", do: func(s *small) { s.export(hours(0, 1), nil, 1); s.export(hours(2, 3), nil, 2) },
			want: []string{"error window-gap 2"},
		},
		{
			name: "an overlap", do: func(s *small) { s.export(hours(0, 2), nil, 1); s.export(hours(1, 3), nil, 2) },
			want: []string{"error window-overlap 2"},
		},
		{name: "a position beyond its window", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) { e.Cursor = hours(1, 2).End }, 1)
			s.export(hours(1, 2), func(e *checkpoint.Checkpoint) { e.Cursor = hours(2, 3).End }, 2)
		}, want: []string{"error window-gap 2", "error window-overlap 2"}},
		{name: "a rescan that moves the position", do: func(s *small) {
			s.export(hours(0, 2), nil, 1)
			s.export(window.Window{Start: hours(0, 1).Start, End: hours(0, 1).End, Pass: 2}, func(e *checkpoint.Checkpoint) {
				e.Kind, e.Cursor = checkpoint.KindRescan, hours(2, 3).End
			}, 2)
		}, want: []string{"error window-gap 2"}},
		{name: "a start that was moved on", do: func(s *small) {
			s.export(hours(0, 1), nil, 1)
			s.export(hours(1, 2), func(e *checkpoint.Checkpoint) { e.Start = hours(1, 2).Start }, 2)
		}, want: []string{"error window-gap 2"}},
		{name: "counts that do not add up", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) { e.Records.Read++ }, 1)
			s.export(hours(1, 2), func(e *checkpoint.Checkpoint) { e.Records.Fresh++ }, 2)
		}, want: []string{"error entry-counts 1", "error entry-counts 2"}},
		{name: "an object of another window", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) { e.Window.Start = e.Window.Start.Add(time.Second) }, 1)
		}, want: []string{"error object-contents 1"}},
		{name: "an object that two entries name", do: func(s *small) {
			s.export(hours(0, 1), nil, 1)
			o := s.last.Objects
			s.export(hours(1, 2), func(e *checkpoint.Checkpoint) { e.Objects, e.Records.Read, e.Records.Fresh = o, 1, 1 })
		}, want: []string{"error object-contents 2"}},
		{name: "other ids than the entry says", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) { e.Objects[0].MaxID = 7 }, 1, 2)
		}, want: []string{"error object-contents 1"}, read: true},
		{name: "another number of records", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) { e.Objects[0].Records, e.Records.Read, e.Records.Fresh = 3, 3, 3 }, 1, 2)
		}, want: []string{"error object-contents 1"}, read: true},
		{name: "other times", do: func(s *small) {
			s.export(hours(0, 1), func(e *checkpoint.Checkpoint) {
				e.Objects[0].MaxCreatedAt = e.Objects[0].MaxCreatedAt.Add(time.Second)
			}, 1, 2)
		}, want: []string{"error object-contents 1"}, read: true},
		{name: "a record twice", do: func(s *small) {
			s.export(hours(0, 1), nil, 1, 2)
			s.export(window.Window{Start: begin, End: hours(0, 1).End, Pass: 2}, func(e *checkpoint.Checkpoint) {
				e.Kind = checkpoint.KindRescan
			}, 1)
		}, want: []string{"error id-twice 0"}, read: true},
		{name: "an id of another record", do: func(s *small) { s.export(hours(0, 1), nil, 1, 2); s.export(hours(1, 2), nil, 1) }},
		{name: "an object of a removed entry", do: func(s *small) {
			s.export(hours(0, 1), nil, 1)
			s.export(hours(1, 2), nil, 2)
			s.export(hours(2, 3), nil, 3)
			s.positions.Remove(s.journal.Key(1))
		}, want: []string{"warn pruned 0"}},
	} {
		for _, depth := range []verify.Depth{verify.Objects, verify.Read} {
			t.Run(c.name+" "+string(depth), func(t *testing.T) {
				t.Parallel()
				s := newSmall(t, archived)
				c.do(s)
				want := c.want
				if c.read && depth != verify.Read {
					want = nil
				}
				if got, report := run(t, s.place().options(depth)); !same(got, want) {
					t.Errorf("found %q, want %q\n%+v", got, want, report.Findings)
				}
			})
		}
	}
}

// same compares findings, and ignores how often each is there.
func same(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

func TestBackfillThatOverlaps(t *testing.T) {
	t.Parallel()
	s := newSmall(t, filled, checkpoint.AnyOrder())
	s.export(hours(4, 6), nil, 1)
	s.export(hours(0, 2), nil, 2)
	if got, _ := run(t, s.place().options(verify.Objects)); len(got) > 0 {
		t.Errorf("found %q in windows of any order", got)
	}
	s.export(hours(1, 3), nil, 3)
	if got, _ := run(t, s.place().options(verify.Objects)); !same(got, []string{"error window-overlap 3"}) {
		t.Errorf("found %q", got)
	}
}

// TestAdoption: an adoption counts the objects of a journal that was lost. The findings about earlier entries no longer count.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(s *small)
		want   []string
	}{
		{"sound", func(*small) {}, nil},
		{"an object removed", func(s *small) { s.files.Remove(files(s)[0]) }, []string{"error object-missing 1"}},
		{"an object smuggled in", func(s *small) {
			s.put(s.files, strings.Replace(files(s)[0], "T000000", "T003000", 1), []byte("PAR1"))
		}, []string{"error object-unknown 0"}},
		{"one of a later time in place of one", func(s *small) {
			s.files.Remove(files(s)[0])
			s.put(s.files, strings.Replace(files(s)[0], "T010000.000000Z", "T003000.000000Z-1", 1), []byte("PAR1"))
		}, []string{"error object-missing 1", "error object-unknown 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t, archived)
			s.export(hours(0, 1), nil, 1, 2)
			s.export(hours(1, 2), nil, 3)
			for serial := range uint64(2) {
				s.positions.Remove(s.journal.Key(serial + 1))
			}
			s.positions.Remove(s.journal.HintKey())
			s.last = checkpoint.Stored{}
			end := hours(1, 2).End
			s.export(window.Window{Start: end, End: end, Pass: 1}, func(e *checkpoint.Checkpoint) {
				e.Kind, e.Epoch, e.Adopted = checkpoint.KindAdopt, 1, &checkpoint.Adoption{Reason: "lost", Objects: 2, Records: 3, Bytes: 9}
			})
			s.export(window.Window{Start: end, End: end.Add(time.Hour), Pass: 1}, nil, 4)
			c.change(s)
			got, report := run(t, s.place().options(verify.Read))
			if !same(got, c.want) {
				t.Errorf("found %q, want %q\n%+v", got, c.want, report.Findings)
			}
			if c.want == nil && !slices.Contains(codes(report), verify.Adopted) {
				t.Errorf("%q does not say that objects were only counted", codes(report))
			}
		})
	}
}

// TestDamagedBeforeAnAdoption: before an adoption, a damaged entry is only a warning.
func TestDamagedBeforeAnAdoption(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	s.export(hours(0, 1), nil)
	s.export(hours(1, 2), nil)
	s.put(s.positions, s.journal.Key(2), []byte("{"))
	tip, err := s.journal.Tip(t.Context())
	check(t, err)
	s.last = tip
	s.export(hours(2, 2), func(e *checkpoint.Checkpoint) {
		e.Kind, e.Adopted = checkpoint.KindAdopt, &checkpoint.Adoption{Reason: "damaged"}
	})
	if got, report := run(t, s.place().options(verify.Objects)); !same(got, []string{"warn entry-changed 2"}) {
		t.Errorf("found %q\n%+v", got, report.Findings)
	}
}

// put replaces or makes an object.
func (s *small) put(b *checkpointtest.Memory, key string, body []byte) {
	s.t.Helper()
	b.Remove(key)
	_, err := b.Put(s.t.Context(), key, body, "")
	check(s.t, err)
}

func files(s *small) []string {
	keys, err := s.files.List(s.t.Context(), "", "")
	check(s.t, err)
	return keys
}

// TestLeftBeforeAReset: if an attempt may have left an object before a reset, it is only a warning. Any other object without an
// entry is an error.
func TestLeftBeforeAReset(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	s.export(hours(0, 1), nil, 1)
	s.put(s.files, strings.Replace(files(s)[0], "T000000", "T010000", 1), []byte("PAR1"))
	smuggled := strings.Replace(files(s)[0], "T000000", "T003000", 1)
	at := hours(0, 1).End
	s.export(window.Window{Start: at, End: at, Pass: 5}, func(e *checkpoint.Checkpoint) {
		e.Kind, e.Epoch, e.Reset = checkpoint.KindReset, 5, &checkpoint.Reset{Reason: "restored"}
	})
	if got, _ := run(t, s.place().options(verify.Objects)); !same(got, []string{"warn object-unknown 0"}) {
		t.Errorf("found %q", got)
	}
	s.put(s.files, smuggled, []byte("PAR1"))
	if got, _ := run(t, s.place().options(verify.Objects)); !same(got, []string{"error object-unknown 0", "warn object-unknown 0"}) {
		t.Errorf("found %q", got)
	}
}

// TestUnread: an entry or object that cannot be read is an error, and the archive never passes for a sound one.
func TestUnread(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	for _, op := range []checkpointtest.Op{checkpointtest.Get, checkpointtest.List, checkpointtest.Stat, checkpointtest.Walk} {
		for _, depth := range []verify.Depth{verify.Objects, verify.Read} {
			for _, where := range []string{"files", "positions"} {
				s := newSmall(t, archived)
				for i := range 150 {
					s.export(hours(i, i+1), nil, int64(i))
				}
				var asked atomic.Int64 // verify looks at several objects at once
				failing := checkpointtest.NewFaulty(map[string]*checkpointtest.Memory{"files": s.files, "positions": s.positions}[where])
				failing.On(func(_ context.Context, called checkpointtest.Op, _ string) checkpointtest.Fault {
					if called == op {
						asked.Add(1)
						return checkpointtest.Fault{Before: down}
					}
					return checkpointtest.Fault{}
				})
				p := s.place()
				if where == "files" {
					p.files = failing
				} else {
					p.positions = failing
				}
				report, err := verify.Run(t.Context(), p.options(depth))
				name := fmt.Sprintf("%s of %s, %s", op, where, depth)
				if (asked.Load() > 0) != errors.Is(err, down) || (asked.Load() > 0) == report.Sound() {
					t.Errorf("%s: asked %d times: sound %t, %v", name, asked.Load(), report.Sound(), err)
				}
				if asked.Load() > 0 && (report.Counts[verify.Error] > 0 || !strings.HasPrefix(report.Result(), "NOT verified")) {
					t.Errorf("%s: %q, %+v", name, report.Result(), report.Findings)
				}
			}
		}
	}
}

// TestNoJournal: without a journal, the result is not "as committed".
func TestNoJournal(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	if got, _ := run(t, s.place().options(verify.Objects)); !same(got, []string{"error entries-lost 0"}) {
		t.Errorf("found %q", got)
	}
}

// TestDays: the days choose the objects, in the listing too.
func TestDays(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	for day := range 5 {
		s.export(hours(24*day, 24*day+24), nil, int64(day))
	}
	o := s.place().options(verify.Read)
	o.Since, o.Until = begin.AddDate(0, 0, 1), begin.AddDate(0, 0, 3)
	_, report := run(t, o)
	if report.Objects != 2 || report.Records != 2 {
		t.Errorf("%d objects with %d records, want 2 with 2", report.Objects, report.Records)
	}
	s.files.Remove(files(s)[0])
	s.files.Remove(files(s)[3])
	s.put(s.files, "audit/tenant="+tenant+"/dt=2026-03-02/x.parquet", nil)
	s.put(s.files, "audit/tenant="+tenant+"/dt=2026-03-09/x.parquet", nil)
	if got, _ := run(t, o); !same(got, []string{"error object-unknown 0"}) {
		t.Errorf("found %q in two days", got)
	}
}

// TestOtherTenant: the objects of another tenant do not belong to these journals.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	s.export(hours(0, 1), nil, 1)
	s.put(s.files, "audit/tenant=other/dt=2026-03-02/x.parquet", nil)
	got, report := run(t, s.place().options(verify.Objects))
	if len(got) > 0 || !slices.Contains(codes(report), verify.TenantUnchecked) {
		t.Errorf("found %q, %q", got, codes(report))
	}
}

// TestHole: the bytes of a hole are in the archive, and the verification compares them, too.
func TestHole(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	key, sha, err := s.sink.Quarantine(t.Context(), []byte(`{"broken":`))
	check(t, err)
	s.export(hours(0, 1), func(e *checkpoint.Checkpoint) {
		e.Holes = []checkpoint.Hole{{CreatedAt: begin, Key: key, SHA256: sha, Reason: "it is cut off"}}
	})
	if got, _ := run(t, s.place().options(verify.Read)); len(got) > 0 {
		t.Errorf("found %q", got)
	}
	s.put(s.files, key, []byte("{}"))
	if got, _ := run(t, s.place().options(verify.Objects)); !same(got, []string{"error object-differs 1"}) {
		t.Errorf("found %q", got)
	}
}
