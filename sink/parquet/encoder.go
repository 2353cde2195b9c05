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
	// rowGroupRows is how many rows a row group may have. With more rows, a file is no smaller and no faster, and only takes more
	// memory.
	rowGroupRows = 100_000
	// rowGroupBytes is how many bytes the strings of a row group may have before compression. A single record may have more.
	// Readers hold the compressed column chunks of a row group. 100,000 ordinary records have 28 MB, so most row groups end by
	// rows. Each row group costs 2 KB of footer. So it should hold several records even if they have 10 MiB each, which is the
	// most that BloodHound accepts.
	rowGroupBytes = 32 << 20
	// pageBytes is the size of a page before compression. With pages of 1 MiB, files would be 3% smaller, but readers slower.
	pageBytes = 256 << 10
	// densePageBytes is the same for a dense file.
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

// ErrOrder says that records are not in strictly ascending order of (created_at, id). The footer of a file names its sorting
// columns. If the records were not sorted, readers would trust the footer and skip rows.
var ErrOrder = errors.New("records are not sorted by (created_at, id), each once")

// Metadata goes into the footer of every file, with the window.
type Metadata struct {
	Tenant  string
	Version string // the version of the program
}

// An Encoder writes files, one after another. It keeps its buffers from one file to the next, since old history with few
// records comes as hundreds of small files. It is not safe for concurrent use.
//
// It has its own writer, which uses the encodings of the library. The library's writer takes twice the processor time, since it
// copies rows into columns. It holds a row group's pages in memory, and its statistics have whole strings.
type Encoder struct {
	meta    Metadata
	scratch scratch
}

// NewEncoder returns an encoder that writes meta into each file.
func NewEncoder(meta Metadata) *Encoder { return &Encoder{meta: meta} }

// NewDenseEncoder returns an encoder for smaller files. It takes several times the processor time.
func NewDenseEncoder(meta Metadata) *Encoder {
	return &Encoder{meta: meta, scratch: scratch{dense: true}}
}

// Extension is the end of a file's name.
func (*Encoder) Extension() string { return Extension }

// Held is about how many bytes the encoder's own buffers take: a few hundred thousand, or more after a large string.
func (e *Encoder) Held() int { return cap(e.scratch.values) + cap(e.scratch.packed) }

// Encode writes one file with the records. They must be sorted, and each must be there once: if not, the error is [ErrOrder].
// It keeps no reference to them. After an error, the written bytes are no complete file. The encoder can be used again.
func (e *Encoder) Encode(w io.Writer, win window.Window, records []record.Record) error {
	for i := 1; i < len(records); i++ {
		if record.Compare(&records[i-1], &records[i]) >= 0 {
			return fmt.Errorf("encode Parquet: id %d comes after id %d: %w", records[i].ID, records[i-1].ID, ErrOrder)
		}
	}
	defer e.scratch.dictionary.clear() // so the encoder no longer refers to the caller's memory
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

// different is about how many different values an id column has: this is the size of its bloom filter. An intent and its
// outcome have the same id. Because different counts such ids once, a dense file is 2% smaller.
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

// leading is how many of the first records make a row group. The bytes of their strings decide. If a record is too large for a
// row group, or has large fields, it gets its own.
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
