package parquet

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// How many bytes a number takes before its encoding. It is a value, or the place of a value in the dictionary.
const (
	numberSize = 8
	indexSize  = 4
)

// A chunk is a column of a row group on its way into the file. It has its own entries of the footer and the page index.
type chunk struct {
	*file
	*column
	*scratch

	filter  bloom.SplitBlockFilter // nil for none
	meta    format.ColumnMetaData
	index   format.ColumnIndex
	offsets format.OffsetIndex
	rows    int64 // values in the pages so far
	nulls   int64
	// The bounds of all values, for a column of strings.
	bounds bounds
	// A page has a value for which there is no short upper bound: then readers have to look at every page.
	unbounded bool
}

// encode writes all pages.
func (c *chunk) encode(records []record.Record) error {
	if c.Type != String {
		return c.integers(records)
	}
	if c.repeats() && c.number(records) {
		return c.indexed()
	}
	return c.plain(records)
}

func (c *chunk) integers(records []record.Record) error {
	lowest, highest, before := int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64)
	c.index.BoundaryOrder = format.Ascending
	for len(records) > 0 {
		n := min(len(records), c.pageBytes()/numberSize)
		values := c.integer[:0]
		for i := range n {
			values = append(values, c.column.number(&records[i]))
		}
		low, high := slices.Min(values), slices.Max(values)
		if low < before || high < highest {
			c.index.BoundaryOrder = format.Unordered
		}
		lowest, highest, before = min(lowest, low), max(highest, high), low
		c.integer = values
		var err error
		if c.values, err = new(delta.BinaryPackedEncoding).EncodeInt64(c.values[:0], values); err != nil {
			return err
		}
		p := page{rows: n, encoding: format.DeltaBinaryPacked, low: littleEndian(low), high: littleEndian(high)}
		if err := c.add(&p); err != nil {
			return err
		}
		records = records[n:]
	}
	c.meta.Statistics.MinValue, c.meta.Statistics.MaxValue = littleEndian(lowest), littleEndian(highest)
	return nil
}

func littleEndian(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// plain writes strings one after the other, each after its length.
func (c *chunk) plain(records []record.Record) error {
	if len(records[0].Fields) >= largeFields && c.kind == record.JSON && !records[0].Absent.Has(c.set) {
		return c.large(records[0].Fields)
	}
	c.values, c.levels = c.values[:0], c.levels[:0]
	p := page{encoding: format.Plain}
	var within bounds
	for i := range records {
		value := c.value(&records[i])
		if value == nil {
			p.nulls++
			c.levels = append(c.levels, 0)
			continue
		}
		c.levels = append(c.levels, 1)
		c.values = appendPlain(c.values, *value)
		p.bytes += int64(len(*value))
		if c.filter != nil {
			c.filter.Insert(xxhash.Sum64(c.values[len(c.values)-len(*value):]))
		}
		if c.ranged() {
			within.add(value)
		}
		if len(c.values) >= c.pageBytes() {
			if err := c.addStrings(&p, within); err != nil {
				return err
			}
			c.values, c.levels = c.values[:0], c.levels[:0]
			p, within = page{encoding: format.Plain}, bounds{}
		}
	}
	if len(c.levels) == 0 {
		return nil
	}
	return c.addStrings(&p, within)
}

// appendPlain appends a string as pages and dictionaries have it.
func appendPlain(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}

// number replaces the values of a column by their places in a dictionary. ok is false if the dictionary would be too large, or
// empty.
func (c *chunk) number(records []record.Record) (ok bool) {
	c.dictionary.clear()
	c.indexes = c.indexes[:0]
	for i := range records {
		index := int32(null)
		if value := c.value(&records[i]); value != nil {
			if index = c.dictionary.number(*value); c.dictionary.bytes > dictionaryBytes {
				return false
			}
		}
		c.indexes = append(c.indexes, index)
	}
	return len(c.dictionary.values) > 0
}

// null is the index that means NULL.
const null = -1

// indexed writes the dictionary, and then pages with the places of the values.
func (c *chunk) indexed() error {
	if err := c.addDictionary(); err != nil {
		return err
	}
	seen := make([]bool, len(c.dictionary.values))
	for rest := c.indexes; len(rest) > 0; {
		n := min(len(rest), c.pageBytes()/indexSize)
		c.levels = c.levels[:0]
		clear(seen)
		p := page{encoding: format.RLEDictionary}
		present := rest[:0] // it removes the nulls in place
		for _, index := range rest[:n] {
			if index == null {
				p.nulls++
				c.levels = append(c.levels, 0)
				continue
			}
			c.levels = append(c.levels, 1)
			present = append(present, index)
			seen[index] = true
			p.bytes += int64(len(c.dictionary.values[index]))
		}
		var within bounds
		for i := range seen {
			if seen[i] {
				within.add(&c.dictionary.values[i])
			}
		}
		var err error
		if c.values, err = new(rle.DictionaryEncoding).EncodeInt32(c.values[:0], present); err != nil {
			return err
		}
		if err := c.addStrings(&p, within); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
