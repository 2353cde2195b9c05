package parquet

import (
	"errors"
	"fmt"

	pq "github.com/parquet-go/parquet-go"
)

// none is an empty range.
var none = Range{0, -1} //nolint:gochecknoglobals // a constant

// narrow returns the rows of a row group that may be wanted, by the group's statistics, its bloom filters and its page index.
func (g *searched) narrow(rows Range) (Range, error) {
	for j := range columns {
		c := &columns[j]
		leaf, ok := g.file.Schema().Lookup(c.Name)
		asked := g.asked(c)
		if !ok || asked == nil {
			continue
		}
		told := g.meta.Columns[leaf.ColumnIndex].MetaData.Statistics
		if told.NullCount == g.meta.NumRows || !asked(told.MinValue, told.MaxValue) {
			return none, nil
		}
		chunk, err := g.chunk(leaf.ColumnIndex)
		if err != nil {
			return none, err
		}
		if maybe, err := g.filtered(c, chunk); err != nil || !maybe {
			return none, err
		}
		found, err := g.pages(c, chunk, asked)
		if err != nil {
			return none, fmt.Errorf("column %s: %w", c.Name, err)
		}
		if rows = (Range{max(rows.Low, found.Low), min(rows.High, found.High)}); rows.Low > rows.High {
			return none, nil
		}
	}
	return rows, nil
}

// asked tells whether a wanted value can lie between two bounds. A bound may be nil: then it is not known. It is nil if the
// query asks nothing about the column.
func (g *searched) asked(c *column) func(low, high []byte) bool {
	numbers := func(wanted Range) func(low, high []byte) bool {
		return func(low, high []byte) bool {
			l, lowKnown := int64Of(low)
			h, highKnown := int64Of(high)
			return !lowKnown || !highKnown || wanted.overlaps(Range{l, h})
		}
	}
	switch value, equal := g.query.Equal[c.Name]; {
	case c.Name == columnID:
		return numbers(g.query.IDs)
	case c.Name == columnCreatedAt:
		return numbers(g.query.Instants())
	case c.Type == String && equal && c.ranged():
		return func(low, high []byte) bool {
			return (low == nil || string(low) <= value) && (high == nil || value <= string(high))
		}
	default:
		return nil
	}
}

// filtered tells whether the bloom filter of a column may have the wanted value. If the column has no filter, it is true.
func (g *searched) filtered(c *column, chunk *pq.FileColumnChunk) (bool, error) {
	value, equal := g.query.Equal[c.Name]
	if !equal || !c.bloom() {
		return true, nil
	}
	filter, err := chunk.BloomFilterFrom(g.at)
	if errors.Is(err, pq.ErrMissingBloomFilter) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return filter.Check(pq.ByteArrayValue([]byte(value)))
}

// pages returns the rows from the first page to the last page that can have a wanted value. Without a page index, that is all
// rows.
func (g *searched) pages(c *column, chunk *pq.FileColumnChunk, asked func(low, high []byte) bool) (Range, error) {
	all := Range{0, g.group.NumRows() - 1}
	index, err := chunk.ColumnIndexFrom(g.at)
	if errors.Is(err, pq.ErrMissingColumnIndex) {
		return all, nil
	}
	if err != nil {
		return none, err
	}
	offsets, err := chunk.OffsetIndexFrom(g.at)
	if err != nil {
		return none, err
	}
	n := offsets.NumPages()
	if index.NumPages() != n {
		return none, fmt.Errorf("%d pages in one index, and %d in the other", n, index.NumPages())
	}
	bytesOf := func(v pq.Value) []byte {
		if c.Type == String {
			return v.ByteArray()
		}
		return littleEndian(v.Int64())
	}
	rows := none
	for i := range n {
		if index.NullPage(i) || !asked(bytesOf(index.MinValue(i)), bytesOf(index.MaxValue(i))) {
			continue
		}
		if rows == none {
			rows.Low = offsets.FirstRowIndex(i)
		}
		if rows.High = all.High; i+1 < n {
			rows.High = offsets.FirstRowIndex(i+1) - 1
		}
	}
	return rows, nil
}
