package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// day3 is the first day that a removal keeps.
var day3 = begin.AddDate(0, 0, 2)

// old makes the days, with two days that a removal may take.
func old(t *testing.T) *small {
	t.Helper()
	s := days(t)
	s.export(hours(72, 84), func(e *checkpoint.Checkpoint) { e.DeliveredSince = day3 }, 6)
	return s
}

// forget removes the first two days. It dies at the first Put or Delete that matches the text dies; with "" it does not die.
func (s *small) forget(dies string) {
	s.t.Helper()
	s.dies(dies, func(c *compact.Compactor) error { return forgetBy(s.t.Context(), c) })
}

func forgetBy(ctx context.Context, c *compact.Compactor) error {
	o := compact.Order{Before: day3, Reason: "kept for 12 months", By: "the works council"}
	return c.Forget(ctx, o, func(*compact.Plan) error { return nil }, func(compact.Forgotten) {})
}

// hole keeps the bytes of an element that is no record.
func (s *small) hole(at time.Time) (key string) {
	s.t.Helper()
	const text = "{}"
	sum := sha256.Sum256([]byte(text))
	key = "quarantine/tenant=" + tenant + "/" + hex.EncodeToString(sum[:]) + ".json"
	s.put(s.files, key, []byte(text))
	s.export(window.Window{Start: s.last.Cursor, End: s.last.Cursor.Add(time.Hour)}, func(e *checkpoint.Checkpoint) {
		e.DeliveredSince = day3
		e.Holes = []checkpoint.Hole{{CreatedAt: at, Key: key, SHA256: hex.EncodeToString(sum[:]), Reason: "no id"}}
	})
	return key
}

// TestForgotten: a removal explains only the objects that it names.
func TestForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []explained{
		{
			name: "sound", do: func(s *small) { s.forget("") }, objects: 3, records: 3,
			gone: "4 objects of days before 2026-03-03 are gone, since entry 8 removed them on purpose (the works council): kept for 12 months",
		},
		{name: "compacted before and since", do: func(s *small) {
			s.compact("")
			s.forget("")
			s.compact("")
		}, objects: 2, records: 3, gone: "2 objects of days before 2026-03-03 are gone, since entry 11 removed"},
		{name: "one more is gone", do: func(s *small) {
			s.forget("")
			s.files.Remove(files(s)[0])
		}, want: []string{"error object-missing 5"}, objects: 2, records: 2, gone: "4 objects"},
		{name: "one was gone before", do: func(s *small) {
			s.files.Remove(files(s)[1])
			s.forget("")
		}, want: []string{"error object-missing 2"}, objects: 3, records: 3, gone: "3 objects"},
		{name: "one put back", do: func(s *small) {
			body, key := s.body(0)
			s.forget("")
			s.put(s.files, key, body)
		}, want: []string{"error forget-unfinished 8"}, objects: 3, records: 3, gone: "3 objects"},
		{name: "died before the entry", do: func(s *small) { s.forget("put archive/0") }, objects: 7, records: 7},
		{
			name: "died before it removed", do: func(s *small) { s.forget("delete audit/tenant=acme.example/dt=") },
			want: []string{"warn forget-unfinished 8", "warn hint-stale 0"}, objects: 3, records: 3,
		},
		{name: "died in the midst of it", do: func(s *small) {
			s.forget("delete audit/tenant=acme.example/dt=")
			s.files.Remove(files(s)[1])
		}, want: []string{"warn forget-unfinished 8", "warn hint-stale 0"}, objects: 3, records: 3, gone: "1 object of days"},
		{name: "died, and the state is lost", do: func(s *small) {
			s.forget("delete audit/tenant=acme.example/dt=")
			s.positions.Remove("archive/state/compact.json")
		}, want: []string{"error forget-unfinished 8", "warn hint-stale 0"}, objects: 3, records: 3},
		{name: "bytes that are no record", do: func(s *small) {
			s.hole(begin)
			s.forget("")
		}, objects: 3, records: 3, gone: "5 objects"},
		{name: "such bytes are gone without a removal", do: func(s *small) {
			key := s.hole(day3)
			s.forget("")
			s.files.Remove(key)
		}, want: []string{"error object-missing 8"}, objects: 3, records: 3, gone: "4 objects"},
		{name: "such bytes put back", do: func(s *small) {
			key := s.hole(begin)
			s.forget("")
			s.put(s.files, key, []byte("{}"))
		}, want: []string{"error forget-unfinished 9"}, objects: 4, records: 3, gone: "4 objects"},
		{name: "such bytes came again", do: func(s *small) {
			s.hole(begin)
			s.forget("")
			s.hole(day3)
		}, objects: 5, records: 3, gone: "4 objects"},
		{name: "a removal of what is too new", do: func(s *small) {
			o := s.last.Objects[0]
			lease, err := s.journal.Acquire(s.t.Context())
			check(s.t, err)
			s.last, err = s.journal.Forget(s.t.Context(), lease, s.last, checkpoint.Forgetting{Before: day3, Reason: "x", Removed: []checkpoint.Removal{
				{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records},
			}})
			check(s.t, err)
			check(s.t, lease.Release(s.t.Context()))
			s.files.Remove(o.Key)
		}, want: []string{"error object-contents 8"}, objects: 6, records: 6, gone: "1 object of days"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.judge(old(t), verify.Forgotten)
		})
	}
}

