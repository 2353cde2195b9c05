package sinktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// Tenant is whose records the suite writes.
const Tenant = "acme.example"

// Sink is the contract under test, exporter.Sink.
type Sink interface {
	Write(ctx context.Context, w window.Window, records []bloodhound.Record) (checkpoint.Receipt, error)
}

// An Archive is one to be tested: a format and a kind of bucket.
type Archive struct {
	Open      func(t *testing.T) Bucket                              // an empty bucket
	Sink      func(t *testing.T, bucket Bucket) Sink                 // the archive of Tenant in it
	Read      func(tb testing.TB, object []byte) []bloodhound.Record // what an object holds, without Raw
	Extension string                                                 // what its keys end in
	HasMore   error                                                  // what a write is refused with that would lose records
}

// Run tests the archive. A new bucket is opened for each test.
func (a Archive) Run(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"every record once, in its own day": testOnce,
		"receipt":                           testReceipt,
		"nothing to write":                  testEmpty,
		"the same again":                    testAgain,
		"retry after a failed attempt":      testRetry,
		"never lose a record":               testHasMore,
		"foreign object":                    testForeign,
		"cancelled":                         testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			faults := &Faults{Bucket: a.Open(t)}
			test(t, &fixture{Archive: a, bucket: faults, sink: a.Sink(t, faults)})
		})
	}
}

type fixture struct {
	Archive
	bucket *Faults
	sink   Sink
}

// midnight is the end of the first of the suite's two days.
var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// days makes n records around midnight, a second apart, and the window that they fill.
func days(t *testing.T, n int) (window.Window, []bloodhound.Record) {
	t.Helper()
	start := midnight.Add(-time.Duration(n/2) * time.Second)
	return window.Window{Start: start, End: start.Add(time.Duration(n) * time.Second)}, Generate(t, 1000, n, start, time.Second)
}

// write fails the test unless the records are acknowledged.
func (f *fixture) write(t *testing.T, w window.Window, records []bloodhound.Record) checkpoint.Receipt {
	t.Helper()
	receipt, err := f.sink.Write(t.Context(), w, records)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	return receipt
}

// keys are the objects that are there.
func (f *fixture) keys(t *testing.T) []string {
	t.Helper()
	keys, err := f.bucket.List(t.Context(), "", "")
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return keys
}

func (f *fixture) get(t *testing.T, key string) []byte {
	t.Helper()
	body, _, _, err := f.bucket.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return body
}

// holds checks that the archive has exactly these records, and each in the partition of its day.
func (f *fixture) holds(t *testing.T, want []bloodhound.Record) {
	t.Helper()
	var got []bloodhound.Record
	for _, key := range f.keys(t) {
		body := f.get(t, key)
		records := f.Read(t, body)
		for _, r := range records {
			partition := fmt.Sprintf("audit/tenant=%s/dt=%s/", Tenant, r.CreatedAt.UTC().Format("2006-01-02"))
			if !strings.HasPrefix(key, partition) {
				t.Errorf("record %d of %s is in %s", r.ID, r.CreatedAt, key)
			}
		}
		got = append(got, records...)
	}
	want = WithoutRaw(want)
	slices.SortFunc(got, bloodhound.Compare)
	slices.SortFunc(want, bloodhound.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the archive has not exactly what was written (-want +got):\n%.4000s", diff)
	}
}

func testOnce(t *testing.T, f *fixture) {
	corners := Corners(t)
	first, records := days(t, 100)
	late := Generate(t, 1, 3, midnight.Add(-10*24*time.Hour), 20*time.Hour)
	second := window.Window{Start: first.End, End: first.End.Add(time.Hour)}
	f.write(t, window.Window{Start: time.Unix(-10, 0), End: first.Start}, corners)
	f.write(t, first, records)
	f.write(t, second, late)
	f.holds(t, slices.Concat(corners, records, late))

	want := "audit/tenant=acme.example/dt=2026-03-02/20260301T235910.000000Z" + f.Extension
	if !slices.Contains(f.keys(t), want) {
		t.Errorf("no object %s among\n%s", want, strings.Join(f.keys(t), "\n"))
	}
}

