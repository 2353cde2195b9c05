package parquet

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// identities reads a file back. It turns a panic of the library into a failure of the test.
func identities(file []byte) (f *File, got []checkpoint.Record, err error) {
	if f, err = Open(file); err != nil {
		return nil, nil, err
	}
	err = f.Each(func(id int64, createdAt time.Time) error {
		got = append(got, checkpoint.Record{ID: id, CreatedAt: createdAt})
		return nil
	})
	return f, got, err
}

// TestRead goes over the end of pages and of row groups.
func TestRead(t *testing.T) {
	many := make([]record.Record, rowGroupRows+1234)
	for i := range many {
		many[i] = record.Record{ID: int64(len(many) - i), CreatedAt: epoch.Add(time.Duration(i) * time.Microsecond)}
	}
	for name, records := range map[string][]record.Record{
		"corners": sinktest.Corners(t), "none": nil, "two row groups": many,
	} {
		f, got, err := identities(encode(t, NewEncoder(meta), records))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Metadata != meta || f.Window != win {
			t.Errorf("%s: the footer says %+v, %v", name, f.Metadata, f.Window)
		}
		if !slices.EqualFunc(records, got, func(r record.Record, g checkpoint.Record) bool {
			return r.ID == g.ID && r.CreatedAt.Equal(g.CreatedAt)
		}) {
			t.Errorf("%s: %d records are not the %d that were written", name, len(got), len(records))
		}
	}
	stop := errors.New("stop")
	f, err := Open(encode(t, NewEncoder(meta), many))
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = f.Each(func(int64, time.Time) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Each: %v after %d calls, want %v after 1", err, calls, stop)
	}
}

// TestReadDamaged: whatever the damage, reading gives an error or the records, and never a panic. The checksums of pages
// cover the columns; a footer has no checksum.
func TestReadDamaged(t *testing.T) {
	records := sinktest.Generate(t, 1, 30, epoch, time.Second)
	whole := encode(t, NewEncoder(meta), records)
	for n := range whole {
		if _, got, err := identities(whole[:n]); err == nil {
			t.Fatalf("cut off after %d of %d bytes: %d records and no error", n, len(whole), len(got))
		}
	}
	for i := range whole {
		damaged := slices.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		if _, got, err := identities(damaged); err == nil && len(got) > len(records) {
			t.Errorf("byte %d is another: %d records of %d", i, len(got), len(records))
		}
	}
}

// TestReadForeign: Open refuses a file of another writer, also if it has columns of those names.
func TestReadForeign(t *testing.T) {
	type narrow struct {
		ID int64 `parquet:"id"`
	}
	type other struct {
		ID          int64 `parquet:"id"`
		CreatedAtUS int64 `parquet:"created_at_us"`
	}
	type optional struct {
		ID          *int64 `parquet:"id"`
		CreatedAtUS int64  `parquet:"created_at_us"`
	}
	whole := []pq.WriterOption{
		pq.Compression(&pq.Zstd), pq.KeyValueMetadata(keyTenant, "t"), pq.KeyValueMetadata(keyVersion, "1"),
		pq.KeyValueMetadata(keyWindowStart, "2026-03-01T00:00:00Z"), pq.KeyValueMetadata(keyWindowEnd, "2026-03-01T01:00:00Z"),
	}
	if _, got, err := identities(foreign[other](t, whole...)); err != nil || len(got) != 3 {
		t.Errorf("a file with all that a reader needs: %d records, %v", len(got), err)
	}
	for name, file := range map[string][]byte{
		"no created_at_us": foreign[narrow](t, whole...),
		"nullable":         foreign[optional](t, whole...),
		"no metadata":      foreign[other](t, whole[0]),
		"no window":        foreign[other](t, whole[:3]...),
		"no end":           foreign[other](t, append(slices.Clone(whole), pq.KeyValueMetadata(keyWindowEnd, "x"))...),
		"no zstd":          foreign[other](t, append(slices.Clone(whole), pq.Compression(&pq.Snappy))...),
	} {
		if _, got, err := identities(file); err == nil {
			t.Errorf("%s: %d records and no error", name, len(got))
		}
	}
}

func foreign[T any](t *testing.T, options ...pq.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pq.Write(&b, make([]T, 3), options...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
