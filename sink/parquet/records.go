package parquet

import (
	"errors"
	"fmt"
	"io"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// rowBytes is about how much memory a record takes besides its strings.
const rowBytes = 256

// Held is about how many bytes Records holds at a time, besides the file: the largest row group, decoded.
func (f *File) Held() (most int64) {
	for _, group := range f.file.Metadata().RowGroups {
		most = max(most, group.TotalByteSize+group.NumRows*rowBytes)
	}
	return most
}

// Records calls each with every record of the file, in its order, until each returns an error. The records have no Raw. It
// holds a row group at a time. If the file has a column that this version does not know, that is an error: if the caller wrote
// the records again, that column would be lost.
func (f *File) Records(each func(*record.Record) error) error {
	if names := f.NewColumns(); len(names) > 0 {
		return fmt.Errorf("read Parquet: the file has the column %s, which this version of houndtrail does not know: "+
			"run the version that wrote it (%s), or a later one", names[0], f.Version)
	}
	for _, group := range f.file.RowGroups() {
		var records []record.Record
		err := guard(func() (err error) {
			records, err = f.group(group)
			return err
		})
		if err != nil {
			return fmt.Errorf("read Parquet: %w", err)
		}
		for i := range records {
			if err := each(&records[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// group decodes a row group. A column that the file lacks, because an earlier version wrote it, is NULL in every row.
func (f *File) group(group pq.RowGroup) ([]record.Record, error) {
	ids, err := f.column(group, columnID, nil)
	if err != nil {
		return nil, err
	}
	instants, err := f.column(group, columnCreatedAt, nil)
	if err != nil {
		return nil, err
	}
	records := make([]record.Record, len(ids))
	for i := range records {
		records[i].ID, records[i].CreatedAt = ids[i], time.UnixMicro(instants[i]).UTC()
	}
	for i := range columns {
		if c := &columns[i]; c.Type == String {
			if err := f.strings(group, c, records); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
	}
	return records, nil
}

// strings sets a column of strings. In a column that repeats, equal values use the same memory.
func (f *File) strings(group pq.RowGroup, c *column, records []record.Record) (err error) {
	leaf, ok := f.file.Schema().Lookup(c.Name)
	if !ok {
		for i := range records {
			records[i].Absent |= c.set
		}
		return nil
	}
	text := c.copier()
	pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) && len(records) > 0 {
			return fmt.Errorf("%d values are missing", len(records))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := c.fill(page, records, text)
		pq.Release(page)
		if err != nil {
			return err
		}
		records = records[n:]
	}
}

// fill sets the values of a page. It returns their number.
func (c *column) fill(page pq.Page, records []record.Record, text func([]byte) string) (filled int, err error) {
	var buffer [256]pq.Value
	for reader := page.Values(); ; {
		n, err := reader.ReadValues(buffer[:])
		if filled+n > len(records) {
			return 0, errors.New("it has more values than the row group has rows")
		}
		for _, v := range buffer[:n] {
			r := &records[filled]
			if filled++; v.IsNull() {
				r.Absent |= c.set
			} else {
				*c.text(r) = text(v.ByteArray())
			}
		}
		if errors.Is(err, io.EOF) {
			return filled, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