func testReceipt(t *testing.T, f *fixture) {
	w, records := days(t, 100)
	records[3].ID = 7 // ids do not follow time
	receipt := f.write(t, w, records)
	var want []checkpoint.Object
	for i, half := range [][]bloodhound.Record{records[:50], records[50:]} {
		key := fmt.Sprintf("audit/tenant=acme.example/dt=2026-03-0%d/20260301T235910.000000Z%s", i+1, f.Extension)
		body := f.get(t, key)
		sum := sha256.Sum256(body)
		want = append(want, checkpoint.Object{
			Key: key, Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), Records: 50,
			MinID: half[0].ID, MaxID: half[49].ID, MinCreatedAt: half[0].CreatedAt, MaxCreatedAt: half[49].CreatedAt,
		})
	}
	want[0].MinID = 7
	if diff := cmp.Diff(want, receipt.Objects); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
}

func testEmpty(t *testing.T, f *fixture) {
	w, _ := days(t, 2)
	if receipt := f.write(t, w, nil); len(receipt.Objects) > 0 || f.bucket.Puts() > 0 || len(f.keys(t)) > 0 {
		t.Errorf("no records made objects: %v", receipt)
	}
}

func testAgain(t *testing.T, f *fixture) {
	w, records := days(t, 10)
	receipt := f.write(t, w, records)
	f.bucket.Next(Fault{})
	if diff := cmp.Diff(receipt, f.write(t, w, records)); diff != "" {
		t.Errorf("the second receipt differs (-first +second):\n%s", diff)
	}
	if puts := f.bucket.Puts(); puts != len(receipt.Objects) {
		t.Errorf("%d Puts for %d objects: some were replaced by their own bytes", puts, len(receipt.Objects))
	}
	f.holds(t, records)
}

// testRetry is the reason for the keys: whichever Put fails, and whether or not it had taken effect, a retry that has
// found more records in the meantime leaves every record there once.
func testRetry(t *testing.T, f *fixture) {
	var all []bloodhound.Record
	span, _ := days(t, 20)
	for i, fault := range []Fault{{1, false}, {1, true}, {2, false}, {2, true}} {
		w := window.Window{Start: span.Start.Add(time.Duration(i) * time.Microsecond), End: span.End}
		records := Generate(t, int64(1+1000*i), 20, w.Start, time.Second)
		f.bucket.Next(fault)
		if _, err := f.sink.Write(t.Context(), w, records[1:19]); !errors.Is(err, ErrFault) {
			t.Fatalf("%+v: write: %v; want the fault", fault, err)
		}
		f.bucket.Next(Fault{})
		f.write(t, w, records)
		all = append(all, records...)
		f.holds(t, all)
	}
}

func testHasMore(t *testing.T, f *fixture) {
	w, records := days(t, 20)
	f.write(t, w, records)
	if _, err := f.sink.Write(t.Context(), w, records[1:]); !errors.Is(err, f.HasMore) {
		t.Errorf("write without a record that is there: %v; want %v", err, f.HasMore)
	}
	f.holds(t, records)
}

func testForeign(t *testing.T, f *fixture) {
	w, records := days(t, 2)
	key := "audit/tenant=acme.example/dt=2026-03-01/20260301T235959.000000Z" + f.Extension
	if _, err := f.bucket.Put(t.Context(), key, []byte("not ours"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.sink.Write(t.Context(), w, records); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("write onto a foreign object: %v; want an error that names it", err)
	}
	if body := f.get(t, key); string(body) != "not ours" {
		t.Error("a foreign object was replaced")
	}
}

func testCancelled(t *testing.T, f *fixture) {
	w, records := days(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.sink.Write(ctx, w, records); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v; want %v", err, context.Canceled)
	}
	if keys := f.keys(t); len(keys) > 0 {
		t.Errorf("a cancelled write made %v", keys)
	}
	f.write(t, w, records)
	f.holds(t, records)
}
