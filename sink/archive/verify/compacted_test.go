package verify_test

import (
	"context"
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

// days makes two objects on each of three days, with six records.
func days(t *testing.T) *small {
	t.Helper()
	s := newSmall(t, archived)
	for i := range 6 {
		s.export(hours(12*i, 12*i+12), nil, int64(i))
	}
	return s
}

// compact compacts all days that are over. It dies at the first Put or Delete that matches the text dies; with "" it does not die.
func (s *small) compact(dies string) {
	s.t.Helper()
	s.dies(dies, func(c *compact.Compactor) error { return c.Run(s.t.Context()) })
}

// dies does work on the archive, and dies at such a request.
func (s *small) dies(dies string, work func(*compact.Compactor) error) {
	s.t.Helper()
	files, positions := checkpointtest.NewFaulty(s.files), checkpointtest.NewFaulty(s.positions)
	var dead atomic.Bool
	hook := func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Put || op == checkpointtest.Delete {
			if dies != "" && strings.Contains(string(op)+" "+key, dies) {
				dead.Store(true)
			}
			if dead.Load() {
				return checkpointtest.Fault{Before: checkpointtest.ErrDead}
			}
		}
		return checkpointtest.Fault{}
	}
	files.On(hook)
	positions.On(hook)
	err := work(compactor(place{files, positions}, "", 0))
	if (err == nil) != (dies == "") {
		s.t.Fatalf("the work that dies at %q: %v", dies, err)
	}
	s.positions.Remove(leaseKey) // the lease of a compactor that died
	newest, err := s.journal.Load(s.t.Context())
	check(s.t, err)
	s.last = newest
}

const leaseKey = archived + "/state/lease.json"

// takenUp returns the entry of the first compaction.
func (s *small) takenUp() (entry checkpoint.Stored) {
	s.t.Helper()
	for e, err := range s.journal.Entries(s.t.Context()) {
		check(s.t, err)
		if e.Compacted != nil {
			return e
		}
	}
	s.t.Fatal("no entry is a compaction")
	return entry
}

// TestCompacted: a compaction explains only the objects that it replaced.
func TestCompacted(t *testing.T) {
	t.Parallel()
	for _, c := range []explained{
		{name: "sound", do: func(s *small) { s.compact("") }, objects: 3, records: 6, gone: "6 objects are gone, since 3 compactions"},
		{name: "again", do: func(s *small) {
			s.compact("")
			s.export(window.Window{Start: begin, End: hours(0, 1).End, Pass: 11}, func(e *checkpoint.Checkpoint) {
				e.Kind, e.Cursor = checkpoint.KindRescan, s.last.Cursor
			}, 100)
			s.compact("")
		}, objects: 3, records: 7, gone: "8 objects are gone, since 4 compactions"},
		{name: "its object removed", do: func(s *small) {
			s.compact("")
			s.files.Remove(s.takenUp().Objects[0].Key)
		}, want: []string{"error object-missing 7"}, objects: 2, records: 4, gone: "6 objects"},
		{name: "its object changed", do: func(s *small) {
			s.compact("")
			o := s.takenUp().Objects[0]
			body, _, _, err := s.files.Get(s.t.Context(), o.Key)
			check(s.t, err)
			s.put(s.files, o.Key, flip(body))
		}, want: []string{"error object-differs 7"}, objects: 2, records: 4, gone: "6 objects"},
		{name: "an object put back", do: func(s *small) {
			body, key := s.body(0)
			s.compact("")
			s.put(s.files, key, body)
		}, want: []string{"error object-returned 7"}, objects: 3, records: 6, gone: "5 objects"},
		{name: "other bytes put back", do: func(s *small) {
			_, key := s.body(0)
			s.compact("")
			s.put(s.files, key, []byte("PAR1"))
		}, want: []string{"error object-returned 7", "error object-size 1"}, objects: 2, records: 5, gone: "5 objects"},
		{name: "died before the entry", do: func(s *small) { s.compact("put archive/0") }, want: []string{"warn compact-unfinished 0"}, objects: 6, records: 6},
		{name: "died before it deleted", do: func(s *small) { s.compact("delete audit/tenant=acme.example/dt=") }, want: []string{"warn compact-unfinished 7", "warn hint-stale 0"}, objects: 5, records: 6},
		{name: "died over the trial", do: func(s *small) { s.compact("delete audit/tenant=acme.example/_") }, objects: 6, records: 6},
		{name: "died in the midst of it", do: func(s *small) {
			s.compact("delete audit/tenant=acme.example/dt=")
			s.files.Remove(files(s)[1])
		}, want: []string{"warn compact-unfinished 7", "warn hint-stale 0"}, objects: 5, records: 6, gone: "1 object is gone"},
		{name: "died, and a record is there twice", do: func(s *small) {
			s.compact("delete audit/tenant=acme.example/dt=")
			s.export(window.Window{Start: begin, End: hours(0, 1).End, Pass: 11}, func(e *checkpoint.Checkpoint) {
				e.Kind, e.Cursor = checkpoint.KindRescan, s.last.Cursor
			}, 0)
		}, want: []string{"error id-twice 0", "warn compact-unfinished 7"}, objects: 6, records: 7},
		{name: "it replaced what no entry has", do: func(s *small) {
			o := s.last.Objects[0]
			s.replace(checkpoint.Replaced{Key: o.Key, Bytes: o.Bytes, SHA256: strings.Repeat("0", 64), Records: o.Records})
		}, want: []string{"error object-missing 6"}, objects: 6, records: 6, gone: "1 object is gone, since 1 compaction took"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.judge(days(t), verify.Compacted)
		})
	}
}

