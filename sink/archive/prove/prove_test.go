package prove_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/prove"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// live plays the life of an archive: windows, late records, a backfill, a second key, and compactions of compacted objects. After
// each step, it proves records.
func live(w *world) *prove.Proof {
	w.Helper()
	w.export(5, 5*time.Hour, 4) // beyond midnight
	w.write(filled, window.Window{Start: day1.AddDate(0, 0, -2), End: day1.AddDate(0, 0, -1)}, w.records(day1.AddDate(0, 0, -2), 24*time.Hour, 3)...)
	w.write(filled, window.Window{Start: day1.AddDate(0, 0, -3), End: day1.AddDate(0, 0, -2)}, w.records(day1.Add(-60*time.Hour), time.Hour, 1)...)
	w.rescan(day1.Add(10*time.Minute), 24*time.Hour, 3)
	w.proves(4)

	w.keys = append(w.keys, checkpointtest.Key(2))
	w.export(6, 9*time.Hour, 2)
	w.compact()
	w.proves(4)

	w.rescan(day1.Add(20*time.Minute), 36*time.Hour, 5)
	w.rescan(day1.Add(30*time.Minute), 5*time.Minute, 1)
	w.compact()
	w.export(1, time.Hour, 0)
	return w.proves(2)
}

func TestProve(t *testing.T) {
	t.Parallel()
	for format := range encoders {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, format, checkpointtest.Key(1))
			if last := live(w); last.Compaction == 0 || !strings.Contains(last.Lies, ".compact2.") {
				t.Errorf("the last record lies in %s, since entry %d", last.Lies, last.Compaction)
			}
			_, err := prove.Record(t.Context(), w.options(w.id))
			if !errors.Is(err, prove.ErrNotFound) {
				t.Errorf("an id that was never given: %v", err)
			}
		})
	}
}

func TestProveOnS3(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "lake", false)
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	open := func(prefix string) *s3.Bucket {
		b, err := s3.Open(t.Context(), s3.Options{
			Bucket: "lake", Prefix: prefix, PathStyle: true,
			Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		check(t, err)
		return b
	}
	w.files, w.positions = open("archive"), open("positions")
	w.export(5, 6*time.Hour, 2)
	w.proves(1)
	w.compact()
	w.proves(1)
}

// TestRequests: in a journal of any size, a proof reads few entries. Some find the record, and the others are the path.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(100, 10*time.Minute, 0)
	w.export(1, 10*time.Minute, 2)
	w.export(80, 10*time.Minute, 0)
	positions := &counting{Bucket: w.positions}
	w.positions = positions
	if _, err := prove.Record(t.Context(), w.options(1)); err != nil {
		t.Fatal(err)
	}
	// If the journal is twice as long, a proof reads one more entry to find the record, and one more for the path.
	if n := positions.gets.Load(); n > 28 {
		t.Errorf("%d objects were read", n)
	}
}

// TestHeads: a proof leads to the newest signed head, even if the last run died before it wrote the hint.
func TestHeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(3, time.Hour, 1)
	check(t, w.positions.Delete(t.Context(), "archive/state/latest"))
	proof, err := prove.Record(t.Context(), w.options(2))
	if err != nil || !proof.Signed || proof.Inclusion.Size != 2 {
		t.Errorf("%+v, %v", proof, err)
	}
	if _, err := prove.Record(t.Context(), w.options(3)); !errors.Is(err, prove.ErrUnprovable) || !strings.Contains(err.Error(), "not signed yet") {
		t.Errorf("the newest entry has no signed head, and %v", err)
	}
	_, err = w.journal(archived).Load(t.Context()) // the next run writes it
	check(t, err)
	w.proves(1)
}

