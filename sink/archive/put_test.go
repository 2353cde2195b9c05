package archive_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"houndtrail/exporter/window"
	"houndtrail/sink/archive"
	"houndtrail/sink/sinktest"
)

// TestOthers lets somebody else write between our steps.
func TestOthers(t *testing.T) {
	f := formats["ndjson"]
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	records := sinktest.Generate(t, 1, 3, start, time.Second)
	w := window.Window{Start: start, End: start.Add(time.Minute)}
	const key = "audit/tenant=acme.example/dt=2026-03-01/20260301T000000.000000Z.ndjson.gz"
	orphan := func(t *testing.T) []byte { // of the first record only
		bucket := newMemory()
		if _, err := open(t, bucket, f).Write(t.Context(), w, records[:1]); err != nil {
			t.Fatal(err)
		}
		return bucket.objects[key].body
	}(t)

	for name, test := range map[string]struct {
		beforePut func(m *memory, puts int)
		want      error
	}{
		"created just before us": {func(m *memory, puts int) {
			if puts == 1 {
				m.set(key, orphan)
			}
		}, nil},
		"replaced once": {func(m *memory, puts int) {
			if puts <= 2 {
				m.set(key, orphan)
			}
		}, nil},
		"removed before we replace": {func(m *memory, puts int) {
			switch puts {
			case 1:
				m.set(key, orphan)
			case 2:
				delete(m.objects, key)
			}
		}, nil},
		"always replaced": {func(m *memory, _ int) { m.set(key, orphan) }, archive.ErrContended},
	} {
		t.Run(name, func(t *testing.T) {
			bucket, puts := newMemory(), 0
			bucket.beforePut = func(string, string) {
				puts++
				test.beforePut(bucket, puts)
			}
			_, err := open(t, bucket, f).Write(t.Context(), w, records)
			if !errors.Is(err, test.want) {
				t.Fatalf("write: %v; want %v", err, test.want)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "mem://test/"+key) {
					t.Errorf("the error does not name the object: %v", err)
				}
				return
			}
			if got := f.read(t, bucket.objects[key].body); len(got) != len(records) {
				t.Errorf("%d records in the object, want %d", len(got), len(records))
			}
		})
	}
}

// TestMessages pins what a person reads when an object is left as it is.
func TestMessages(t *testing.T) {
	f := formats["parquet"]
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	records := sinktest.Generate(t, 41, 5, start, time.Second)
	w := window.Window{Start: start, End: start.Add(time.Minute)}
	bucket := newMemory()
	a := open(t, bucket, f)
	if _, err := a.Write(t.Context(), w, records); err != nil {
		t.Fatal(err)
	}
	const object = "archive mem://test/audit/tenant=acme.example/dt=2026-03-01/20260301T000000.000000Z.parquet: "

	_, err := a.Write(t.Context(), w, records[2:])
	want := object + "the object has records that would be lost: 2 of its 5 are not among the 3 to be written " +
		"(id 41, to begin with), because another runner wrote it, or the server has purged them since; it is left as it " +
		"is; to give it up, move it out of the archive and run again"
	if err == nil || err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%v", err, want)
	}

	for key := range bucket.objects {
		bucket.set(key, []byte("garbage"))
	}
	_, err = a.Write(t.Context(), w, records)
	if !errors.Is(err, archive.ErrForeign) || !strings.HasPrefix(err.Error(), object+"the object is not one of this archive's") {
		t.Errorf("error: %v; want %v of %s", err, archive.ErrForeign, object)
	}
}
