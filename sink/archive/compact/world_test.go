package compact_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

const tenant = sinktest.Tenant

var day1 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// encoders are the archive's formats.
var encoders = map[string]func() archive.Encoder{
	"parquet":     func() archive.Encoder { return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"}) },
	"ndjson":      func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
	"ndjson-zstd": func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Zstd) },
}

// A tester is a test of package testing or of package rapid.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
}

// A world is an archive with its journal. An exporter writes both. A compactor is another process, with its own view of the stores.
type world struct {
	tester
	tb               testing.TB // for the readers of sinktest
	files, positions bucket.Bucket
	format           string
	memory           int64
	lost             bool // a state of a compaction was lost, so an object may have no entry

	at      time.Time // the start of the exporter's next window
	since   time.Time // the exporter knows the delivered records since this time
	id      int64
	written []record.Record
}

func newWorld(t tester, tb testing.TB, files, positions bucket.Bucket, format string) *world {
	return &world{tester: t, tb: tb, files: files, positions: positions, format: format, memory: 96 << 20, at: day1, since: day1, id: 1}
}

func inMemory(t *testing.T, format string) *world {
	t.Helper()
	return newWorld(t, t, new(checkpointtest.Memory), &checkpointtest.Memory{Locks: true}, format)
}

func journal(b bucket.Bucket, stream string) *checkpoint.Journal {
	var options []checkpoint.Option
	if strings.HasSuffix(stream, "-backfill") {
		options = append(options, checkpoint.AnyOrder())
	}
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant: tenant, Stream: stream, Source: "https://acme.example", Destination: "s3://lake", Encoding: "parquet",
	}, options...)
}

// export writes and commits windows of one span each, with so many records in each.
func (w *world) export(windows int, span time.Duration, each int) {
	w.Helper()
	for range windows {
		w.write("archive", window.Window{Start: w.at, End: w.at.Add(span)}, w.records(w.at, span, each)...)
		w.at = w.at.Add(span)
	}
}

// records returns new records within a span.
func (w *world) records(from time.Time, span time.Duration, n int) []record.Record {
	w.Helper()
	if n == 0 {
		return nil
	}
	made := sinktest.Generate(w.tb, w.id, n, from, span/time.Duration(n))
	w.id += int64(n)
	return made
}

// put writes a window to the archive, without an entry.
func (w *world) put(win window.Window, records ...record.Record) checkpoint.Receipt {
	w.Helper()
	slices.SortFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
	a, err := archive.New(w.files, tenant, encoders[w.format])
	if err != nil {
		w.Fatalf("%v", err)
	}
	receipt, err := sinktest.Write(w.Context(), a, win, records)
	if err != nil {
		w.Fatalf("write a window: %v", err)
	}
	return receipt
}

// write writes a window, and commits it.
func (w *world) write(stream string, win window.Window, records ...record.Record) {
	w.Helper()
	w.commit(stream, win, w.put(win, records...), records)
}

func (w *world) commit(stream string, win window.Window, receipt checkpoint.Receipt, records []record.Record) {
	w.Helper()
	j := journal(w.positions, stream)
	prev, err := j.Load(w.Context())
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		w.Fatalf("load: %v", err)
	}
	kind, cursor := checkpoint.KindExport, win.End
	if win.Pass > prev.Epoch {
		kind, cursor = checkpoint.KindRescan, prev.Cursor
	}
	_, err = j.Commit(w.Context(), prev, checkpoint.Checkpoint{
		Kind: kind, Window: win, Start: day1, Cursor: cursor, DeliveredSince: w.since, Objects: receipt.Objects,
		Records: checkpoint.Counts{Read: len(records), Fresh: len(records)},
	})
	if err != nil {
		w.Fatalf("commit: %v", err)
	}
	w.written = append(w.written, records...)
}

// rescan delivers late records of earlier days.
func (w *world) rescan(records ...record.Record) {
	w.Helper()
	newest, err := journal(w.positions, "archive").Load(w.Context())
	if err != nil {
		w.Fatalf("load: %v", err)
	}
	w.write("archive", window.Window{Start: records[0].CreatedAt.Truncate(time.Hour), End: w.at, Pass: newest.Epoch + newest.Serial + 1}, records...)
}

