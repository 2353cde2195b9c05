package read

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// ErrNewer says that a later version of the program wrote an object: it has columns that this version does not know.
var ErrNewer = errors.New("a later version of houndtrail wrote the object")

// A Query says which records a search wants.
type Query struct {
	parquet.Query

	// Wants tells whether the search may want a record with that id and time. The search has to read an NDJSON object as a whole.
	// If Wants is false, it looks only at the beginning of the record's line.
	Wants func(id int64, createdAt time.Time) bool
	// Line makes a record from the JSON that the server sent for it.
	Line func(served string) (record.Record, error)
}

// How many bytes of an NDJSON object one request reads, and how many bytes a search of the object holds: the window of a
// decompression, and a line of ordinary length.
const (
	linesPiece = 1 << 20
	linesHeld  = 12 << 20
)

// OpenAt opens the object of that key and size for [File.Search] alone. The search reads only the parts of the object that it
// needs.
func OpenAt(at io.ReaderAt, size int64, key string) (*File, error) {
	o, ok := Parse(key)
	if !ok {
		return nil, fmt.Errorf("%s: %w: no archive gives an object that name; rename it back", key, ErrDamaged)
	}
	f := &File{Object: o}
	if o.Extension != parquet.Extension {
		f.search = func(q Query, each func(*record.Record) error) error {
			return searchLines(ndjson.ForTenant(o.Tenant), io.NewSectionReader(at, 0, size), &q, each)
		}
		return f, nil
	}
	footer, err := parquet.OpenAt(at, size)
	if err != nil {
		return nil, f.unreadable(err)
	}
	f.search = func(q Query, each func(*record.Record) error) error { return footer.Search(q.Query, each) }
	f.newer = footer.NewColumns()
	return f, f.take(footer)
}

// Newer returns an error, of [ErrNewer], if the object has columns that this version does not know. A search finds its records
// without these columns.
func (f *File) Newer() error {
	if len(f.newer) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: its records are shown without %s; run version %s, or a later one", f.Object.Key(), ErrNewer,
		strings.Join(f.newer, " and "), f.Version)
}

// Search calls each with every record that the query wants, in the object's order, until each returns an error. A record of a
// Parquet object has no Raw. If a wanted record is of another day, Search returns an error.
func (f *File) Search(q Query, each func(*record.Record) error) error {
	var ours error // every other error means that the object's bytes are damaged
	err := f.search(q, func(r *record.Record) error {
		if ours = f.inPlace(r.ID, r.CreatedAt); ours == nil {
			ours = each(r)
		}
		return ours
	})
	if err != nil && ours == nil {
		return f.unreadable(err)
	}
	return ours
}

func searchLines(lines ndjson.Lines, file io.Reader, q *Query, each func(*record.Record) error) error {
	if q.Borrow != nil {
		giveBack, err := q.Borrow(linesHeld)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	return lines.Scan(bufio.NewReaderSize(file, linesPiece), func(id int64, createdAt time.Time, line []byte) error {
		if !q.Wants(id, createdAt) {
			return nil
		}
		r, err := q.Line(lines.Served(line))
		if err != nil {
			return fmt.Errorf("id %d: %w", id, err)
		}
		if r.ID != id || !r.CreatedAt.Equal(createdAt) {
			return fmt.Errorf("the record with the event id of %d is id %d of %s", id, r.ID, stamp(r.CreatedAt))
		}
		if !q.Match(&r) {
			return nil
		}
		return each(&r)
	})
}