// An explained is work on an archive after which objects are gone, with the findings of a verification that reads everything.
// Information of one code says which objects are gone on purpose.
type explained struct {
	name    string
	do      func(s *small)
	want    []string
	objects int64 // the objects that are counted
	records int64
	gone    string // the text of the information
}

func (c *explained) judge(s *small, code verify.Code) {
	s.t.Helper()
	c.do(s)
	got, report := run(s.t, s.place().options(verify.Read))
	if !same(got, c.want) || report.Objects != c.objects || report.Records != c.records {
		s.t.Errorf("%q, %d objects, %d records; want %q, %d and %d", got, report.Objects, report.Records, c.want, c.objects, c.records)
	}
	if text := textOf(report, code); !strings.HasPrefix(text, c.gone) || (text == "") != (c.gone == "") {
		s.t.Errorf("it says %q, want %q", text, c.gone)
	}
	for _, f := range report.Findings {
		s.t.Logf("%s %s %d: %s", f.Severity, f.Code, f.Entry, f.Text)
	}
}

func textOf(report *verify.Report, code verify.Code) string {
	for _, f := range report.Findings {
		if f.Code == code {
			return f.Text
		}
	}
	return ""
}

// body returns the object of an entry, as it was written.
func (s *small) body(n int) (body []byte, key string) {
	key = files(s)[n]
	body, _, _, err := s.files.Get(s.t.Context(), key)
	check(s.t, err)
	return body, key
}

// replace commits a compaction that says it replaced the last object, and moves the object.
func (s *small) replace(r checkpoint.Replaced) {
	s.t.Helper()
	body, _, _, err := s.files.Get(s.t.Context(), r.Key)
	check(s.t, err)
	made := s.last.Objects[0]
	made.Key = strings.Replace(r.Key, ".parquet", ".compact1.parquet", 1)
	s.files.Remove(r.Key)
	s.put(s.files, made.Key, body)
	lease, err := s.journal.Acquire(s.t.Context())
	check(s.t, err)
	_, err = s.journal.Compact(s.t.Context(), lease, s.last, checkpoint.Compaction{
		Day: made.MinCreatedAt.Format(time.DateOnly), Replaced: []checkpoint.Replaced{r},
	}, made)
	check(s.t, err)
	check(s.t, lease.Release(s.t.Context()))
}

