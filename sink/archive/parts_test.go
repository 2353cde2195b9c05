package archive_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

var crowded = window.Window{
	Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 3, 1, 0, 0, 0, 1000, time.UTC), Pass: 7,
}

// inParts yields copies of the records in parts of these sizes, because a sink may rearrange them. The remaining records are the
// last part.
func inParts(all []record.Record, sizes []int) iter.Seq2[[]record.Record, error] {
	return func(yield func([]record.Record, error) bool) {
		for rest := all; len(rest) > 0; {
			n := len(rest)
			if len(sizes) > 0 {
				n, sizes = min(n, sizes[0]), sizes[1:]
			}
			if !yield(slices.Clone(rest[len(rest)-n:]), nil) {
				return
			}
			rest = rest[:len(rest)-n]
		}
	}
}

// TestPartsOfSeveralAttempts: attempts end at any Put, before or after its effect. They cut their parts anywhere, with more records
// each time. At the end, each record is in one object, and the receipt has the facts of each object.
func TestPartsOfSeveralAttempts(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := sinktest.Generate(t, 1, 60, crowded.Start.Add(-30*time.Second), time.Second) // of two days
			rapid.Check(t, func(rt *rapid.T) {
				store := new(checkpointtest.Memory)
				some := all[:rapid.IntRange(1, len(all)).Draw(rt, "records")]
				sizes := rapid.SliceOfN(rapid.IntRange(1, 20), 0, 8)
				if rapid.Bool().Draw(rt, "whole") { // an earlier attempt needed no parts, and left this
					if _, err := sinktest.Write(t.Context(), open(t, store, f), crowded, some[:len(some)/2]); err != nil {
						rt.Fatal(err)
					}
				}
				for range rapid.IntRange(0, 3).Draw(rt, "attempts") {
					faulty := checkpointtest.NewFaulty(store)
					hook, _ := sinktest.Fault{
						Put: int64(rapid.IntRange(1, 4).Draw(rt, "put")), Applied: rapid.Bool().Draw(rt, "applied"),
					}.Hook()
					faulty.On(hook)
					_, err := open(t, faulty, f).WriteParts(t.Context(), crowded, inParts(some, sizes.Draw(rt, "sizes")))
					if err != nil && !errors.Is(err, sinktest.ErrFault) {
						rt.Fatal(err)
					}
				}
				receipt, err := open(t, store, f).WriteParts(t.Context(), crowded, inParts(all, sizes.Draw(rt, "sizes")))
				if err != nil {
					rt.Fatal(err)
				}
				objects, unknown, err := read.Objects(t.Context(), store, sinktest.Tenant)
				if err != nil || len(unknown) > 0 || len(objects) != len(receipt.Objects) {
					rt.Fatalf("%d objects, %d in the receipt, %v", len(objects), len(receipt.Objects), err)
				}
				var got []record.Record
				for _, line := range receipt.Objects {
					body, _, _, err := store.Get(t.Context(), line.Key)
					if err != nil {
						rt.Fatal(err)
					}
					records := f.read(t, body)
					stamps := func(yield func(sink.Stamp) bool) {
						for i := range records {
							if !yield(sink.StampOf(&records[i])) {
								return
							}
						}
					}
					want := sink.Object(line.Key, len(body), sha256.Sum256(body), stamps)
					if want.RecordsRoot = sinktest.Root(records); line != want {
						rt.Fatalf("the receipt says\n%+v, it is\n%+v", line, want)
					}
					got = append(got, records...)
				}
				slices.SortFunc(got, func(a, b record.Record) int { return record.Compare(&a, &b) })
				same := slices.EqualFunc(got, all, func(a, b record.Record) bool { return a.ID == b.ID && a.CreatedAt.Equal(b.CreatedAt) })
				if !same {
					rt.Fatalf("%d records in the objects, of %d", len(got), len(all))
				}
			})
		})
	}
}

// putting is a bucket with another Put.
type putting struct {
	bucket.Bucket
	put func(ctx context.Context, key string, body []byte, version string) (string, error)
}

func (p putting) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	return p.put(ctx, key, body, version)
}

// TestPartThatArrivesLate: if an attempt dies during a Put, that Put may arrive at any later time. Its object is never beside the
// objects of the next attempt.
func TestPartThatArrivesLate(t *testing.T) {
	f := formats["ndjson"]
	all := sinktest.Generate(t, 1, 40, crowded.Start, time.Second)
	parts := func(a *archive.Archive) error {
		_, err := a.WriteParts(t.Context(), crowded, inParts(all, []int{10, 10, 10}))
		return err
	}
	whole := func(a *archive.Archive) error {
		_, err := sinktest.Write(t.Context(), a, crowded, all[:30]) // the next attempt has more records, too many for one part
		return err
	}
	for name, test := range map[string]struct {
		attempt func(*archive.Archive) error
		lost    int
	}{"the first part": {parts, 1}, "another part": {parts, 3}, "the window as a whole": {whole, 1}} {
		t.Run(name, func(t *testing.T) {
			store := new(checkpointtest.Memory)
			var late func() error
			puts := 0
			dying := putting{store, func(ctx context.Context, key string, body []byte, version string) (string, error) {
				if puts++; puts == test.lost {
					body := slices.Clone(body)
					late = func() error { _, err := store.Put(context.WithoutCancel(ctx), key, body, version); return err }
					return "", sinktest.ErrFault
				}
				return store.Put(ctx, key, body, version)
			}}
			if err := test.attempt(open(t, dying, f)); !errors.Is(err, sinktest.ErrFault) {
				t.Fatal(err)
			}
			if _, err := open(t, store, f).WriteParts(t.Context(), crowded, inParts(all, []int{3, 4})); err != nil {
				t.Fatal(err)
			}
			if late() == nil {
				t.Error("an object of the first attempt lies beside those of the second")
			}
		})
	}
}

// TestPartsThatLackARecord: if an attempt wrote a record, and the next one does not get it again, WriteParts fails.
func TestPartsThatLackARecord(t *testing.T) {
	f := formats["parquet"]
	all := sinktest.Generate(t, 1, 40, crowded.Start, time.Second)
	store := new(checkpointtest.Memory)
	if _, err := open(t, store, f).WriteParts(t.Context(), crowded, inParts(all, []int{10, 10})); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, store, f).WriteParts(t.Context(), crowded, inParts(all[1:], nil)); !errors.Is(err, archive.ErrHasMore) {
		t.Errorf("a part that has more: %v", err)
	}
	failing := func(yield func([]record.Record, error) bool) { yield(nil, sinktest.ErrFault) }
	if _, err := open(t, store, f).WriteParts(t.Context(), crowded, failing); err != sinktest.ErrFault { //nolint:errorlint // as it is
		t.Errorf("an error among the parts comes back as %v", err)
	}
}
