package ndjson

import (
	"errors"
	"fmt"
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Extension and ZstdExtension are the ends of a file's name: one for each compression.
const (
	Extension     = ".ndjson.gz"
	ZstdExtension = ".ndjson.zst"
)

// Long is the size in bytes from which Houndtrail writes the line of a record piece by piece.
const Long = 256 << 10

// piece is how many bytes of lines the encoder compresses at a time: so they are still in the processor's cache.
const piece = 32 << 10

// An Encoder writes compressed files of lines, one after another, and keeps its buffers for the next file. It is not safe for
// concurrent use.
type Encoder struct {
	form        Lines
	compression Compression
	zip         Compressor
	lines       []byte // not yet compressed
}

// NewEncoder returns an encoder for the tenant's records. The compression is Gzip or Zstd.
func NewEncoder(tenant string, c Compression) *Encoder {
	return &Encoder{form: ForTenant(tenant), compression: c, zip: c.Writer()}
}

// A Writer writes one file with lines that come one by one, with the best compression.
type Writer struct{ zip Compressor }

// Begin begins a file.
func Begin(w io.Writer, c Compression) *Writer {
	zip := c.Dense()
	zip.Reset(w)
	return &Writer{zip}
}

// Add adds a record. Its Raw is its whole line: [Lines.Records] returns such records.
func (w *Writer) Add(r *record.Record) error {
	_, err := io.WriteString(w.zip, r.Raw)
	if err == nil {
		_, err = io.WriteString(w.zip, "\n")
	}
	if err != nil {
		return fmt.Errorf("encode NDJSON: %w", err)
	}
	return nil
}

// Finish writes the rest of the file.
func (w *Writer) Finish(window.Window) error {
	if err := w.zip.Close(); err != nil {
		return fmt.Errorf("encode NDJSON: %w", err)
	}
	return nil
}

// Extension is the end of a file's name.
func (e *Encoder) Extension() string {
	if e.compression == Zstd {
		return ZstdExtension
	}
	return Extension
}

// Held is how many bytes the encoder's own buffer has.
func (e *Encoder) Held() int { return cap(e.lines) }

// Encode writes one file with a line for each record, in their order. It keeps no reference to them. After an error, the
// written bytes are no complete file. The encoder can be used again.
func (e *Encoder) Encode(w io.Writer, _ window.Window, records []record.Record) error {
	e.zip.Reset(w)
	defer e.zip.Reset(io.Discard)
	e.lines = e.lines[:0]
	for i := range records {
		if err := e.add(&records[i]); err != nil {
			return fmt.Errorf("encode NDJSON: %w", err)
		}
	}
	if err := errors.Join(e.flush(), e.zip.Close()); err != nil {
		return fmt.Errorf("encode NDJSON: %w", err)
	}
	return nil
}

func (e *Encoder) add(r *record.Record) error {
	if len(r.Raw) >= Long {
		if err := e.flush(); err != nil {
			return err
		}
		_, err := e.form.Write(e.zip, r)
		return err
	}
	if e.lines = e.form.Append(e.lines, r); len(e.lines) < piece {
		return nil
	}
	return e.flush()
}

func (e *Encoder) flush() error {
	_, err := e.zip.Write(e.lines)
	e.lines = e.lines[:0]
	return err
}
