package parquet

import (
	"fmt"
	"slices"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Range is all numbers from Low to High, with both.
type Range struct{ Low, High int64 }

// overlaps tells whether the ranges share a number.
func (r Range) overlaps(other Range) bool { return r.Low <= other.High && other.Low <= r.High }

// A Query says which records a search wants. Match alone decides. The other fields only let the search skip parts of the file:
// they must be true for each record for which Match is true.
type Query struct {
	IDs      Range
	Instants func() Range // the range of created_at_us; the search asks again before each row group
	Equal    map[string]string
	// Columns are the columns that Match looks at, besides the id and the time. The record for Match has no other columns.
	Columns record.Set
	Match   func(*record.Record) bool
	// Borrow waits for so many bytes of memory; nil if there is no limit.
	Borrow func(bytes int64) (giveBack func(), err error)
	// If Backwards is set, the search begins with the last row group. Most is how many wanted records of a row group the caller
	// can use: the first ones, or the last ones if Backwards is set; 0 for all.
	Backwards bool
	Most      int
	// If Whole is set, the search believes no statistics, filter or index: none of them has a checksum.
	Whole bool
}

// NewColumns are the columns of the file that this version does not know.
func (f *File) NewColumns() (names []string) {
	for _, path := range f.file.Schema().Columns() {
		if !slices.ContainsFunc(columns, func(c column) bool { return c.Name == path[0] }) {
			names = append(names, path[0])
		}
	}
	return names
}

// Search calls each with every record that the query wants, in the order of each row group, until each returns an error. The
// records have no Raw. It reads only the parts of the file that can have such records. Of the other columns, it reads only the
// pages that have them.
func (f *File) Search(q Query, each func(*record.Record) error) error {
	for n := range f.file.RowGroups() {
		i := n
		if q.Backwards {
			i = len(f.file.RowGroups()) - 1 - n
		}
		var found []record.Record
		var giveBack func()
		err := guard(func() (err error) {
			found, giveBack, err = f.searchGroup(i, &q)
			return err
		})
		for j := range found {
			if err == nil {
				err = each(&found[j])
			}
		}
		if giveBack != nil {
			giveBack()
		}
		if err != nil {
			return fmt.Errorf("read Parquet: row group %d: %w", i, err)
		}
	}
	return nil
}

// searchGroup returns the records of a row group that the query wants.
func (f *File) searchGroup(i int, q *Query) (found []record.Record, giveBack func(), err error) {
	g := &searched{File: f, group: f.file.RowGroups()[i], meta: &f.file.Metadata().RowGroups[i], query: q}
	rows := Range{0, g.group.NumRows() - 1}
	if !q.Whole {
		if rows, err = g.narrow(rows); err != nil {
			return nil, nil, err
		}
	}
	if rows.Low > rows.High {
		return nil, nil, nil
	}
	if q.Borrow != nil {
		n := rows.High - rows.Low + 1
		bytes := n*rowBytes + int64(float64(g.meta.TotalByteSize)*float64(n)/float64(g.meta.NumRows))
		if giveBack, err = q.Borrow(bytes); err != nil {
			return nil, nil, err
		}
	}
	found, err = g.read(rows)
	return found, giveBack, err
}

// A searched is a row group in a search.
type searched struct {
	*File

	group pq.RowGroup
	meta  *format.RowGroup
	query *Query
}

// read returns the wanted records among some rows. First it reads the columns that Match looks at. It reads the other columns
// only for the records that Match chose.
func (g *searched) read(rows Range) ([]record.Record, error) {
	records := make([]record.Record, rows.High-rows.Low+1)
	all := []Range{rows}
	for i := range columns {
		c := &columns[i]
		chosen := c.Name == columnID || c.Name == columnCreatedAt || c.Type == String && g.query.Columns.Has(c.set)
		if !chosen {
			continue
		}
		if err := g.fill(c, rows.Low, all, records); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	for i := 1; i < len(records); i++ { // skipping rows below relies on it
		if record.Compare(&records[i-1], &records[i]) >= 0 {
			return nil, fmt.Errorf("id %d comes after id %d: %w", records[i].ID, records[i-1].ID, ErrOrder)
		}
	}
	var runs []Range // runs of wanted rows that follow one another
	for i := range records {
		if !g.query.Match(&records[i]) {
			continue
		}
		row := rows.Low + int64(i)
		if last := len(runs) - 1; last >= 0 && runs[last].High == row-1 {
			runs[last].High = row
		} else {
			runs = append(runs, Range{row, row})
		}
	}
	runs = g.useful(runs)
	for i := range columns {
		if c := &columns[i]; c.Type == String && !g.query.Columns.Has(c.set) && len(runs) > 0 {
			if err := g.fill(c, rows.Low, runs, records); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
	}
	var found []record.Record
	for _, run := range runs {
		found = append(found, records[run.Low-rows.Low:run.High-rows.Low+1]...)
	}
	return found, nil
}

// useful returns the first or the last rows: as many as the caller can use.
func (g *searched) useful(runs []Range) []Range {
	left := int64(g.query.Most)
	if left == 0 {
		return runs
	}
	if g.query.Backwards {
		slices.Reverse(runs)
	}
	for i, run := range runs {
		n := min(run.High-run.Low+1, left)
		if left -= n; g.query.Backwards {
			runs[i].Low = run.High - n + 1
		} else {
			runs[i].High = run.Low + n - 1
		}
		if left == 0 {
			runs = runs[:i+1]
			break
		}
	}
	if g.query.Backwards {
		slices.Reverse(runs)
	}
	return runs
}

// fill sets a column of some rows. A column that the file lacks, because an earlier version wrote it, is NULL in every row.
func (g *searched) fill(c *column, first int64, runs []Range, records []record.Record) error {
	leaf, ok := g.file.Schema().Lookup(c.Name)
	if !ok {
		for i := range records {
			records[i].Absent |= c.set
		}
		return nil
	}
	set := func(r *record.Record, v pq.Value) { r.ID = v.Int64() }
	switch {
	case c.Name == columnCreatedAt:
		set = func(r *record.Record, v pq.Value) { r.CreatedAt = time.UnixMicro(v.Int64()).UTC() }
	case c.Type == String:
		text := c.copier()
		set = func(r *record.Record, v pq.Value) {
			if v.IsNull() {
				r.Absent |= c.set
			} else {
				*c.text(r) = text(v.ByteArray())
			}
		}
	}
	p, err := g.open(leaf.ColumnIndex)
	if err != nil {
		return err
	}
	defer p.close()
	return p.each(runs, func(row int64, v pq.Value) { set(&records[row-first], v) })
}

// copier copies values. In a column that repeats, equal values use the same memory.
func (c *column) copier() func([]byte) string {
	if !c.repeats() {
		return func(b []byte) string { return string(b) }
	}
	copies := map[string]string{}
	return func(b []byte) string {
		s, ok := copies[string(b)]
		if !ok {
			s = string(b)
			copies[s] = s
		}
		return s
	}
}
