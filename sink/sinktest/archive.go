package sinktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Tenant is the tenant of the suite's records.
const Tenant = "acme.example"

// Sink is the contract under test: exporter.Sink without WriteParts, but with Write, which only tests call.
type Sink interface {
	Prepare(w window.Window, records []record.Record) (
		write func(context.Context) (checkpoint.Receipt, error), bytes int64, err error,
	)
}

// Write prepares a window and writes it at once.
func Write(ctx context.Context, s Sink, w window.Window, records []record.Record) (checkpoint.Receipt, error) {
	write, _, err := s.Prepare(w, records)
	if err != nil {
		return checkpoint.Receipt{}, err
	}
	return write(ctx)
}

// An Archive is an archive under test: a format, and a kind of bucket.
type Archive struct {
	Open      func(t *testing.T) bucket.Bucket                   // an empty bucket
	Sink      func(t *testing.T, b bucket.Bucket) Sink           // the archive of Tenant in the bucket
	Read      func(tb testing.TB, object []byte) []record.Record // the records of an object, without Raw
	Extension string                                             // the end of the objects' keys
	HasMore   error                                              // the error of a write that would lose records
}

// Run tests the archive. It opens a new bucket for each test.
func (a Archive) Run(t *testing.T) {
	t.Helper()
	for name, test := range map[string]func(*fixture){
		"every record once, in its own day": testOnce,
		"receipt":                           testReceipt,
		"windows prepared side by side":     testPrepare,
		"nothing to write":                  testEmpty,
		"the same again":                    testAgain,
		"retry after a failed attempt":      testRetry,
		"never lose a record":               testHasMore,
		"foreign object":                    testForeign,
		"cancelled":                         testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			b := checkpointtest.NewFaulty(a.Open(t))
			test(&fixture{T: t, archive: a, bucket: b, sink: a.Sink(t, b)})
		})
	}
}

// ErrFault is the error of an injected fault.
var ErrFault = errors.New("injected fault")

// A Fault makes one of many Puts fail in one of two ways, as networks do: the request is lost, or the answer is lost.
type Fault struct {
	Put     int64 // from 1; 0 means no Put
	Applied bool  // the Put took effect
}

// Hook returns the fault as a hook, and a counter of Puts.
func (f Fault) Hook() (checkpointtest.Hook, *atomic.Int64) {
	puts := new(atomic.Int64)
	return func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		switch {
		case op != checkpointtest.Put || puts.Add(1) != f.Put:
			return checkpointtest.Fault{}
		case f.Applied:
			return checkpointtest.Fault{After: ErrFault}
		default:
			return checkpointtest.Fault{Before: ErrFault}
		}
	}, puts
}

type fixture struct {
	*testing.T

	archive Archive
	bucket  *checkpointtest.Faulty
	sink    Sink
}

// inject installs the fault. It counts the Puts that come after it.
func (f *fixture) inject(fault Fault) *atomic.Int64 {
	hook, puts := fault.Hook()
	f.bucket.On(hook)
	return puts
}

// midnight is the end of the first of the suite's two days.
var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// days makes n records around midnight, one for each second, and the window that they fill.
func (f *fixture) days(n int) (window.Window, []record.Record) {
	f.Helper()
	start := midnight.Add(-time.Duration(n/2) * time.Second)
	return window.Window{Start: start, End: start.Add(time.Duration(n) * time.Second)}, Generate(f, 1000, n, start, time.Second)
}

// write fails the test unless the records are acknowledged.
func (f *fixture) write(w window.Window, records []record.Record) checkpoint.Receipt {
	f.Helper()
	receipt, err := Write(f.Context(), f.sink, w, records)
	if err != nil {
		f.Fatalf("write: %v", err)
	}
	return receipt
}

// keys are the keys of all objects in the bucket.
func (f *fixture) keys() []string {
	f.Helper()
	keys, err := f.bucket.List(f.Context(), "", "")
	if err != nil {
		f.Fatalf("list: %v", err)
	}
	return keys
}

func (f *fixture) get(key string) []byte {
	f.Helper()
	body, _, _, err := f.bucket.Get(f.Context(), key)
	if err != nil {
		f.Fatalf("get %s: %v", key, err)
	}
	return body
}

// holds checks that the archive has exactly these records, each in the partition of its day.
func (f *fixture) holds(want []record.Record) {
	f.Helper()
	var got []record.Record
	for _, key := range f.keys() {
		body := f.get(key)
		records := f.archive.Read(f, body)
		for _, r := range records {
			partition := fmt.Sprintf("audit/tenant=%s/dt=%s/", Tenant, r.CreatedAt.UTC().Format("2006-01-02"))
			if !strings.HasPrefix(key, partition) {
				f.Errorf("record %d of %s is in %s", r.ID, r.CreatedAt, key)
			}
		}
		got = append(got, records...)
	}
	want = WithoutRaw(want)
	slices.SortFunc(got, compare)
	slices.SortFunc(want, compare)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("the archive has not exactly what was written (-want +got):\n%.4000s", diff)
	}
}