// TestForgottenElsewhere: the archive's journal has the removals of its backfill's objects, and of the objects that only an
// adoption knows.
func TestForgottenElsewhere(t *testing.T) {
	t.Parallel()
	s := old(t)
	b := &small{
		t: t, files: s.files, positions: s.positions, sink: s.sink,
		journal: checkpoint.Open(s.positions, checkpoint.Identity{
			Tenant: tenant, Stream: filled, Destination: "s3://lake/" + filled, Encoding: "parquet",
		}, checkpoint.AnyOrder()),
	}
	b.export(hours(-3, -2), nil, 100)
	s.forget("")
	got, report := run(t, s.place().options(verify.Read))
	if len(got) > 0 || report.Objects != 3 || !strings.HasPrefix(textOf(report, verify.Forgotten), "5 objects of days") {
		t.Errorf("%q, %d objects\n%+v", got, report.Objects, report.Findings)
	}

	s = old(t)
	end := s.last.Cursor
	for serial := range s.last.Serial {
		s.positions.Remove(s.journal.Key(serial + 1))
	}
	s.positions.Remove(s.journal.HintKey())
	s.last = checkpoint.Stored{}
	s.export(window.Window{Start: end, End: end, Pass: 7}, func(e *checkpoint.Checkpoint) {
		e.Kind, e.Epoch, e.DeliveredSince = checkpoint.KindAdopt, 7, day3
		e.Adopted = &checkpoint.Adoption{Reason: "lost", Objects: 7, Records: 7}
	})
	s.forget("")
	if got, report := run(t, s.place().options(verify.Read)); len(got) > 0 || !strings.HasPrefix(textOf(report, verify.Forgotten), "4 objects of days") {
		t.Errorf("%q\n%+v", got, report.Findings)
	}
	s.files.Remove(files(s)[0])
	if got, report := run(t, s.place().options(verify.Read)); !same(got, []string{"error object-missing 1"}) {
		t.Errorf("one of the others is gone: %q\n%+v", got, report.Findings)
	}
}

// TestForgottenMeanwhile: a removal at any moment of a verification is no finding.
func TestForgottenMeanwhile(t *testing.T) {
	t.Parallel()
	for at := int64(0); at < 40; at += 3 {
		s := old(t)
		var calls atomic.Int64
		hook := func(_ context.Context, _ checkpointtest.Op, _ string) checkpointtest.Fault {
			if calls.Add(1) == at+1 {
				s.forget("")
			}
			return checkpointtest.Fault{}
		}
		files, positions := checkpointtest.NewFaulty(s.files), checkpointtest.NewFaulty(s.positions)
		files.On(hook)
		positions.On(hook)
		got, report := run(t, place{files, positions}.options(verify.Read))
		if got = slices.DeleteFunc(got, func(f string) bool { return f == "warn hint-stale 0" }); len(got) > 0 {
			t.Errorf("at call %d: %q\n%+v", at+1, got, report.Findings)
		}
	}
}

// TestForgottenInABucketWithVersions: if a removal explains a delete marker, it is no finding, and every version stays. Any other
// marker is a finding.
func TestForgottenInABucketWithVersions(t *testing.T) {
	t.Parallel()
	s, server := old(t), servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	all := map[string][]byte{}
	for prefix, store := range map[string]*checkpointtest.Memory{"files/": s.files, "positions/": s.positions} {
		keys, err := store.List(t.Context(), "", "")
		check(t, err)
		for _, key := range keys {
			body, _, _, err := store.Get(t.Context(), key)
			check(t, err)
			all[prefix+key] = body
		}
	}
	v := inBucket(t, server, "forgotten", all)
	plan, err := compactor(v.place, "", 0).PlanForget(t.Context(), day3)
	check(t, err)
	if total := plan.Total(); total.Versions != 4 || total.Objects != 4 {
		t.Errorf("it plans %+v", total)
	}
	check(t, forgetBy(t.Context(), compactor(v.place, "", 0)))
	got, report := run(t, v.place.options(verify.Objects))
	if len(got) > 0 || report.Objects != 3 || !strings.HasPrefix(textOf(report, verify.Forgotten), "4 objects") {
		t.Errorf("%q, %d objects\n%+v", got, report.Objects, report.Findings)
	}
	v.remove("files/" + s.last.Objects[0].Key)
	if got, _ := run(t, v.place.options(verify.Objects)); !same(got, []string{fmt.Sprint("error object-hidden ", s.last.Serial)}) {
		t.Errorf("after a delete marker: %q", got)
	}
}

// TestForgottenInASample: a sample may have an old entry, and not the later one of the removal. Then it looks for the removal. If
// there is none, a missing object is a finding.
func TestForgottenInASample(t *testing.T) {
	t.Parallel()
	s := old(t)
	s.hole(begin)
	s.forget("")
	for i := range 6 {
		s.export(hours(85+i, 86+i), func(e *checkpoint.Checkpoint) { e.DeliveredSince = day3 }, int64(10+i))
	}
	found := map[string]bool{}
	explained := 0
	samples := func() {
		clear(found)
		for part := range 4 {
			o := s.place().options(verify.Objects)
			o.Sample = &verify.Sample{Seed: "seed", Part: part + 1, Parts: 4, Newest: 1, Block: 1}
			got, report := run(t, o)
			for _, f := range got {
				found[f] = true
			}
			if textOf(report, verify.Forgotten) != "" {
				explained++
			}
		}
	}
	if samples(); len(found) > 0 || explained < 2 {
		t.Errorf("found %v, and %d samples say that objects were removed", found, explained)
	}
	s.files.Remove(files(s)[0])
	if samples(); len(found) != 1 || !found["error object-missing 5"] {
		t.Errorf("after one more is gone: %v", found)
	}
}
