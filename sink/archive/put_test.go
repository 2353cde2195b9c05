package archive_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestOthers lets another process write between the steps of this one.
func TestOthers(t *testing.T) {
	f := formats["ndjson"]
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	records := sinktest.Generate(t, 1, 10, start, time.Second)
	w := window.Window{Start: start, End: start.Add(time.Minute)}
	const key = "audit/tenant=acme.example/dt=2026-03-01/20260301T000000.000000Z.ndjson.gz"
	orphans := make([][]byte, 8) // each with one or two records of the window, and all different
	for i := range orphans {
		orphans[i] = object(t, f, w, records[i:i+1+i%2], key)
	}

	for name, test := range map[string]struct {
		// before does the work of another process just before each call of this one; puts counts the Puts of this one, with the coming
		// Put.
		before func(store *checkpointtest.Memory, op checkpointtest.Op, puts int)
		want   error
	}{
		"created just before us": {func(store *checkpointtest.Memory, op checkpointtest.Op, puts int) {
			if op == checkpointtest.Put && puts == 1 {
				replace(t, store, key, orphans[0])
			}
		}, nil},
		"replaced once": {func(store *checkpointtest.Memory, op checkpointtest.Op, puts int) {
			if op == checkpointtest.Put && puts <= 2 {
				replace(t, store, key, orphans[puts])
			}
		}, nil},
		"removed before we look": {func(store *checkpointtest.Memory, op checkpointtest.Op, puts int) {
			if store.Remove(key); op == checkpointtest.Put && puts == 1 {
				replace(t, store, key, orphans[0])
			}
		}, nil},
		"removed before we replace": {func(store *checkpointtest.Memory, op checkpointtest.Op, puts int) {
			switch {
			case op == checkpointtest.Put && puts == 1:
				replace(t, store, key, orphans[0])
			case op == checkpointtest.Put:
				store.Remove(key)
			}
		}, nil},
		"always replaced": {func(store *checkpointtest.Memory, op checkpointtest.Op, puts int) {
			if op == checkpointtest.Put {
				replace(t, store, key, orphans[puts])
			}
		}, archive.ErrContended},
	} {
		t.Run(name, func(t *testing.T) {
			store, puts := new(checkpointtest.Memory), 0
			bucket := checkpointtest.NewFaulty(store)
			bucket.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
				if op == checkpointtest.Put {
					puts++
				}
				test.before(store, op, puts)
				return checkpointtest.Fault{}
			})
			_, err := sinktest.Write(t.Context(), open(t, bucket, f), w, records)
			if !errors.Is(err, test.want) {
				t.Fatalf("write: %v; want %v", err, test.want)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "memory://test/"+key) {
					t.Errorf("the error does not name the object: %v", err)
				}
				return
			}
			body, _, _, err := store.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, body); len(got) != len(records) {
				t.Errorf("%d records in the object, want %d", len(got), len(records))
			}
		})
	}
}

// object returns the object that the archive makes from the records.
func object(t *testing.T, f format, w window.Window, records []record.Record, key string) []byte {
	t.Helper()
	store := new(checkpointtest.Memory)
	if _, err := sinktest.Write(t.Context(), open(t, store, f), w, records); err != nil {
		t.Fatal(err)
	}
	body, _, _, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// replace is the Put of another process.
func replace(t *testing.T, store *checkpointtest.Memory, key string, body []byte) {
	t.Helper()
	store.Remove(key)
	if _, err := store.Put(t.Context(), key, body, ""); err != nil {
		t.Fatal(err)
	}
}

// TestMessages checks the errors that a person reads when put leaves an object unchanged.
func TestMessages(t *testing.T) {
	f := formats["parquet"]
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	records := sinktest.Generate(t, 41, 5, start, time.Second)
	w := window.Window{Start: start, End: start.Add(time.Minute)}
	bucket := new(checkpointtest.Memory)
	a := open(t, bucket, f)
	if _, err := sinktest.Write(t.Context(), a, w, records); err != nil {
		t.Fatal(err)
	}
	const object = "archive memory://test/audit/tenant=acme.example/dt=2026-03-01/20260301T000000.000000Z.parquet: "

	_, err := sinktest.Write(t.Context(), a, w, records[2:])
	want := object + "the object has records that would be lost: 2 of its 5 are not among the 3 to be written " +
		"(id 41, to begin with), because another runner wrote it, or the server has purged them since; it is left as it " +
		"is; to give it up, move it out of the archive and run again"
	if err == nil || err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%v", err, want)
	}

	keys, err := bucket.List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	replace(t, bucket, keys[0], []byte("garbage"))
	_, err = sinktest.Write(t.Context(), a, w, records)
	if !errors.Is(err, archive.ErrForeign) || !strings.HasPrefix(err.Error(), object+"the object is not one of this archive's") {
		t.Errorf("error: %v; want %v of %s", err, archive.ErrForeign, object)
	}
}
