package parquet

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestWriter: a file that was written record by record, with the best compression, has the same records in every column, and Records
// reads them back. A library that shares no code with it reads the same.
func TestWriter(t *testing.T) {
	e := NewDenseEncoder(meta)
	many := make([]record.Record, rowGroupRows+1234)
	for i := range many {
		many[i] = record.Record{ID: int64(i + 1), CreatedAt: epoch.Add(time.Duration(i) * time.Microsecond), Action: "a"}
	}
	cases := sinktest.Files(t, epoch)
	delete(cases, "20 KB in each row") // 400 MB take a minute
	cases["corners"], cases["two row groups"] = sinktest.Corners(t), many
	for name, records := range cases {
		var file bytes.Buffer
		w := e.Begin(&file)
		for i := range records {
			if err := w.Add(&records[i]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := w.Finish(win); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, err := Open(file.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []record.Record
		err = f.Records(func(r *record.Record) error { got = append(got, *r); return nil })
		if err != nil || f.Window != win {
			t.Errorf("%s: window %v, %v", name, f.Window, err)
		}
		want := sinktest.WithoutRaw(records)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %d records (-written +read):\n%.1000s", name, len(got), diff)
		}
		if diff := cmp.Diff(want, sinktest.ReadParquet(t, file.Bytes())); diff != "" {
			t.Errorf("%s: another reader (-written +read):\n%.1000s", name, diff)
		}
		for i, g := range f.file.Metadata().RowGroups {
			if last := i == len(f.file.Metadata().RowGroups)-1; !last && name == "two row groups" && g.NumRows != rowGroupRows {
				t.Errorf("%s: row group %d has %d rows", name, i, g.NumRows)
			}
		}
		if f.Held() < int64(len(records)) {
			t.Errorf("%s: it holds %d bytes", name, f.Held())
		}
	}
}

func TestWriterOrder(t *testing.T) {
	records := sinktest.Generate(t, 1, 3, epoch, time.Second)
	for _, order := range [][]int{{1, 0}, {0, 0}} {
		w := NewDenseEncoder(meta).Begin(new(bytes.Buffer))
		var errs []error
		for _, i := range order {
			errs = append(errs, w.Add(&records[i]))
		}
		if !slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, ErrOrder) }) {
			t.Errorf("order %v: %v", order, errs)
		}
	}
	if err := NewDenseEncoder(meta).Begin(new(bytes.Buffer)).Finish(win); err == nil {
		t.Error("a file without a record")
	}
}
