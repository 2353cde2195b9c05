package bloodhound

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Limits bound what one Fetch holds in memory. Zero means no bound.
type Limits struct {
	// Since is where counting starts: what is older, the overlap that is read again, is not held against the span,
	// since a shorter span would have it all the same.
	Since   time.Time
	Records int
	Bytes   int64 // of decoded pages
}

// A TooManyError says that a span holds more than the limits allow, seen early, before it was read to the end.
type TooManyError struct {
	Estimate int // records in the span since Limits.Since, judged by the part that was read
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("about %d records are too many for one window", e.Estimate)
}

// A Batch holds the records of one span of time, sorted by (created_at, id), each once.
type Batch struct {
	Records  []Record
	Requests int // pages that it took

	pages []*buffer
	bytes int64
}

// batches keeps the slabs of released batches: a window's worth of records is too much garbage to make per window.
var batches = sync.Pool{New: func() any { return new(Batch) }}

func newBatch() *Batch { return batches.Get().(*Batch) }

// Release gives the memory back for the next batch. The records, and every string taken from them, end here.
// Forgetting it costs memory until the next collection, never correctness.
func (b *Batch) Release() {
	for _, p := range b.pages {
		p.release()
	}
	clear(b.Records)
	*b = Batch{Records: b.Records[:0], pages: b.pages[:0]}
	batches.Put(b)
}

// add scans a page into the batch, which keeps it until Release, and returns what the walk goes by.
func (b *Batch) add(body *buffer, target string) (seen, error) {
	first := len(b.Records)
	b.pages = append(b.pages, body)
	b.bytes += int64(len(body.b))
	b.Requests++
	page, err := ParsePage(body.b, b.Records)
	if err != nil {
		return seen{}, explain(err, target)
	}
	b.Records = page.Records
	return look(page.Records[first:], page.Limit), nil
}

// settle sorts what the walk collected and drops what it met more than once: the walk comes newest first and repeats
// the records at each page's edge.
func (b *Batch) settle() {
	slices.Reverse(b.Records)
	if !slices.IsSortedFunc(b.Records, Compare) {
		slices.SortFunc(b.Records, Compare)
	}
	b.Records = slices.CompactFunc(b.Records, func(x, y Record) bool { return Compare(x, y) == 0 })
}

// Since counts the records at or after t.
func (b *Batch) Since(t time.Time) int {
	first, _ := slices.BinarySearchFunc(b.Records, t, func(r Record, t time.Time) int { return r.CreatedAt.Compare(t) })
	return len(b.Records) - first
}

// seen is what one page says about where the walk stands.
type seen struct {
	records        int
	newest, oldest time.Time
	first, last    int64 // ids of the first and the last record as served
	newestFirst    bool
	limit          int64 // as echoed; -1 where it was not
}

func look(records []Record, limit int64) seen {
	s := seen{records: len(records), limit: limit, newestFirst: true}
	if len(records) == 0 {
		return s
	}
	s.newest, s.oldest = records[0].CreatedAt, records[len(records)-1].CreatedAt
	s.first, s.last = records[0].ID, records[len(records)-1].ID
	for i := 1; i < len(records); i++ {
		if records[i].CreatedAt.After(records[i-1].CreatedAt) {
			s.newestFirst = false
			break
		}
	}
	return s
}
