package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A Writer writes one file with records that come one by one. It holds one row group of them.
type Writer struct {
	encoder *Encoder
	file    file
	bytes   int // the bytes of the strings of these records
	records []record.Record
	last    record.Record // the last record before them; the zero value if there is none
	began   bool
}

// Begin begins a file. The encoder must not begin another file before the caller has finished this one or given it up.
func (e *Encoder) Begin(w io.Writer) *Writer {
	return &Writer{encoder: e, file: file{counted: counted{Writer: w}}}
}

// Add adds a record. It must come after the previous one by (created_at, id): if not, the error is [ErrOrder]. It keeps the
// strings until the row group is full.
func (w *Writer) Add(r *record.Record) error {
	if w.began && record.Compare(&w.last, r) >= 0 {
		return fmt.Errorf("encode Parquet: id %d comes after id %d: %w", r.ID, w.last.ID, ErrOrder)
	}
	if !w.began {
		if _, err := io.WriteString(&w.file, magic); err != nil {
			return fmt.Errorf("encode Parquet: %w", err)
		}
	}
	w.began, w.last = true, record.Record{ID: r.ID, CreatedAt: r.CreatedAt}
	w.records, w.bytes = append(w.records, *r), w.bytes+size(r)
	if len(w.records) < rowGroupRows && w.bytes <= rowGroupBytes && len(r.Fields) < largeFields {
		return nil
	}
	return w.flush(false)
}

// flush writes the row groups that are full. At the end it writes all of them.
func (w *Writer) flush(all bool) error {
	defer w.encoder.scratch.dictionary.clear() // so the writer no longer refers to old records
	rest := w.records
	for len(rest) > 0 {
		n := leading(rest)
		if n == len(rest) && !all && n < rowGroupRows && len(rest[0].Fields) < largeFields {
			break
		}
		if err := w.encoder.group(&w.file, rest[:n]); err != nil {
			return fmt.Errorf("encode Parquet: %w", err)
		}
		rest = rest[n:]
	}
	w.bytes = 0
	for i := range rest {
		w.bytes += size(&rest[i])
	}
	kept := copy(w.records, rest)
	clear(w.records[kept:])
	w.records = w.records[:kept]
	return nil
}

// Finish writes the rest of the file. The file has the records of a window.
func (w *Writer) Finish(win window.Window) error {
	if err := w.flush(true); err != nil {
		return err
	}
	if !w.began {
		return fmt.Errorf("encode Parquet: %w", errNothing)
	}
	if err := w.file.finish(w.encoder.meta, win); err != nil {
		return fmt.Errorf("encode Parquet: %w", err)
	}
	return nil
}

// errNothing says that a file has no record: that is a defect in the caller's code.
var errNothing = errors.New("there is no record to write")