// compactor makes a process with its own views of the stores. A day is closed as soon as it is over.
func (w *world) compactor(files, positions bucket.Bucket, done *[]compact.Day) *compact.Compactor {
	return &compact.Compactor{
		Files: files, Journal: journal(positions, "archive"), Backfill: journal(positions, "archive-backfill"),
		State:  checkpoint.OpenState[compact.Intent](positions, "archive", compact.StateName),
		Tenant: tenant, Version: "1.2.3", Memory: w.memory, Log: zap.NewNop(),
		Done: func(d compact.Day) {
			if done != nil {
				*done = append(*done, d)
			}
		},
	}
}

// compact compacts once.
func (w *world) compact() (days []compact.Day, err error) {
	w.Helper()
	err = w.compactor(w.files, w.positions, &days).Run(w.Context())
	return days, err
}

// mustCompact compacts once, and checks the archive.
func (w *world) mustCompact() []compact.Day {
	w.Helper()
	days, err := w.compact()
	if err != nil {
		w.Fatalf("compact: %v", err)
	}
	w.check()
	return days
}

// keys returns the keys of the archive's objects.
func (w *world) keys() []string {
	w.Helper()
	keys, err := w.files.List(w.Context(), read.Root+"/", "")
	if err != nil {
		w.Fatalf("list: %v", err)
	}
	return keys
}

// found returns the records in an object of the archive.
func (w *world) found(key string) []record.Record {
	w.Helper()
	body, _, _, err := w.files.Get(w.Context(), key)
	if err != nil {
		w.Fatalf("get: %v", err)
	}
	if w.format == "parquet" {
		return sinktest.ReadParquet(w.tb, body)
	}
	return sinktest.ReadNDJSON(w.tb, body)
}

// check verifies that the archive has every written record once, in the right partition and with every column. It also verifies
// that the journal names exactly the archive's objects, with their sums.
func (w *world) check() {
	w.Helper()
	var got []record.Record
	objects := map[string][]record.Record{}
	for _, key := range w.keys() {
		records := w.found(key)
		objects[key] = records
		for i, r := range records {
			if !strings.Contains(key, "/dt="+r.CreatedAt.Format(time.DateOnly)+"/") {
				w.Errorf("id %d of %s is in %s", r.ID, r.CreatedAt, key)
			}
			if i > 0 && record.Compare(&records[i-1], &r) >= 0 {
				w.Errorf("%s: id %d comes after id %d", key, r.ID, records[i-1].ID)
			}
		}
		got = append(got, records...)
	}
	want := sinktest.WithoutRaw(w.written)
	order := func(a, b record.Record) int { return record.Compare(&a, &b) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%d records were written, and the archive has %d (-want +got):\n%.3000s", len(want), len(got), diff)
	}
	w.checkJournal()
	w.checkRoots(objects)
}

// checkRoots verifies that the journal has the root of each object's rows. The rows of a new object must also give the root of each
// object that it replaced.
func (w *world) checkRoots(objects map[string][]record.Record) {
	w.Helper()
	roots := map[string]seal.Hash{}
	for _, stream := range []string{"archive-backfill", "archive"} {
		for entry, err := range journal(w.positions, stream).Entries(w.Context()) {
			if err != nil {
				w.Fatalf("journal: %v", err)
			}
			for _, o := range entry.Objects {
				roots[o.Key] = o.RecordsRoot
				if rows, there := objects[o.Key]; there && o.RecordsRoot != seal.Hash(sinktest.Root(rows)) {
					w.Errorf("entry %d has another records_root of %s than its rows", entry.Serial, o.Key)
				}
			}
			if entry.Compacted == nil || objects[entry.Objects[0].Key] == nil {
				continue
			}
			for _, r := range entry.Compacted.Replaced {
				var rows []record.Record
				for place := range r.Rows.All() {
					rows = append(rows, objects[entry.Objects[0].Key][place])
				}
				if root, named := roots[r.Key]; named && root != seal.Hash(sinktest.Root(rows)) {
					w.Errorf("the rows %v of entry %d are not those of %s", r.Rows, entry.Serial, r.Key)
				}
			}
		}
	}
}

