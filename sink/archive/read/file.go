package read

import (
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// ErrDamaged says that an object is not as the archive wrote it, or has a key that does not fit it. The errors that wrap it
// name the object and say what to do.
var ErrDamaged = errors.New("the object is not as it was written")

// A File is an open object.
type File struct {
	Object Object
	// Window is the window of the records. For an NDJSON object its end is zero, since such an object does not have it.
	Window  window.Window
	Version string // the version of the program that wrote it; "" for an NDJSON object

	each    func(func(id int64, createdAt time.Time) error) error
	records func(func(*record.Record) error) error
	search  func(Query, func(*record.Record) error) error
	columns func(*record.Record) error // sets a record's columns from its Raw; nil if the record has them
	held    int64
	newer   []string // columns that this version does not know
}

// Open opens the object of that key. Of a Parquet object it reads only the footer.
func Open(body []byte, key string) (*File, error) {
	o, ok := Parse(key)
	if !ok {
		return nil, fmt.Errorf("%s: %w: no archive gives an object that name; rename it back", key, ErrDamaged)
	}
	f := &File{Object: o, Window: window.Window{Start: o.Start, Pass: o.Pass}}
	if o.Extension != parquet.Extension {
		lines := ndjson.ForTenant(o.Tenant)
		f.each = func(each func(int64, time.Time) error) error { return lines.Each(body, each) }
		f.records = func(each func(*record.Record) error) error { return lines.Records(body, each) }
		f.columns = ndjson.Columns
		return f, nil
	}
	footer, err := parquet.Open(body)
	if err != nil {
		return nil, f.unreadable(err)
	}
	return f, f.take(footer)
}

// take reads the facts in a footer, and compares them with the key.
func (f *File) take(footer *parquet.File) error {
	f.Window.Start, f.Window.End = footer.Window.Start, footer.Window.End
	f.Version, f.each, f.records, f.held = footer.Version, footer.Each, footer.Records, footer.Held()
	if footer.Tenant != f.Object.Tenant {
		return f.misplaced(fmt.Sprintf("it was written for tenant %q", footer.Tenant), Prefix(footer.Tenant))
	}
	written := f.Object
	if written.Start = footer.Window.Start; written.Key() != f.Object.Key() {
		return f.misplaced("its window starts at "+stamp(footer.Window.Start), written.Key())
	}
	return nil
}

// Each calls each with every record of the object, in its order, until each returns an error. If a record is of another day
// than the object, Each returns an error.
func (f *File) Each(each func(id int64, createdAt time.Time) error) error {
	var ours error // every other error means that the object's bytes are damaged
	err := f.each(func(id int64, createdAt time.Time) error {
		if ours = f.inPlace(id, createdAt); ours == nil {
			ours = each(id, createdAt)
		}
		return ours
	})
	if err != nil && ours == nil {
		return f.unreadable(err)
	}
	return err
}

// Records calls each with every record of the object, in its order, until each returns an error. A record of a Parquet object
// has no Raw. A record of an NDJSON object has only its id, its time and, as Raw, its line. The strings of a record are valid
// as long as the caller keeps them. The record itself is valid only until each returns. If a record is of another day, Records
// returns an error.
func (f *File) Records(each func(*record.Record) error) error {
	var ours error // every other error means that the object's bytes are damaged
	err := f.records(func(r *record.Record) error {
		if ours = f.inPlace(r.ID, r.CreatedAt); ours == nil {
			ours = each(r)
		}
		return ours
	})
	if err != nil && ours == nil {
		return f.unreadable(err)
	}
	return err
}

// inPlace returns an error about a record of another day than the object's.
func (f *File) inPlace(id int64, createdAt time.Time) error {
	if f.Object.Contains(createdAt) {
		return nil
	}
	there := f.Object
	there.Day = createdAt
	return f.misplaced(fmt.Sprintf("id %d was created at %s", id, stamp(createdAt)), there.Key())
}

// Rows is like [File.Records], but the records have their columns in every format. They are the rows of the object's
// records_root.
func (f *File) Rows(each func(*record.Record) error) error {
	return f.Records(func(r *record.Record) error {
		if err := f.Fill(r); err != nil {
			return err
		}
		return each(r)
	})
}

// Fill sets the columns of a record that Records gave.
func (f *File) Fill(r *record.Record) error {
	if f.columns == nil {
		return nil
	}
	if err := f.columns(r); err != nil {
		return f.unreadable(fmt.Errorf("id %d: %w", r.ID, err))
	}
	return nil
}

// Held is about how many bytes Records holds at a time, besides the object and the longest line of an NDJSON object.
func (f *File) Held() int64 { return f.held }

func (f *File) unreadable(err error) error {
	return fmt.Errorf("%s: %w, and cannot be read: %w; put back what Houndtrail wrote there (an earlier "+
		"version of the object, or a backup); without that, a new archive at another address gets everything that "+
		"BloodHound still has", f.Object.Key(), ErrDamaged, err)
}

func (f *File) misplaced(what, where string) error {
	return fmt.Errorf("%s: %w, or not where: %s; move it back to %s", f.Object.Key(), ErrDamaged, what, where)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