func testOnce(f *fixture) {
	corners := Corners(f)
	first, records := f.days(100)
	late := Generate(f, 1, 3, midnight.Add(-10*24*time.Hour), 20*time.Hour)
	second := window.Window{Start: first.End, End: first.End.Add(time.Hour)}
	f.write(window.Window{Start: time.Unix(-10, 0), End: first.Start}, corners)
	f.write(first, records)
	f.write(second, late)
	f.holds(slices.Concat(corners, records, late))

	want := "audit/tenant=acme.example/dt=2026-03-02/20260301T235910.000000Z" + f.archive.Extension
	if !slices.Contains(f.keys(), want) {
		f.Errorf("no object %s among\n%s", want, strings.Join(f.keys(), "\n"))
	}
}

func testPrepare(f *fixture) {
	f.holds(Prepare(f, f.sink, 8))
}

func testReceipt(f *fixture) {
	w, records := f.days(100)
	records[3].ID = 7 // ids need not be in the order of time
	receipt := f.write(w, records)
	var want []checkpoint.Object
	for i, half := range [][]record.Record{records[:50], records[50:]} {
		key := fmt.Sprintf("audit/tenant=acme.example/dt=2026-03-0%d/20260301T235910.000000Z%s", i+1, f.archive.Extension)
		body := f.get(key)
		sum := sha256.Sum256(body)
		want = append(want, checkpoint.Object{
			Key: key, Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), Records: 50,
			MinID: half[0].ID, MaxID: half[49].ID, MinCreatedAt: half[0].CreatedAt, MaxCreatedAt: half[49].CreatedAt,
			RecordsRoot: Root(half),
		})
	}
	want[0].MinID = 7
	if diff := cmp.Diff(want, receipt.Objects); diff != "" {
		f.Errorf("receipt (-want +got):\n%s", diff)
	}
}

func testEmpty(f *fixture) {
	w, _ := f.days(2)
	puts := f.inject(Fault{})
	if receipt := f.write(w, nil); len(receipt.Objects) > 0 || puts.Load() > 0 || len(f.keys()) > 0 {
		f.Errorf("no records made objects: %v", receipt)
	}
}

func testAgain(f *fixture) {
	w, records := f.days(10)
	receipt := f.write(w, records)
	puts := f.inject(Fault{})
	if diff := cmp.Diff(receipt, f.write(w, records)); diff != "" {
		f.Errorf("the second receipt differs (-first +second):\n%s", diff)
	}
	if n := int(puts.Load()); n != len(receipt.Objects) {
		f.Errorf("%d Puts for %d objects: some were replaced by their own bytes", n, len(receipt.Objects))
	}
	f.holds(records)
}

// testRetry tests why the keys have their form. Each of the Puts fails in turn, with and without its effect. After a retry with
// more records, the archive must have every record once.
func testRetry(f *fixture) {
	var all []record.Record
	span, _ := f.days(20)
	for i, fault := range []Fault{{1, false}, {1, true}, {2, false}, {2, true}} {
		w := window.Window{Start: span.Start.Add(time.Duration(i) * time.Microsecond), End: span.End}
		records := Generate(f, int64(1+1000*i), 20, w.Start, time.Second)
		f.inject(fault)
		if _, err := Write(f.Context(), f.sink, w, records[1:19]); !errors.Is(err, ErrFault) {
			f.Fatalf("%+v: write: %v; want the fault", fault, err)
		}
		f.inject(Fault{})
		f.write(w, records)
		all = append(all, records...)
		f.holds(all)
	}
}

func testHasMore(f *fixture) {
	w, records := f.days(20)
	f.write(w, records)
	if _, err := Write(f.Context(), f.sink, w, records[1:]); !errors.Is(err, f.archive.HasMore) {
		f.Errorf("write without a record that is there: %v; want %v", err, f.archive.HasMore)
	}
	f.holds(records)
}

func testForeign(f *fixture) {
	w, records := f.days(2)
	key := "audit/tenant=acme.example/dt=2026-03-01/20260301T235959.000000Z" + f.archive.Extension
	if _, err := f.bucket.Put(f.Context(), key, []byte("not ours"), ""); err != nil {
		f.Fatal(err)
	}
	if _, err := Write(f.Context(), f.sink, w, records); err == nil || !strings.Contains(err.Error(), key) {
		f.Errorf("write onto a foreign object: %v; want an error that names it", err)
	}
	if body := f.get(key); string(body) != "not ours" {
		f.Error("a foreign object was replaced")
	}
}

func testCancelled(f *fixture) {
	w, records := f.days(20)
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := Write(ctx, f.sink, w, records); !errors.Is(err, context.Canceled) {
		f.Errorf("write: %v; want %v", err, context.Canceled)
	}
	if keys := f.keys(); len(keys) > 0 {
		f.Errorf("a cancelled write made %v", keys)
	}
	f.write(w, records)
	f.holds(records)
}

func compare(a, b record.Record) int { return record.Compare(&a, &b) }