// accounted returns the objects that the journal names and that must be there, with their sums.
func (w *world) accounted() map[string]string {
	w.Helper()
	objects := map[string]string{}
	for _, stream := range []string{"archive-backfill", "archive"} {
		for entry, err := range journal(w.positions, stream).Entries(w.Context()) {
			if err != nil {
				w.Fatalf("journal: %v", err)
			}
			if entry.Compacted != nil {
				for _, r := range entry.Compacted.Replaced {
					if objects[r.Key] != r.SHA256 && (!w.lost || objects[r.Key] != "") {
						w.Errorf("entry %d replaces %s of SHA-256 %s, and it had %q", entry.Serial, r.Key, r.SHA256, objects[r.Key])
					}
					delete(objects, r.Key)
				}
			}
			if entry.Forgotten != nil {
				for _, r := range entry.Forgotten.Removed {
					if objects[r.Key] != r.SHA256 && !strings.HasPrefix(r.Key, "quarantine/") && !w.lost {
						w.Errorf("entry %d removes %s of SHA-256 %s, and it had %q", entry.Serial, r.Key, r.SHA256, objects[r.Key])
					}
					delete(objects, r.Key)
				}
			}
			for _, o := range entry.Objects {
				if objects[o.Key] != "" {
					w.Errorf("entry %d names %s again", entry.Serial, o.Key)
				}
				objects[o.Key] = o.SHA256
			}
		}
	}
	return objects
}

func (w *world) checkJournal() {
	w.Helper()
	there := map[string]string{}
	for _, key := range w.keys() {
		body, _, _, err := w.files.Get(w.Context(), key)
		if err != nil {
			w.Fatalf("get: %v", err)
		}
		sum := sha256.Sum256(body)
		there[key] = hex.EncodeToString(sum[:])
	}
	if diff := cmp.Diff(w.accounted(), there); diff != "" {
		w.Errorf("the archive's objects (-journal +archive):\n%s", diff)
	}
	left, err := checkpoint.OpenState[compact.Intent](w.positions, "archive", compact.StateName).Read(w.Context())
	if err != nil || !left.IsZero() {
		w.Errorf("the state of the compaction is %+v, %v", left, err)
	}
}

// inDays counts the objects of each day.
func (w *world) inDays() map[string]int {
	w.Helper()
	n := map[string]int{}
	for _, key := range w.keys() {
		n[strings.Split(key, "/")[2]]++
	}
	return n
}

// dies runs a compactor that dies at a write, before or after its effect. It tells whether the compactor came to that write.
func (w *world) dies(at int64, after bool) bool {
	w.Helper()
	return w.diesOver(at, after, func(c *compact.Compactor) error { return c.Run(w.Context()) })
}

// diesOver is dies for other work than a compaction.
func (w *world) diesOver(at int64, after bool, do func(*compact.Compactor) error) bool {
	w.Helper()
	files, positions := checkpointtest.NewFaulty(w.files), checkpointtest.NewFaulty(w.positions)
	var writes atomic.Int64
	hook := func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op != checkpointtest.Put && op != checkpointtest.Delete {
			return checkpointtest.Fault{}
		}
		switch n := writes.Add(1); {
		case n == at && after:
			return checkpointtest.Fault{After: checkpointtest.ErrDead}
		case n >= at:
			return checkpointtest.Fault{Before: checkpointtest.ErrDead}
		default:
			return checkpointtest.Fault{}
		}
	}
	files.On(hook)
	positions.On(hook)
	err := do(w.compactor(files, positions, nil))
	if dead := errors.Join(positions.Kill(), files.Kill()); dead != nil {
		w.Fatalf("%v", dead)
	}
	if writes.Load() < at {
		if err != nil {
			w.Fatalf("it did not die, and says %v", err)
		}
		return false
	}
	return true
}

// clone copies a world in memory.
func (w *world) clone(t *testing.T) *world {
	t.Helper()
	c := *w
	c.tester, c.written = t, slices.Clone(w.written)
	copied := func(from bucket.Bucket, to *checkpointtest.Memory) *checkpointtest.Memory {
		keys, err := from.List(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			body, _, _, err := from.Get(t.Context(), key)
			if err == nil {
				_, err = to.Put(t.Context(), key, body, "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return to
	}
	c.files = copied(w.files, new(checkpointtest.Memory))
	c.positions = copied(w.positions, &checkpointtest.Memory{Locks: true})
	return &c
}