// TestCompactedBackfill: the archive's journal has the compactions of its backfill's objects.
func TestCompactedBackfill(t *testing.T) {
	t.Parallel()
	s := days(t)
	b := &small{
		t: t, files: s.files, positions: s.positions, sink: s.sink,
		journal: checkpoint.Open(s.positions, checkpoint.Identity{
			Tenant: tenant, Stream: filled, Destination: "s3://lake/" + filled, Encoding: "parquet",
		}, checkpoint.AnyOrder()),
	}
	b.export(hours(-3, -2), nil, 100)
	b.export(hours(-2, -1), nil, 101)
	s.compact("")
	got, report := run(t, s.place().options(verify.Read))
	if len(got) > 0 || report.Objects != 4 || report.Records != 8 || !strings.HasPrefix(textOf(report, verify.Compacted), "8 objects are gone, since 4 compactions took their place.") {
		t.Errorf("%q, %d objects, %d records\n%+v", got, report.Objects, report.Records, report.Findings)
	}
	o := s.place().options(verify.Objects)
	o.Since, o.Until = begin.AddDate(0, 0, 1), begin.AddDate(0, 0, 2)
	if got, report := run(t, o); len(got) > 0 || report.Objects != 1 {
		t.Errorf("one day: %q, %d objects\n%+v", got, report.Objects, report.Findings)
	}
}

// TestCompactedAfterAnAdoption: a compaction after an adoption replaces objects that only the adoption knows.
func TestCompactedAfterAnAdoption(t *testing.T) {
	t.Parallel()
	s := days(t)
	end := s.last.Cursor
	for serial := range uint64(6) {
		s.positions.Remove(s.journal.Key(serial + 1))
	}
	s.positions.Remove(s.journal.HintKey())
	s.last = checkpoint.Stored{}
	s.export(window.Window{Start: end, End: end, Pass: 7}, func(e *checkpoint.Checkpoint) {
		e.Kind, e.Epoch, e.Adopted = checkpoint.KindAdopt, 7, &checkpoint.Adoption{Reason: "lost", Objects: 6, Records: 6}
	})
	s.compact("")
	got, report := run(t, s.place().options(verify.Read))
	if len(got) > 0 || report.Records != 6 || !strings.Contains(textOf(report, verify.Compacted), "Of 6 of them only") {
		t.Errorf("%q, %d records\n%+v", got, report.Records, report.Findings)
	}
}

// TestCompactedMeanwhile: a compaction at any moment of a verification is no finding.
func TestCompactedMeanwhile(t *testing.T) {
	t.Parallel()
	for at := range int64(40) {
		for _, depth := range []verify.Depth{verify.Objects, verify.Read} {
			s := days(t)
			var calls atomic.Int64
			hook := func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
				if calls.Add(1) == at+1 {
					s.compact("")
				}
				return checkpointtest.Fault{}
			}
			files, positions := checkpointtest.NewFaulty(s.files), checkpointtest.NewFaulty(s.positions)
			files.On(hook)
			positions.On(hook)
			got, report := run(t, place{files, positions}.options(depth))
			if got = slices.DeleteFunc(got, func(f string) bool { return f == "warn hint-stale 0" }); len(got) > 0 {
				t.Errorf("%s, at call %d: %q\n%+v", depth, at+1, got, report.Findings)
			}
		}
	}
}

// TestCompactedInABucketWithVersions: if a compaction explains a delete marker, it is no finding. Any other marker is one.
func TestCompactedInABucketWithVersions(t *testing.T) {
	t.Parallel()
	s, server := days(t), servers.VersityGW(t)
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
	v := inBucket(t, server, "compacted", all)
	check(t, compactor(v.place, "", 24*time.Hour).Run(t.Context()))
	if got, report := run(t, v.place.options(verify.Objects)); len(got) > 0 || report.Objects != 4 || report.Records != 6 {
		t.Errorf("%q, %d objects, %d records\n%+v", got, report.Objects, report.Records, report.Findings)
	}
	v.remove("files/" + s.last.Objects[0].Key)
	if got, _ := run(t, v.place.options(verify.Objects)); !same(got, []string{fmt.Sprint("error object-hidden ", s.last.Serial)}) {
		t.Errorf("after a delete marker: %q", got)
	}
}