// TestAdoption: after an adoption, the journal has another origin. Earlier records are proved under the previous origin.
func TestAdoption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(4, time.Hour, 1)
	j := w.journal(archived)
	tip, err := j.Tip(t.Context())
	check(t, err)
	_, err = j.Commit(t.Context(), tip, checkpoint.Checkpoint{
		Kind: checkpoint.KindAdopt, Window: window.Window{Start: w.at, End: w.at}, Start: day1, Cursor: w.at, DeliveredSince: day1, MaxID: tip.MaxID,
		Adopted: &checkpoint.Adoption{Reason: "a test", Objects: 4, Records: 4, From: day1, To: w.at},
	})
	check(t, err)
	w.export(3, time.Hour, 1)
	origins := map[string]int{}
	for id := range int64(7) {
		proof, err := prove.Record(t.Context(), w.options(id+1))
		if id == 3 { // it is in the entry before the adoption, whose head was only in the note
			if !errors.Is(err, prove.ErrUnprovable) || !strings.Contains(err.Error(), "remembered elsewhere") {
				t.Errorf("id %d: %v", id+1, err)
			}
			continue
		}
		check(t, err)
		if _, err := proof.Check(w.public()...); err != nil || !proof.Signed {
			t.Errorf("id %d: %v", id+1, err)
		}
		origins[proof.Origin]++
	}
	if len(origins) != 2 {
		t.Errorf("the proofs are of %v", origins)
	}
}

// TestSeveral: a restored database gives an id to another record, so a person must choose.
func TestSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(3, time.Hour, 1)
	j := w.journal(archived)
	prev, err := j.Load(t.Context())
	check(t, err)
	next := prev.Standing(checkpoint.KindReset)
	next.Reset, next.MaxID = &checkpoint.Reset{Lineage: prev.Lineage, Reason: "restored"}, 1
	reset, err := j.Commit(t.Context(), prev, next)
	check(t, err)
	w.id = 2
	w.write(archived, window.Window{Start: w.at, End: w.at.Add(time.Hour), Pass: reset.Epoch}, w.records(w.at, time.Hour, 1)...)
	if _, err := prove.Record(t.Context(), w.options(2)); !errors.Is(err, prove.ErrSeveral) ||
		!strings.Contains(err.Error(), "2026-03-01T01:00:00Z and 2026-03-01T03:00:00Z") {
		t.Errorf("two records have the id, and %v", err)
	}
	for at, bound := range map[string]func(*prove.Options){
		"2026-03-01T01:00:00Z": func(o *prove.Options) { o.Until = day1.Add(2 * time.Hour) },
		"2026-03-01T03:00:00Z": func(o *prove.Options) { o.Since = day1.Add(2 * time.Hour) },
	} {
		o := w.options(2)
		bound(&o)
		proof, err := prove.Record(t.Context(), o)
		check(t, err)
		if _, err := proof.Check(w.public()...); err != nil || proof.CreatedAt.Format(time.RFC3339) != at {
			t.Errorf("%s: the proof is of %s, %v", at, proof.CreatedAt, err)
		}
	}
}

// merge commits a compaction of all objects that does not tell the origin of its rows.
func merge(w *world) {
	w.Helper()
	j := w.journal(archived)
	var replaced []checkpoint.Replaced
	var all []record.Record
	to := read.Object{Tenant: tenant, Day: day1, Start: day1, Compacted: 1, Extension: parquet.Extension}
	for s, err := range j.Entries(w.Context()) {
		check(w, err)
		for _, o := range s.Objects {
			replaced = append(replaced, checkpoint.Replaced{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records})
		}
	}
	for _, d := range w.delivered {
		all = append(all, d.Record)
	}
	slices.SortFunc(all, func(a, b record.Record) int { return record.Compare(&a, &b) })
	made := object(w, to.Key(), all)
	lease, err := j.Acquire(w.Context())
	check(w, err)
	newest, err := j.Load(w.Context())
	check(w, err)
	_, err = j.Compact(w.Context(), lease, newest, checkpoint.Compaction{Day: "2026-03-01", Replaced: replaced}, made)
	check(w, err)
	check(w, lease.Release(w.Context()))
	for _, r := range replaced {
		check(w, w.files.Delete(w.Context(), r.Key))
	}
}

