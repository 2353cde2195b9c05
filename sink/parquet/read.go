package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// The columns that name a record.
const (
	columnID        = "id"
	columnCreatedAt = "created_at_us"
)

// A File is an open file of an Encoder. Open reads only its footer.
type File struct {
	Metadata

	Window window.Window // without its pass: only the object's key has the pass
	file   *pq.File
	at     io.ReaderAt
}

// Open opens a file. It refuses a file that is cut off, or that no Encoder wrote.
func Open(file []byte) (*File, error) { return openFile(bytes.NewReader(file), int64(len(file))) }

// OpenAt opens a file of that size. [File.Search] then reads only the parts that it needs. It refuses the same files as Open.
func OpenAt(r io.ReaderAt, size int64) (*File, error) {
	return openFile(r, size, pq.SkipMagicBytes(true), pq.ReadBufferSize(readBuffer))
}

func openFile(r io.ReaderAt, size int64, options ...pq.FileOption) (*File, error) {
	f := &File{at: r}
	err := guard(func() (err error) {
		// These two are read later: Each goes through all rows, and needs neither. A search reads them for each row group.
		f.file, err = pq.OpenFile(r, size, append(options, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))...)
		return err
	})
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("read Parquet: %w", err)
	}
	return f, nil
}

// check compares the footer with the footer of an Encoder, and reads the metadata.
func (f *File) check() error {
	for _, name := range []string{columnID, columnCreatedAt} {
		column, ok := f.file.Schema().Lookup(name)
		if !ok || !column.Node.Required() || column.Node.Type().Kind() != pq.Int64 {
			return fmt.Errorf("the file has no column %s of required 64-bit integers", name)
		}
	}
	for _, group := range f.file.Metadata().RowGroups {
		for _, column := range group.Columns {
			// If bytes are not LZ4, the library's LZ4 takes all memory.
			if codec := column.MetaData.Codec; codec != format.Zstd {
				return fmt.Errorf("a column is compressed with %v, not with %v", codec, format.Zstd)
			}
		}
	}
	var start, end string
	for _, entry := range []struct {
		key    string
		target *string
	}{{keyTenant, &f.Tenant}, {keyVersion, &f.Version}, {keyWindowStart, &start}, {keyWindowEnd, &end}} {
		var ok bool
		if *entry.target, ok = f.file.Lookup(entry.key); !ok {
			return fmt.Errorf("the footer has no %s", entry.key)
		}
	}
	var err error
	if f.Window.Start, err = time.Parse(time.RFC3339Nano, start); err == nil {
		f.Window.End, err = time.Parse(time.RFC3339Nano, end)
	}
	return err
}

// Each calls each with every record of the file, in its order, until each returns an error. It reads only the columns
// id and created_at_us.
func (f *File) Each(each func(id int64, createdAt time.Time) error) error {
	var ids, instants []int64
	for _, group := range f.file.RowGroups() {
		err := guard(func() (err error) {
			if ids, err = f.column(group, columnID, ids[:0]); err == nil {
				instants, err = f.column(group, columnCreatedAt, instants[:0])
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read Parquet: %w", err)
		}
		for i := range ids {
			if err := each(ids[i], time.UnixMicro(instants[i]).UTC()); err != nil {
				return err
			}
		}
	}
	return nil
}

// column appends the values of a column of a row group. If the column has more or fewer values than the row group has rows,
// that is an error.
func (f *File) column(group pq.RowGroup, name string, values []int64) (_ []int64, err error) {
	leaf, _ := f.file.Schema().Lookup(name) // check has made sure that there is one
	pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) && int64(len(values)) != group.NumRows() {
			return nil, fmt.Errorf("column %s: %d values, and the footer says %d", name, len(values), group.NumRows())
		}
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		values, err = appendPage(values, page)
		pq.Release(page)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
	}
}

func appendPage(values []int64, page pq.Page) ([]int64, error) {
	var buffer [256]pq.Value
	for reader := page.Values(); ; {
		n, err := reader.ReadValues(buffer[:])
		for _, v := range buffer[:n] {
			values = append(values, v.Int64())
		}
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// guard turns a panic into an error: the library panics over some damaged files.
func guard(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the bytes are no Parquet: %v", r)
		}
	}()
	return read()
}

// IDs reads the ids of the records in a file, in its order.
func (*Encoder) IDs(file []byte) ([]int64, error) {
	f, err := Open(file)
	if err != nil {
		return nil, err
	}
	var ids []int64
	err = f.Each(func(id int64, _ time.Time) error {
		ids = append(ids, id)
		return nil
	})
	return ids, err
}
