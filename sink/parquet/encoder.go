package parquet

import (
	"errors"
	"fmt"
	"io"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// Extension is what the name of a file ends in.
const Extension = ".parquet"

const (
	// rowGroupRows bounds a row group. Past it neither size nor speed gains, and only memory grows.
	rowGroupRows = 100_000
	// pageBytes is the size of a page before compression, of which the writer holds one for each column.
	// 1 MiB would make files 3% smaller and cost 20 MiB of memory.
	pageBytes = 256 << 10
	// chunkRows is how many rows are handed to the writer at a time, which would cut a longer slice anyway.
	chunkRows = 64
	// bloomBits for each value of an id column: about one false positive in a hundred.
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

// An Encoder writes files, one after another. It keeps its buffers from one to the next, since a new writer allocates
// one megabyte and sparse history comes as hundreds of small files. It is not safe for concurrent use.
type Encoder struct {
	meta   Metadata
	writer *pq.GenericWriter[row] // nil at first, and after an error
	rows   [chunkRows]row
	held   int // bytes that went into the latest file
}

// NewEncoder returns an encoder whose files carry meta.
func NewEncoder(meta Metadata) *Encoder { return &Encoder{meta: meta} }

// Extension is what the name of a file ends in.
func (*Encoder) Extension() string { return Extension }

// Held is about how many bytes the encoder's own buffers have: what went into the latest file.
func (e *Encoder) Held() int { return e.held }

// Encode writes one file with the records, which must be sorted and each there once; else it is an [ErrOrder]. It
// keeps no reference to them. After an error what was written is no file, and the encoder can be used again.
func (e *Encoder) Encode(w io.Writer, win window.Window, records []bloodhound.Record) error {
	for i := 1; i < len(records); i++ {
		if bloodhound.Compare(&records[i-1], &records[i]) >= 0 {
			return fmt.Errorf("encode Parquet: id %d comes after id %d: %w", records[i].ID, records[i-1].ID, ErrOrder)
		}
	}
	if e.writer == nil {
		e.writer = newWriter(e.meta)
	}
	e.held = 0
	for i := range records {
		e.held += len(records[i].Raw)
	}
	if err := e.encode(w, win, records); err != nil {
		e.writer = nil
		return fmt.Errorf("encode Parquet: %w", err)
	}
	return nil
}

func (e *Encoder) encode(w io.Writer, win window.Window, records []bloodhound.Record) error {
	e.writer.Reset(w)
	e.writer.SetKeyValueMetadata(keyWindowEnd, win.End.UTC().Format(time.RFC3339Nano))
	e.writer.SetKeyValueMetadata(keyWindowStart, win.Start.UTC().Format(time.RFC3339Nano))
	defer clear(e.rows[:]) // the page behind the records is the caller's again
	for len(records) > 0 {
		n := min(len(records), chunkRows)
		for i := range n {
			e.rows[i].point(&records[i])
		}
		if _, err := e.writer.Write(e.rows[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	if err := e.writer.Close(); err != nil {
		return err
	}
	retire(e.writer)
	return nil
}

func newWriter(meta Metadata) *pq.GenericWriter[row] {
	return pq.NewGenericWriter[row](io.Discard,
		&pq.WriterConfig{CreatedBy: "houndtrail version " + meta.Version},
		pq.KeyValueMetadata(keyTenant, meta.Tenant),
		pq.KeyValueMetadata(keyVersion, meta.Version),
		pq.Compression(newCodec()),
		pq.MaxRowsPerRowGroup(rowGroupRows),
		pq.PageBufferSize(pageBytes),
		// The page index has them, for readers to look at before they fetch a page. In its header they would stand again.
		pq.DataPageStatistics(false),
		pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending("created_at_us"), pq.Ascending("id"))),
		pq.BloomFilters(pq.SplitBlockFilter(bloomBits, "request_id"), pq.SplitBlockFilter(bloomBits, "commit_id")),
	)
}

// retire makes a closed writer ready for the next file, and lets go of the one that it wrote to.
//
// The writer's Reset clears the footer that it keeps, in place. Of two lists the footer has no copy but the writer's
// own, and the next file would be without them: the names of its column chunks, which Athena refuses to open, and its
// sorting columns (parquet-go issue 602, in v0.32.0). So the footer must forget them first.
func retire(writer *pq.GenericWriter[row]) {
	groups := writer.File().Metadata().RowGroups
	for i := range groups {
		groups[i].SortingColumns = nil
		for j := range groups[i].Columns {
			groups[i].Columns[j].MetaData.PathInSchema = nil
		}
	}
	writer.Reset(io.Discard)
}
