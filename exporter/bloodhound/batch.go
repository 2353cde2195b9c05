package bloodhound

import (
	"fmt"
	"slices"
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
//
// It is filled in two stages: Fetch returns when the last page has arrived, while earlier ones are still being checked
// and scanned. Wait ends the second stage.
type Batch struct {
	Records []Record // to be looked at only after Wait

	pages    []*buffer
	bytes    int64
	estimate int // records since Limits.Since, told from the ends of pages

	arrived chan page // from the stage that fetches
	scanned chan struct{}
	err     error // of scanning; to be looked at after scanned is closed
	home    chan *Batch
}

// A page is a body on its way from one stage to the next.
type page struct {
	*buffer
	target string
	ends   seen        // what its two ends say
	walked bool        // the walk went on by its ends
	result chan<- seen // takes what the scan found, where the walk waits for it
}

const (
	// pagesAhead is how many pages may wait for the scanner, so that fetching rides out its pauses.
	pagesAhead = 16
	// batchesKept is how many slabs a client keeps: one is filled, one written.
	batchesKept = 2
)

// newBatch takes a released batch, whose memory is a window's worth, or makes one.
func (c *Client) newBatch() *Batch {
	b := &Batch{home: c.batches}
	select {
	case b = <-c.batches:
	default:
	}
	b.arrived, b.scanned = make(chan page, pagesAhead), make(chan struct{})
	go b.scan(c)
	return b
}

// scan is the second stage. It reads every page to the end even after an error: the first stage must not block.
func (b *Batch) scan(c *Client) {
	defer close(b.scanned)
	for p := range b.arrived {
		b.pages = append(b.pages, p.buffer)
		found := seen{}
		if b.err == nil {
			found, b.err = b.add(p)
			c.trust(p, found, b.err)
		}
		if p.result != nil {
			p.result <- found
		}
	}
	if b.err == nil {
		b.settle()
	}
}

// add checks a page and appends its records.
func (b *Batch) add(p page) (seen, error) {
	first := len(b.Records)
	parsed, err := ParsePage(p.b, b.Records)
	if err != nil {
		return seen{}, explain(err, p.target)
	}
	b.Records = parsed.Records
	found := look(parsed.Records[first:], parsed.Limit)
	if p.walked && !p.ends.agrees(found) {
		return seen{}, fmt.Errorf("GET %s answered with records that are not newest first, unlike the pages before it: "+
			"what was read of this window is dropped, and the next cycle reads it page by page", p.target)
	}
	return found, nil
}

// Wait returns when the records are there, or the error of the page that spoils the batch.
func (b *Batch) Wait() error {
	<-b.scanned
	return b.err
}

// Release gives the memory back for the next batch. The records, and every string taken from them, end here.
func (b *Batch) Release() {
	<-b.scanned
	for _, p := range b.pages {
		p.release()
	}
	clear(b.pages)
	clear(b.Records[:cap(b.Records)])
	*b = Batch{Records: b.Records[:0], pages: b.pages[:0], home: b.home}
	select {
	case b.home <- b:
	default:
	}
}

// Estimate is about how many records the span holds since [Limits.Since]. It is known before Wait.
func (b *Batch) Estimate() int { return b.estimate }

// settle sorts what the walk collected and drops what it met more than once: the walk comes newest first and repeats
// the records at each page's edge.
func (b *Batch) settle() {
	slices.Reverse(b.Records)
	if !slices.IsSortedFunc(b.Records, Compare) {
		slices.SortFunc(b.Records, Compare)
	}
	b.Records = slices.CompactFunc(b.Records, func(x, y Record) bool { return Compare(x, y) == 0 })
}
