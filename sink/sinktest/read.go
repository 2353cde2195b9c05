package sinktest

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// ReadParquet reads the records of a Parquet object, without Raw. It uses the names in the object's own schema, and shares no code
// with the writer.
func ReadParquet(tb testing.TB, object []byte) []record.Record {
	tb.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(object), int64(len(object)))
	if err != nil {
		tb.Fatalf("read Parquet: %v", err)
	}
	records := make([]record.Record, 0, file.NumRows())
	columns := file.Schema().Columns()
	rows := make([]parquet.Row, 100)
	for _, group := range file.RowGroups() {
		reader := group.Rows()
		for read := int64(0); read < group.NumRows(); {
			n, err := reader.ReadRows(rows)
			if n == 0 {
				tb.Fatalf("read Parquet: row %d: %v", read, err)
			}
			for _, row := range rows[:n] {
				records = append(records, rowRecord(tb, columns, row))
			}
			read += int64(n)
		}
		if err := reader.Close(); err != nil {
			tb.Fatalf("read Parquet: %v", err)
		}
	}
	return records
}

func rowRecord(tb testing.TB, columns [][]string, row parquet.Row) record.Record {
	tb.Helper()
	var r record.Record
	texts := record.Columns()
	var millis int64
	for i, path := range columns {
		name, value := path[0], row[i]
		switch name {
		case "id":
			r.ID = value.Int64()
			continue
		case "created_at":
			millis = value.Int64()
			continue
		case "created_at_us":
			r.CreatedAt = time.UnixMicro(value.Int64()).UTC()
			if floor := int64(math.Floor(float64(value.Int64()) / 1000)); millis != floor {
				tb.Errorf("read Parquet: id %d: created_at is %d ms, want %d", r.ID, millis, floor)
			}
			continue
		}
		at := slices.IndexFunc(texts, func(c record.Column) bool { return c.Name == name })
		if at < 0 {
			tb.Fatalf("read Parquet: unexpected column %q", name)
		}
		if value.IsNull() {
			r.Absent |= record.At(at)
		} else {
			*texts[at].Value(&r) = string(value.ByteArray())
		}
	}
	return r
}

// Lines reads the lines of an .ndjson.gz or .ndjson.zst object.
func Lines(tb testing.TB, object []byte) []string {
	tb.Helper()
	var unzipped io.WriterTo
	var err error
	if bytes.HasPrefix(object, []byte("\x1f\x8b")) {
		unzipped, err = gzip.NewReader(bytes.NewReader(object))
	} else {
		unzipped, err = zstd.NewReader(bytes.NewReader(object), zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		tb.Fatalf("read NDJSON: %v", err)
	}
	var text strings.Builder
	if _, err := unzipped.WriteTo(&text); err != nil {
		tb.Fatalf("read NDJSON: %v", err)
	}
	return slices.Collect(strings.Lines(text.String()))
}

// ReadNDJSON reads the records of an .ndjson.gz or .ndjson.zst object, without Raw.
func ReadNDJSON(tb testing.TB, object []byte) []record.Record {
	tb.Helper()
	var records []record.Record
	for _, line := range Lines(tb, object) {
		r := Parse(tb, line)
		r.Raw = ""
		records = append(records, r)
	}
	return records
}

// WithoutRaw returns the records as a reader can give them back.
func WithoutRaw(records []record.Record) []record.Record {
	records = slices.Clone(records)
	for i := range records {
		records[i].Raw = ""
	}
	return records
}
