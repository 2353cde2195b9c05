package prove_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/prove"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

const (
	tenant   = sinktest.Tenant
	archived = "archive"
	filled   = "archive-backfill"
)

var day1 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

var encoders = map[string]func() archive.Encoder{
	"parquet": func() archive.Encoder { return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"}) },
	"ndjson":  func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A delivery is the fact to prove: the entry and the object that delivered a record.
type delivery struct {
	record.Record

	stream string
	serial uint64
	object string
}

// A world is an archive with its journals.
type world struct {
	*testing.T

	files, positions bucket.Bucket
	format           string
	keys             []ed25519.PrivateKey

	at        time.Time // the start of the next window
	id        int64
	delivered []delivery
}

func newWorld(t *testing.T, format string, keys ...ed25519.PrivateKey) *world {
	t.Helper()
	return &world{
		T: t, files: new(checkpointtest.Memory), positions: &checkpointtest.Memory{Locks: true}, format: format, keys: keys, at: day1, id: 1,
	}
}

// journal opens a journal for a program that commits.
func (w *world) journal(stream string) *checkpoint.Journal {
	options := []checkpoint.Option{checkpoint.Sign(w.keys...)}
	if stream == filled {
		options = append(options, checkpoint.AnyOrder())
	}
	return checkpoint.Open(w.positions, checkpoint.Identity{
		Tenant: tenant, Stream: stream, Source: "https://acme.example", Destination: "s3://lake", Encoding: w.format,
	}, options...)
}

// write writes a window to the archive, and commits it.
func (w *world) write(stream string, win window.Window, records ...record.Record) {
	w.Helper()
	slices.SortFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
	a, err := archive.New(w.files, tenant, encoders[w.format])
	check(w, err)
	receipt, err := sinktest.Write(w.Context(), a, win, records)
	check(w, err)
	j := w.journal(stream)
	prev, err := j.Load(w.Context())
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		w.Fatal(err)
	}
	next := checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Window: win, Start: day1, Cursor: win.End, DeliveredSince: day1, Objects: receipt.Objects,
		Records: checkpoint.Counts{Read: len(records), Fresh: len(records)}, MaxID: prev.MaxID,
	}
	if win.Pass > prev.Epoch {
		next.Kind, next.Cursor = checkpoint.KindRescan, prev.Cursor
	}
	for _, o := range receipt.Objects {
		next.MaxID = max(next.MaxID, o.MaxID)
	}
	s, err := j.Commit(w.Context(), prev, next)
	check(w, err)
	for _, r := range records {
		for _, o := range receipt.Objects {
			if strings.Contains(o.Key, "/dt="+r.CreatedAt.UTC().Format(time.DateOnly)+"/") {
				w.delivered = append(w.delivered, delivery{r, stream, s.Serial, o.Key})
			}
		}
	}
}

// records returns new records within a span.
func (w *world) records(from time.Time, span time.Duration, n int) []record.Record {
	w.Helper()
	if n == 0 {
		return nil
	}
	made := sinktest.Generate(w, w.id, n, from, span/time.Duration(n))
	w.id += int64(n)
	return made
}

// export delivers windows of one span each, with so many records in each.
func (w *world) export(windows int, span time.Duration, each int) {
	w.Helper()
	for range windows {
		w.write(archived, window.Window{Start: w.at, End: w.at.Add(span)}, w.records(w.at, span, each)...)
		w.at = w.at.Add(span)
	}
}

// rescan delivers late records between the ones of other windows.
func (w *world) rescan(from time.Time, span time.Duration, n int) {
	w.Helper()
	newest, err := w.journal(archived).Load(w.Context())
	check(w, err)
	w.write(archived, window.Window{Start: day1, End: w.at, Pass: newest.Epoch + newest.Serial + 1}, w.records(from, span, n)...)
}

func (w *world) compact() {
	w.Helper()
	c := &compact.Compactor{
		Files: w.files, Journal: w.journal(archived), Backfill: w.journal(filled),
		State:  checkpoint.OpenState[compact.Intent](w.positions, archived, compact.StateName),
		Tenant: tenant, Version: "1.2.3", Memory: 96 << 20, Done: func(compact.Day) {},
	}
	check(w, c.Run(w.Context()))
}

// options asks for the proof of a record, for a reader without a key.
func (w *world) options(id int64) prove.Options {
	open := func(name string) *checkpoint.Journal {
		return checkpoint.Open(w.positions, checkpoint.Identity{Stream: name})
	}
	return prove.Options{Files: w.files, Positions: w.positions, Journal: open(archived), Backfill: open(filled), ID: id}
}

func (w *world) public() (keys []seal.PublicKey) {
	for _, key := range w.keys {
		keys = append(keys, seal.PublicOf(key))
	}
	return keys
}

// proves makes the proofs of one in so many delivered records, and of the last one. It compares each proved record with the
// delivered one.
func (w *world) proves(in int) (last *prove.Proof) {
	w.Helper()
	for i, d := range w.delivered {
		if i%in > 0 && i < len(w.delivered)-1 {
			continue
		}
		proof, err := prove.Record(w.Context(), w.options(d.ID))
		if err != nil {
			w.Fatalf("id %d: %v", d.ID, err)
		}
		proved, err := proof.Check(w.public()...)
		signed := len(w.keys)
		if d.stream == filled { // it is older than the second key
			signed = 1
		}
		if err != nil || len(proved.By) != signed {
			w.Fatalf("id %d: %v, by %v", d.ID, err, proved)
		}
		newest, err := w.journal(d.stream).Load(w.Context())
		check(w, err)
		if proved.Row.ID != d.ID || proved.Row.CreatedAtMicros != d.CreatedAt.UnixMicro() || *proved.Row.Columns[4] != d.Fields ||
			proved.Object.Key != d.object || proved.Entry.Serial != d.serial || proved.Head.Size != newest.Serial || proof.Weak != "" {
			w.Fatalf("id %d was delivered by entry %d of %s in %s; %d entries, the proof is of\n%+v", d.ID, d.serial, d.stream, d.object,
				newest.Serial, proved)
		}
		if _, _, _, err := w.files.Get(w.Context(), proof.Lies); err != nil {
			w.Fatalf("id %d: %v", d.ID, err)
		}
		last = proof
	}
	return last
}

// counting counts the objects that a program reads.
type counting struct {
	bucket.Bucket

	gets atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	c.gets.Add(1)
	return c.Bucket.Get(ctx, key)
}
