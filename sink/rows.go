package sink

import (
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Rows is the tree over the rows of an object, in the order of its records. The zero value is ready to use. It keeps no reference
// to a record.
type Rows struct {
	tree   seal.Rows
	values [inRow]*string
}

// inRow is how many string columns a row has. A column that we add to the archive later is no part of a row: the rows of
// objects that are already committed must stay the same.
const inRow = 9

//nolint:gochecknoglobals // a constant
var columns = record.Columns()[:inRow]

// Add adds the row of a record. The record has its columns.
func (t *Rows) Add(r *record.Record) {
	t.set(r)
	t.tree.Add(r.ID, r.CreatedAt.UnixMicro(), t.values[:]...)
	clear(t.values[:])
}

// set sets the values of the columns.
func (t *Rows) set(r *record.Record) {
	for i := range columns {
		c := &columns[i]
		t.values[i] = nil
		if r.Absent.Has(record.At(i)) {
			continue
		}
		if t.values[i] = c.Value(r); c.Kind == record.JSON {
			t.values[i] = oneLine(t.values[i])
		}
	}
}

// oneLine is a JSON text without line breaks. In the place of a line break, an NDJSON object has a blank, and a Parquet object
// has the line break. The row has to be the same for both.
func oneLine(text *string) *string {
	if strings.IndexByte(*text, '\n') < 0 && strings.IndexByte(*text, '\r') < 0 { // two searches are faster than IndexAny
		return text
	}
	line := strings.NewReplacer("\n", " ", "\r", " ").Replace(*text)
	return &line
}

// Root is the records_root of an object with these rows.
func (t *Rows) Root() seal.Hash { return t.tree.Root() }

// RootOf is the records_root of an object with these records.
func RootOf(records []record.Record) seal.Hash {
	var rows Rows
	for i := range records {
		rows.Add(&records[i])
	}
	return rows.Root()
}

// AppendRow appends the row of a record. The record has its columns.
func AppendRow(dst []byte, r *record.Record) []byte {
	var rows Rows
	rows.set(r)
	return seal.AppendRow(dst, r.ID, r.CreatedAt.UnixMicro(), rows.values[:]...)
}
