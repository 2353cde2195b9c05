package search

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"sync"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// An identity names a record: two records of a tenant never have the same one.
type identity struct {
	at int64 // in microseconds since the epoch
	id int64
}

// A found has the records that the archive has under one identity. There are two only if a person changed a file.
type found struct {
	identity

	records []record.Record
	keys    []string // the keys of their objects
	bytes   int64
}

// recordBytes is about how much memory a record takes besides its strings.
const recordBytes = 300

// A collector keeps the found records that come first in the order of the answer. It keeps as many as it may hold. All calls
// are safe for concurrent use.
type collector struct {
	direction int       // 1 for oldest first, -1 for newest first
	after     *identity // the search wants only records after it; nil for all
	most      int       // records
	room      int64     // bytes

	mu    sync.Mutex
	kept  []*found // a heap; its top is the last record in the order
	known map[identity]*found
	bytes int64
	bound *identity // the collector gave up this record and all records after it; nil for none
}

func (c *collector) compare(a, b identity) int {
	return c.direction * cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
}

// wants tells whether the collector would keep a record.
func (c *collector) wants(i identity) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.within(i)
}

func (c *collector) within(i identity) bool {
	return (c.after == nil || c.compare(i, *c.after) > 0) && (c.bound == nil || c.compare(i, *c.bound) < 0)
}

// instants narrows a range of instants to the range of wanted records.
func (c *collector) instants(within parquet.Range) parquet.Range {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, to := c.after, c.bound
	if c.direction < 0 {
		from, to = to, from
	}
	if from != nil {
		within.Low = max(within.Low, from.at)
	}
	if to != nil {
		within.High = min(within.High, to.at)
	}
	return within
}

// add keeps a record if it is among the first ones. If the collector has the record already, from another object, it does not
// keep it again. differs is true if the two have different contents: then it keeps both.
func (c *collector) add(r *record.Record, key string) (other string, differs bool) {
	i := identity{r.CreatedAt.UnixMicro(), r.ID}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.within(i) {
		return "", false
	}
	f := c.known[i]
	if f != nil && slices.ContainsFunc(f.records, func(known record.Record) bool { return same(&known, r) }) {
		return "", false
	}
	size := sizeOf(r)
	if c.bytes += size; f != nil {
		f.records, f.keys, f.bytes = append(f.records, *r), append(f.keys, key), f.bytes+size
		other, differs = f.keys[0], true
	} else {
		f = &found{i, []record.Record{*r}, []string{key}, size}
		c.known[i] = f
		heap.Push(c, f)
	}
	for len(c.kept) > c.most || c.bytes > c.room && len(c.kept) > 1 {
		last, _ := heap.Pop(c).(*found)
		delete(c.known, last.identity)
		c.bytes -= last.bytes
		c.bound = &last.identity
	}
	return other, differs
}

// all returns the kept records, in the order of the answer. more tells whether the collector gave up others.
func (c *collector) all() (kept []*found, more bool) {
	slices.SortFunc(c.kept, func(a, b *found) int { return c.compare(a.identity, b.identity) })
	for _, f := range c.kept { // two records with one identity have a fixed order too
		slices.SortStableFunc(f.records, func(a, b record.Record) int { return strings.Compare(a.Fields, b.Fields) })
	}
	return c.kept, c.bound != nil
}

// same compares the columns: a line of NDJSON and a row of Parquet can be the same record.
func same(a, b *record.Record) bool {
	if a.Absent != b.Absent {
		return false
	}
	for _, column := range record.Columns() {
		if *column.Value(a) != *column.Value(b) {
			return false
		}
	}
	return true
}

// sizeOf is about how many bytes a record holds. If a record has Raw, its strings are parts of Raw.
func sizeOf(r *record.Record) int64 {
	if r.Raw != "" {
		return recordBytes + int64(len(r.Raw))
	}
	n := recordBytes
	for _, column := range record.Columns() {
		n += len(*column.Value(r))
	}
	return int64(n)
}

// Len implements heap.Interface, and so do the next four methods.
func (c *collector) Len() int { return len(c.kept) }

func (c *collector) Less(i, j int) bool { return c.compare(c.kept[i].identity, c.kept[j].identity) > 0 }
func (c *collector) Swap(i, j int)      { c.kept[i], c.kept[j] = c.kept[j], c.kept[i] }

// Push implements heap.Interface.
func (c *collector) Push(x any) {
	f, _ := x.(*found)
	c.kept = append(c.kept, f)
}

// Pop implements heap.Interface.
func (c *collector) Pop() any {
	last := c.kept[len(c.kept)-1]
	c.kept = slices.Delete(c.kept, len(c.kept)-1, len(c.kept))
	return last
}