// TestScattered: if a compaction does not tell the origin of its rows, the proof goes through the compaction's entry, and says so.
func TestScattered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(3, time.Hour, 3)
	merge(w)
	for _, d := range w.delivered {
		proof, err := prove.Record(t.Context(), w.options(d.ID))
		check(t, err)
		proved, err := proof.Check(w.public()...)
		if err != nil || proof.Weak == "" || proved.Entry.Serial != 4 || proved.Row.ID != d.ID || !strings.Contains(proved.Object.Key, ".compact1.") {
			t.Errorf("id %d: %+v, %v", d.ID, proof, err)
		}
	}
}

// TestUnprovable: if an object or an entry is not as committed, there is no proof through it.
func TestUnprovable(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		do   func(w *world)
		says string
	}{
		"the object is gone":       {func(w *world) { check(w, w.files.Delete(w.Context(), w.delivered[0].object)) }, "no entry says that a compaction took it"},
		"the object was changed":   {func(w *world) { change(w, w.delivered[0].object) }, "it has the SHA-256"},
		"the compacted is gone":    {func(w *world) { w.compact(); check(w, w.files.Delete(w.Context(), w.only())) }, ".compact1.parquet of entry 14: it is gone"},
		"the compacted is another": {func(w *world) { w.compact(); change(w, w.only()) }, ".compact1.parquet of entry 14: it is gone: it has the SHA-256"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "parquet", checkpointtest.Key(1))
			w.export(13, 2*time.Hour, 1)
			c.do(w)
			if _, err := prove.Record(t.Context(), w.options(1)); !errors.Is(err, prove.ErrUnprovable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
}

// only returns the key of the only object of the first day.
func (w *world) only() string {
	w.Helper()
	keys, err := w.files.List(w.Context(), read.DayPrefix(tenant, day1), "")
	check(w, err)
	if len(keys) != 1 {
		w.Fatalf("the first day has %v", keys)
	}
	return keys[0]
}

// change changes the last byte of an object.
func change(w *world, key string) {
	w.Helper()
	body, version, _, err := w.files.Get(w.Context(), key)
	check(w, err)
	body = slices.Clone(body)
	body[len(body)-1] ^= 1
	_, err = w.files.Put(w.Context(), key, body, version)
	check(w, err)
}

// object writes an object with records, like a compaction.
func object(w *world, key string, records []record.Record) checkpoint.Object {
	w.Helper()
	var body bytes.Buffer
	win := window.Window{Start: day1, End: w.at}
	check(w, parquet.NewEncoder(parquet.Metadata{Tenant: tenant}).Encode(&body, win, records))
	_, err := w.files.Put(w.Context(), key, body.Bytes(), "")
	check(w, err)
	o := sink.Object(key, body.Len(), sha256.Sum256(body.Bytes()), func(yield func(sink.Stamp) bool) {
		for i := range records {
			if !yield(sink.StampOf(&records[i])) {
				return
			}
		}
	})
	o.RecordsRoot = sinktest.Root(records)
	return o
}

// TestCompactionsInAnyOrder: an object of a backfill may be compacted before the entry of another object that may have the record.
func TestCompactionsInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	early := day1.AddDate(0, 0, -2)
	w.export(1, time.Hour, 1)
	for n := range int64(2) {
		w.id = 5 * (n + 1)
		start := early.Add(time.Duration(n+1) * time.Hour)
		w.write(filled, window.Window{Start: start, End: start.Add(time.Hour)}, w.records(start, time.Hour, 1)...)
	}
	w.compact()
	w.id = 4
	between := w.records(w.at, time.Minute, 1)
	w.id = 6
	w.write(archived, window.Window{Start: w.at, End: w.at.Add(time.Hour)}, append(between, w.records(w.at.Add(time.Minute), time.Minute, 1)...)...)
	w.at = w.at.Add(time.Hour)
	w.export(2, 24*time.Hour, 1)
	w.compact()
	w.proves(1)
}
