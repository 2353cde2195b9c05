package parquet

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

var (
	meta  = Metadata{Tenant: "acme.example", Version: "1.2.3"}
	epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	win   = window.Window{Start: epoch, End: epoch.Add(time.Hour)}
)

func encode(tb testing.TB, e *Encoder, records []record.Record) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := e.Encode(&b, win, records); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestValues(t *testing.T) {
	e := NewEncoder(meta)
	for name, records := range map[string][]record.Record{
		"corners":  sinktest.Corners(t),
		"ordinary": sinktest.Generate(t, 1, 1000, epoch, 1234567*time.Microsecond),
		"none":     {},
	} {
		file := encode(t, e, records)
		if diff := cmp.Diff(sinktest.WithoutRaw(records), sinktest.ReadParquet(t, file)); diff != "" {
			t.Errorf("%s (-want +got):\n%.3000s", name, diff)
		}
		ids, err := e.IDs(file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(ids, records, func(id int64, r record.Record) bool { return id == r.ID }) {
			t.Errorf("%s: IDs = %v", name, ids)
		}
	}
	if ids, err := e.IDs([]byte("PAR1 this is no file PAR1")); err == nil {
		t.Errorf("IDs of garbage = %v", ids)
	}
}

// TestReuse: an encoder that is used again and again, also after errors, gives the same bytes as a new one.
func TestReuse(t *testing.T) {
	pool := slices.Concat(sinktest.Corners(t), sinktest.Generate(t, 100, 150, epoch.Add(48*time.Hour), time.Second))
	rapid.Check(t, func(rt *rapid.T) {
		reused := NewEncoder(meta)
		for range rapid.IntRange(2, 3).Draw(rt, "files") {
			from := rapid.IntRange(0, len(pool)-1).Draw(rt, "from")
			records := slices.Clone(pool[from:rapid.IntRange(from, len(pool)).Draw(rt, "to")])
			hide := record.Set(rapid.Uint16Range(0, 1<<9-1).Draw(rt, "absent"))
			for i := range records {
				records[i].Absent |= hide
			}
			want := encode(t, NewEncoder(meta), records)
			if rapid.Bool().Draw(rt, "fail first") {
				w := &failing{left: rapid.IntRange(0, len(want)-1).Draw(rt, "bytes")}
				if err := reused.Encode(w, win, records); !errors.Is(err, errDisk) {
					rt.Fatalf("encode to a full disk: %v", err)
				}
			}
			if got := encode(t, reused, records); !bytes.Equal(want, got) {
				rt.Fatalf("%d records: %d bytes of a new encoder, and %d others of a used one", len(records), len(want), len(got))
			}
			if d := &reused.scratch.dictionary; len(d.numbers) > 0 || slices.ContainsFunc(d.values[:cap(d.values)], isText) {
				rt.Fatal("the encoder holds on to records")
			}
		}
	})
}

func isText(s string) bool { return s != "" }

var errDisk = errors.New("disk full")

// failing is a writer that takes so many bytes.
type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	n := min(len(b), f.left)
	f.left -= n
	if n < len(b) {
		return n, errDisk
	}
	return n, nil
}

func TestOrder(t *testing.T) {
	good := sinktest.Corners(t) // with two records of one instant
	e := NewEncoder(meta)
	want := encode(t, e, good)
	for i := 1; i < len(good); i++ {
		for name, bad := range map[string][]record.Record{
			"swapped": slices.Concat(good[:i-1], []record.Record{good[i], good[i-1]}, good[i+1:]),
			"twice":   slices.Concat(good[:i], good[i-1:]),
		} {
			var b bytes.Buffer
			if err := e.Encode(&b, win, bad); !errors.Is(err, ErrOrder) || b.Len() > 0 {
				t.Errorf("%s at %d: %v, %d bytes; want %v and none", name, i, err, b.Len(), ErrOrder)
			}
		}
	}
	if !bytes.Equal(want, encode(t, e, good)) {
		t.Error("the encoder is of no use after it refused records")
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, n := range map[string]int{"window": 50_000, "day": 100} {
		b.Run(name, func(b *testing.B) {
			records := sinktest.Generate(b, 1, n, epoch, time.Second)
			e := NewEncoder(meta)
			size := len(encode(b, e, records))
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Encode(io.Discard, win, records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/float64(n), "file-B/record")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
		})
	}
}
