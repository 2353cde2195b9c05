package parquet

import (
	"bytes"
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
	// rowGroupBytes bounds its strings before compression, unless a single record has more. The compressed pages of a row
	// group are in memory until it is complete: of strings that do not compress, these are as many bytes. 100,000 ordinary
	// records have 28 MB, so that most row groups end by rows; each more costs 2 KB of footer, so that those of records of
	// 10 MiB, the most that BloodHound takes in, should hold some.
	rowGroupBytes = 32 << 20
	// pageBytes is the size of a page before compression, of which the writer holds one for each column.
	// 1 MiB would make files 3% smaller and cost 20 MiB of memory.
	pageBytes = 256 << 10
	// batchRows is how many rows are handed to the writer at a time, which would cut a longer slice anyway. It looks only
	// between two batches whether a page is full: so a batch of large rows ends with the bytes of a page.
	batchRows = 64
	// dictionaryBytes is how large a dictionary grows before its column goes on without. It stands in memory until the row
	// group ends, and then three times. Spark's own files have such columns, but fastparquet reads wrong values from them:
	// so only large values should come to it, and not some 58,000 different UUIDs in the 65,000 rows of a page.
	dictionaryBytes = 2 << 20
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
	meta    Metadata
	writer  *pq.GenericWriter[row] // nil at first, and after an error
	out     counted                // what the writer writes to
	rows    [batchRows]row
	batches []batch // that the file was written in

	replaced []replaced // pages of the file
	held     int        // bytes that went into the latest file
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
		e.held += size(&records[i])
	}
	if err := e.encode(w, win, records); err != nil {
		e.writer = nil
		return fmt.Errorf("encode Parquet: %w", err)
	}
	return nil
}

func (e *Encoder) encode(w io.Writer, win window.Window, records []bloodhound.Record) error {
	e.out = counted{Writer: w}
	e.writer.Reset(&e.out)
	e.writer.SetKeyValueMetadata(keyWindowEnd, win.End.UTC().Format(time.RFC3339Nano))
	e.writer.SetKeyValueMetadata(keyWindowStart, win.Start.UTC().Format(time.RFC3339Nano))
	defer e.forget()
	for rest := records; len(rest) > 0; {
		n, first := leading(rest, rowGroupRows, rowGroupBytes), int64(len(records)-len(rest))
		var err error
		if n == 0 {
			n, err = 1, e.large(w, &rest[0], first)
		} else {
			err = e.group(rest[:n], first)
		}
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := e.finish(w); err != nil {
		return err
	}
	retire(e.writer)
	return nil
}

// group writes a row group, whose first record has that place in the file.
func (e *Encoder) group(records []bloodhound.Record, first int64) error {
	var pending [textColumns]int
	for len(records) > 0 {
		n := leading(records, batchRows, pageBytes)
		for i := range n {
			e.rows[i].point(&records[i])
		}
		if _, err := e.writer.Write(e.rows[:n]); err != nil {
			return err
		}
		if n < batchRows {
			if err := e.endPages(e.rows[:n], &pending); err != nil {
				return err
			}
		}
		e.batches = append(e.batches, newBatch(first, e.rows[:n]))
		records, first = records[n:], first+int64(n)
	}
	return e.writer.Flush()
}

// endPages ends the page of each column of which large rows have filled one, with what is pending of the rows before.
// The writer itself ends the page of a column with a dictionary when the numbers of its values fill it, so that 32 MiB of
// values would be one page, and it looks only between two pages whether the dictionary has grown too large.
func (e *Encoder) endPages(rows []row, pending *[textColumns]int) error {
	for i := range rows {
		for j, s := range rows[i].texts() {
			if s != nil {
				pending[j] += len(*s)
			}
		}
	}
	for j, column := range e.writer.ColumnWriters()[firstText:] {
		if pending[j] < pageBytes {
			continue
		}
		pending[j] = 0
		if err := column.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// leading is how many of the first records are so many rows and bytes at most; one of more bytes goes alone. It is 0 if the
// first one has large fields.
func leading(records []bloodhound.Record, rows, bytes int) int {
	n := 0
	for n < min(len(records), rows) && len(records[n].Fields) < largeFields {
		if bytes -= size(&records[n]); bytes < 0 && n > 0 {
			break
		}
		n++
	}
	return n
}

// forget lets go of the records, since the page behind them is the caller's again, and of the file.
func (e *Encoder) forget() {
	clear(e.rows[:])
	clear(e.batches)
	e.batches, e.replaced = e.batches[:0], e.replaced[:0]
	e.out.Writer = nil
}

// finish writes what stands behind the row groups.
func (e *Encoder) finish(w io.Writer) error {
	var library bytes.Buffer
	e.out.Writer = &library
	if err := e.writer.Close(); err != nil {
		return err
	}
	end := library.Bytes()
	if len(e.batches) > 0 {
		var err error
		if end, err = newTrailer(end, e.writer.File().Metadata(), e.replaced).rewrite(e.batches); err != nil {
			return err
		}
	}
	_, err := w.Write(end)
	return err
}

func newWriter(meta Metadata) *pq.GenericWriter[row] {
	options := []pq.WriterOption{
		&pq.WriterConfig{CreatedBy: "houndtrail version " + meta.Version},
		pq.KeyValueMetadata(keyTenant, meta.Tenant),
		pq.KeyValueMetadata(keyVersion, meta.Version),
		pq.Compression(newCodec()),
		pq.PageBufferSize(pageBytes),
		pq.DictionaryMaxBytes(dictionaryBytes),
		// The page index has them, for readers to look at before they fetch a page. In its header they would stand again.
		pq.DataPageStatistics(false),
		pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending("created_at_us"), pq.Ascending("id"))),
		pq.BloomFilters(pq.SplitBlockFilter(bloomBits, "request_id"), pq.SplitBlockFilter(bloomBits, "commit_id")),
		pq.WriteBufferSize(0), // Flush leaves nothing behind, so that the destination can change
	}
	for _, c := range Columns() {
		if c.Type == String {
			options = append(options, pq.SkipPageBounds(c.Name)) // the trailer has them
		}
	}
	return pq.NewGenericWriter[row](io.Discard, options...)
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
