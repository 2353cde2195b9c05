package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Extension is the end of a file's name.
const Extension = ".parquet"

const (
	// rowGroupRows bounds a row group. With more rows neither size nor speed gains, and only memory grows.
	rowGroupRows = 100_000
	// rowGroupBytes bounds the strings of a row group before compression, unless a single record has more. Readers hold the
	// compressed column chunks of a row group. 100,000 ordinary records have 28 MB, so most row groups end by rows. Each further
	// row group costs 2 KB of footer, so it should hold some records even if they have 10 MiB, the most that BloodHound takes in.
	rowGroupBytes = 32 << 20
	// pageBytes is the size of a page before compression. Pages of 1 MiB would make files 3% smaller, and readers slower.
	pageBytes = 256 << 10
	// densePageBytes is the same of a dense file.
	densePageBytes = 1 << 20
	// dictionaryBytes is how large a dictionary may be: some 58,000 UUIDs. A column with more different values in a row group
	// has no dictionary.
	dictionaryBytes = 2 << 20
	// bloomBits is the number of bits for each value of an id column: about one false positive in a hundred.
	bloomBits = 10
)

// The keys of a file's metadata.
const (
	keyTenant      = "houndtrail.tenant"
	keyVersion     = "houndtrail.version"
	keyWindowStart = "houndtrail.window_start"
	keyWindowEnd   = "houndtrail.window_end"
)

// ErrOrder says that records are not in strictly ascending order of (created_at, id). A file with such records would
// lie about its sorting columns, and readers that believe them would skip rows.
var ErrOrder = errors.New("records are not sorted by (created_at, id), each once")

// Metadata goes into the footer of every file, beside the window.
type Metadata struct {
	Tenant  string
	Version string // of the program
}

// An Encoder writes files, one after another. It keeps its buffers from one to the next, since sparse history comes as
// hundreds of small files. It is not safe for concurrent use.
//
// It has a writer of its own, made of the library's encodings. The library's writer takes twice the processor time, since it
// copies rows to columns. It holds a row group's pages in memory, and its statistics have whole strings.
type Encoder struct {
	meta    Metadata
	scratch scratch
}

// NewEncoder returns an encoder whose files carry meta.
func NewEncoder(meta Metadata) *Encoder { return &Encoder{meta: meta} }

// NewDenseEncoder returns an encoder that takes several times the processor time, for smaller files.
func NewDenseEncoder(meta Metadata) *Encoder {
	return &Encoder{meta: meta, scratch: scratch{dense: true}}
}

// Extension is the end of a file's name.
func (*Encoder) Extension() string { return Extension }

// Held is about how many bytes the encoder's own buffers have: a few hundred thousand, unless a string was larger.
func (e *Encoder) Held() int { return cap(e.scratch.values) + cap(e.scratch.packed) }

// Encode writes one file with the records, which must be sorted and each there once; else the error is [ErrOrder]. It
// keeps no reference to them. After an error the written bytes are no file, and the encoder can be used again.
func (e *Encoder) Encode(w io.Writer, win window.Window, records []record.Record) error {
	for i := 1; i < len(records); i++ {
		if record.Compare(&records[i-1], &records[i]) >= 0 {
			return fmt.Errorf("encode Parquet: id %d comes after id %d: %w", records[i].ID, records[i-1].ID, ErrOrder)
		}
	}
	defer e.scratch.dictionary.clear() // it must not refer to the caller's memory any more
	if err := e.encode(&file{counted: counted{Writer: w}}, win, records); err != nil {
		return fmt.Errorf("encode Parquet: %w", err)
	}
	return nil
}

func (e *Encoder) encode(f *file, win window.Window, records []record.Record) error {
	if _, err := io.WriteString(f, magic); err != nil {
		return err
	}
	for len(records) > 0 {
		n := leading(records)
		if err := e.group(f, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return f.finish(e.meta, win)
}

// different is about how many different values an id column has, which is the size of its bloom filter. An intent and its outcome
// share an id: to count them makes a dense file 2% smaller.
func (e *Encoder) different(c *column, records []record.Record) int {
	if !e.scratch.dense {
		return len(records)
	}
	ids := make(map[string]struct{}, len(records))
	for i := range records {
		ids[*c.text(&records[i])] = struct{}{}
	}
	return len(ids)
}

// leading is how many of the first records make a row group, by the bytes of their strings. A record that alone is too large for
// a row group, or has large fields, goes alone.
func leading(records []record.Record) (n int) {
	for bytes := 0; n < min(len(records), rowGroupRows); n++ {
		bytes += size(&records[n])
		large := len(records[n].Fields) >= largeFields
		if n > 0 && (large || bytes > rowGroupBytes) {
			return n
		}
		if large {
			return 1
		}
	}
	return n
}

// group writes a row group, column by column.
func (e *Encoder) group(f *file, records []record.Record) error {
	g := f.begin(len(records))
	for i := range columns {
		c := newChunk(f, &e.scratch, &columns[i])
		if columns[i].bloom() {
			c.filter = e.scratch.bloom(len(g.filters), e.different(&columns[i], records))
			g.filters = append(g.filters, c.filter)
		}
		if err := c.encode(records); err != nil {
			return fmt.Errorf("column %s: %w", columns[i].Name, err)
		}
		if err := f.end(g, c); err != nil {
			return fmt.Errorf("column %s: %w", columns[i].Name, err)
		}
	}
	return f.filters(g)
}
