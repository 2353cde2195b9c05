package bloodhound

import (
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Batch holds the records of one span of time, sorted by (created_at, id), each once. It is the contract between a source and
// the exporter. [Client.Fetch] makes a Batch from the API; a source over an archive makes its own.
//
// A source may return a Batch before it has checked all records. Wait returns when it has checked them. Clock, Latency, Held
// and Fill are known before Wait. A caller may call Records, Holes and Counted only between Wait and Release.
type Batch interface { //nolint:interfacebloat // it is one answer, and each method one part of it
	// Wait returns when the records are complete. It returns an error if the batch cannot be used.
	Wait() error
	// Records are in the source's memory. After Release, the caller must not use them, or any string that it took from them.
	Records() []record.Record
	// Holes returns the bad rows of the span, by created_at. The caller may keep them.
	//
	// A hole counts as a row of the span: the caller compares the server's count with len(Records()) + len(Holes()). The next span
	// reads the overlap again, so the holes of the overlap come again. Rows whose bytes are the same are one hole.
	Holes() []Hole
	// Counted is the server's count of rows from the nth instant of Fetch's count on. known is false if the source does not tell
	// it.
	Counted(nth int) (n int64, known bool)
	// Clock is the source's clock, as its last answer told it.
	Clock() Reading
	// Latency is how long the source took to begin an answer, on average.
	Latency() time.Duration
	// Held is how many bytes of memory the batch holds.
	Held() int64
	// Fill is the part of the limits that the span takes: above 1 if it holds more than the limits, 0 if there are no limits.
	Fill() float64
	// Release returns the memory, for the next batch.
	Release()
}

// A batch is the Batch of the API. Two stages fill it. Fetch returns when the last page has arrived; the scanner may still be
// checking earlier pages. Wait returns when the second stage has ended.
type batch struct {
	records []record.Record // complete after Wait

	pages []*rest.Buffer
	// The first stage counts the following figures. It takes them from the ends of pages.
	rows    int   // served
	counted int   // the rows among them at or after Limits.Since
	bytes   int64 // bytes of the counted rows
	crowd   crowd // the latest instant that filled a page
	held    int64 // bytes of all pages
	fill    float64
	counts  []int64 // the server's counts, in the order of the requests; -1 if the server tells none; complete after Wait
	clock   Reading
	waited  time.Duration // for answers to begin
	answers int
	// Bad rows. The first stage finds the rows that the server cannot print. The second stage finds the elements that are no
	// records. Complete after Wait.
	unprinted, refused []Hole

	arrived chan arrival // from the first stage
	scanned chan struct{}
	err     error // the error of the scan; complete once scanned is closed
	home    chan *batch
	shared  *page.Interner
	ids     page.IDs
}

// An arrival is a page on its way from the first stage to the second.
type arrival struct {
	*rest.Buffer
	target  string
	after   time.Time // the span that Houndtrail asked for, both ends included
	before  time.Time
	limit   int
	counted bool             // the page has a count that the caller asked for
	ends    page.Ends        // the ends of the page, as Glance reads them
	glanced bool             // Glance could read them
	walked  bool             // the walk went on by these ends
	result  chan<- page.Ends // receives the ends that the scan finds, if the walk waits for them
}

const (
	// pagesAhead is how many pages may wait for the scanner, so that a pause of the scanner does not stop the fetching.
	pagesAhead = 16
	// batchesKept is how many slabs a client keeps for reuse: some are in use by Fetch, one waits, and two are being encoded.
	batchesKept = 10
	// pagesKept is how many buffers a client keeps for reuse, in pages of one batch: Fetch fills several batches at a time.
	pagesKept = 6
	// keptSlack is how many times larger than its records a slab may be. If it is larger, the client does not keep it.
	keptSlack = 8
)

// newBatch reuses a released batch, which has memory for a window. If there is none, it makes one.
func (c *Client) newBatch(share bool) *batch {
	b := &batch{home: c.batches}
	select {
	case b = <-c.batches:
	default:
	}
	if !share {
		b.shared = nil
	} else if b.shared == nil {
		b.shared = new(page.Interner)
	}
	if cap(b.records) == 0 {
		b.records = make([]record.Record, 0, c.slab.Load())
	}
	b.arrived, b.scanned = make(chan arrival, pagesAhead), make(chan struct{})
	go b.scan(c)
	return b
}

// scan is the second stage. It takes every page, even after an error: if it stopped, the first stage would wait for ever.
func (b *batch) scan(c *Client) {
	defer close(b.scanned)
	for p := range b.arrived {
		b.pages = append(b.pages, p.Buffer)
		found := page.Ends{}
		if b.err == nil {
			found, b.err = b.add(p, c.options.Quarantine)
			c.trust(p, found, b.err)
		}
		if p.result != nil {
			p.result <- found
		}
	}
	if b.err == nil {
		b.records = page.Sort(b.records)
		c.slab.Store(int64(len(b.records)))
		b.err = b.ids.Reused(b.records)
	}
}

// add checks a page and appends its records.
func (b *batch) add(p arrival, quarantine bool) (page.Ends, error) {
	first := len(b.records)
	parsed, err := page.Parse(p.Bytes, slices.Grow(b.records, p.ends.Records), b.shared)
	if err != nil {
		return page.Ends{}, explain(err, p.target)
	}
	b.records = parsed.Records
	fresh := parsed.Records[first:]
	found := parsed.Ends()
	if found.Outside(p.after, p.before) {
		return page.Ends{}, p.stray(fresh)
	}
	if err := b.refuse(p, parsed.Refused, quarantine); err != nil {
		return page.Ends{}, err
	}
	if p.counted {
		b.counts = append(b.counts, parsed.Count)
	}
	if p.walked && !p.ends.Agrees(found) {
		return page.Ends{}, fmt.Errorf("GET %s answered with records that are not newest first, unlike the previous pages: nothing of this "+
			"window is used; run again: the next cycle reads it page by page", p.target)
	}
	return found, nil
}

// stray is the error about the first record outside the span that Houndtrail asked for.
func (p arrival) stray(records []record.Record) error {
	for i := range records {
		if r := &records[i]; r.CreatedAt.Before(p.after) || r.CreatedAt.After(p.before) {
			return strayError(r.ID, r.CreatedAt, p.after, p.before)
		}
	}
	return nil
}

// A crowd counts the rows of one instant that came in pages of their own.
type crowd struct {
	at      time.Time
	records int
	bytes   int64
}

// count adds a page to the figures of the batch. It knows the page only by its ends.
func (b *batch) count(at page.Ends, size int, since time.Time) {
	n := at.Since(since)
	b.rows += at.Records
	if at.Records > 0 && at.Newest.Equal(at.Oldest) {
		if !b.crowd.at.Equal(at.Oldest) {
			b.crowd = crowd{at: at.Oldest}
		}
		b.crowd.records += at.Records
		b.crowd.bytes += int64(size)
	}
	b.counted += n
	if at.Records > 0 {
		b.bytes += int64(size) * int64(n) / int64(at.Records)
	}
}

func (b *batch) Wait() error {
	<-b.scanned
	return b.err
}

func (b *batch) Records() []record.Record { return b.records }

func (b *batch) Release() {
	<-b.scanned
	rest.Release(pagesKept*len(b.pages), b.pages...)
	clear(b.records) // without the copy they would keep the whole page in memory
	records := b.records[:0]
	if cap(records) > keptSlack*(len(b.records)+1000) {
		records = nil // this batch is much smaller than the previous ones: the backlog is over
	}
	clear(b.pages)
	*b = batch{records: records, pages: b.pages[:0], counts: b.counts[:0], home: b.home, shared: b.shared, ids: b.ids}
	select {
	case b.home <- b:
	default:
	}
}

func (b *batch) Clock() Reading { return b.clock }

func (b *batch) Latency() time.Duration { return b.waited / time.Duration(max(b.answers, 1)) }

func (b *batch) Held() int64 { return b.held }

func (b *batch) Fill() float64 { return b.fill }
