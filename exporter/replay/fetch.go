package replay

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// recordBytes is about how much memory a record takes besides its strings.
const recordBytes = 400

// A batch is the [bloodhound.Batch] of the archive. It is complete when Fetch returns.
type batch struct {
	records []record.Record
	holes   []bloodhound.Hole
	held    int64
	fill    float64
	clock   bloodhound.Reading
}

func (b *batch) Wait() error               { return nil }
func (b *batch) Records() []record.Record  { return b.records }
func (b *batch) Holes() []bloodhound.Hole  { return b.holes }
func (b *batch) Counted(int) (int64, bool) { return 0, false }
func (b *batch) Clock() bloodhound.Reading { return b.clock }
func (b *batch) Latency() time.Duration    { return 0 }
func (b *batch) Held() int64               { return b.held }
func (b *batch) Fill() float64             { return b.fill }
func (b *batch) Release()                  { b.records = nil }

// A tally counts records against limits.
type tally struct {
	bloodhound.Limits

	records int // at or after Since
	bytes   int64
	before  int // earlier ones: the overlap
	overlap int64
}

func (t *tally) add(r *record.Record) {
	size := int64(recordBytes + len(r.Raw))
	if r.CreatedAt.Before(t.Since) {
		t.before, t.overlap = t.before+1, t.overlap+size
		return
	}
	t.records, t.bytes = t.records+1, t.bytes+size
}

// fill is the part of the limits that so many records take.
func (t *tally) fill(records int, bytes int64) (part float64) {
	if t.Records > 0 {
		part = float64(records) / float64(t.Records)
	}
	if t.Bytes > 0 {
		part = max(part, float64(bytes)/float64(t.Bytes))
	}
	return part
}

// errFull ends a reading that brings more than the limits allow.
var errFull = errors.New("the span holds more than fits into memory")

// Fetch reads the records of a span.
func (s *Source) Fetch(
	ctx context.Context, after, before time.Time, limits bloodhound.Limits, _ ...time.Time,
) (made bloodhound.Batch, err error) {
	err = s.with(ctx, after, before, func(c *catalog) error {
		if err := s.holds(c, after, before); err != nil {
			return err
		}
		if !c.until.IsZero() && !before.Before(c.until) {
			return &bloodhound.TooManyError{Fill: 2} // the catalog cannot hold the objects of so long a time
		}
		made, err = s.fetch(ctx, c, after, before, limits)
		return err
	})
	if tooMany := (*bloodhound.TooManyError)(nil); err != nil && !errors.As(err, &tooMany) {
		return nil, spanError(after, before, err)
	}
	if err != nil {
		return nil, err
	}
	return made, nil
}

func (s *Source) fetch(ctx context.Context, c *catalog, after, before time.Time, limits bloodhound.Limits) (*batch, error) {
	b, t := &batch{}, &tally{Limits: limits}
	pieces := c.overlapping(after, before, s.late != nil)
	for _, p := range pieces {
		err := s.archive.read(ctx, p, func(r *record.Record) error {
			b.records = append(b.records, *r)
			// A single record is the smallest span.
			if t.add(r); t.records > 1 && t.fill(t.records, t.bytes) > 1 || t.before > 1 && t.fill(t.before, t.overlap) > 1 {
				return errFull
			}
			return nil
		})
		if errors.Is(err, errFull) {
			return nil, t.tooMany(b.records, pieces)
		}
		if err != nil {
			return nil, err
		}
	}
	b.records = sorted(b.records)
	b.holes = c.holesOf(after, before, s.late != nil)
	b.held, b.fill = t.bytes+t.overlap, t.fill(t.records, t.bytes)
	b.clock, _ = s.Clock(ctx)
	return b, nil
}

// sorted puts records into their order. A record that two objects have, after a compaction that was killed, is there once.
func sorted(records []record.Record) []record.Record {
	slices.SortFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
	return slices.CompactFunc(records, func(a, b record.Record) bool { return record.Compare(&a, &b) == 0 })
}

// tooMany estimates how much the whole span holds, by the numbers that the entries tell.
func (t *tally) tooMany(read []record.Record, pieces []piece) error {
	if t.before > 1 && t.fill(t.before, t.overlap) > 1 {
		return &bloodhound.TooManyError{Fill: t.fill(t.before, t.overlap), Again: true}
	}
	fill, expected := t.fill(t.records, t.bytes), 0.0
	for _, p := range pieces {
		part := 1.0
		if span := p.To.Sub(p.From); span > 0 {
			part = float64(p.high.Sub(p.low)) / float64(span)
		}
		expected += float64(p.Records) * part
	}
	e := &bloodhound.TooManyError{Fill: max(fill, fill*expected/float64(max(t.records, 1)))}
	slices.SortFunc(read, func(a, b record.Record) int { return record.Compare(&a, &b) })
	for i, first := 0, 0; i < len(read); i++ {
		if !read[i].CreatedAt.Equal(read[first].CreatedAt) {
			first = i
		}
		const much = 0.5
		if n := i - first + 1; n > 1 && t.fill(n, t.bytes*int64(n)/int64(len(read))) > much {
			e.Crowd = read[i].CreatedAt
		}
	}
	return e
}

// FetchParts reads a span part by part.
func (s *Source) FetchParts(
	ctx context.Context, after, before time.Time, limits bloodhound.Limits, use func([]record.Record) error, _ ...time.Time,
) (bloodhound.Batch, error) {
	whole, refused := &batch{}, error(nil)
	err := s.with(ctx, after, before, func(c *catalog) error {
		if err := s.holds(c, after, before); err != nil {
			return err
		}
		var part []record.Record
		limits.Since = time.Time{}
		t := &tally{Limits: limits}
		flush := func() error {
			if len(part) > 0 {
				refused = use(sorted(part))
			}
			part, t = nil, &tally{Limits: limits}
			return refused
		}
		for _, p := range c.overlapping(after, before, s.late != nil) {
			err := s.archive.read(ctx, p, func(r *record.Record) error {
				part = append(part, *r)
				if t.add(r); t.fill(t.records, t.bytes) >= 1 {
					return flush()
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		whole.holes = c.holesOf(after, before, s.late != nil)
		return flush()
	})
	switch {
	case refused != nil:
		return nil, refused
	case err != nil:
		return nil, spanError(after, before, err)
	}
	whole.clock, _ = s.Clock(ctx)
	return whole, nil
}

// overlapping are the pieces with records from one instant to another, both included, in the order of their first instant.
func (c *catalog) overlapping(from, to time.Time, late bool) (found []piece) {
	clip := func(p piece) {
		if p.low.Before(from) {
			p.low = from
		}
		if p.high.After(to) {
			p.high = to
		}
		if !p.high.Before(p.low) {
			found = append(found, p)
		}
	}
	if !late {
		for _, o := range c.live {
			clip(piece{o, o.From, o.To})
		}
	} else {
		for _, pieces := range c.pieces {
			for _, p := range joined(pieces) {
				clip(p)
			}
		}
	}
	slices.SortFunc(found, func(a, b piece) int { return cmp.Or(a.low.Compare(b.low), cmp.Compare(a.Key, b.Key)) })
	return found
}

// joined joins the pieces of one object that overlap, so that no record comes twice.
func joined(pieces []piece) (apart []piece) {
	pieces = slices.Clone(pieces)
	slices.SortFunc(pieces, func(a, b piece) int { return a.low.Compare(b.low) })
	for _, p := range pieces {
		if n := len(apart); n > 0 && !p.low.After(apart[n-1].high) {
			if p.high.After(apart[n-1].high) {
				apart[n-1].high = p.high
			}
			continue
		}
		apart = append(apart, p)
	}
	return apart
}

// holesOf are the holes of a span.
func (c *catalog) holesOf(after, before time.Time, late bool) (found []bloodhound.Hole) {
	for _, h := range c.holes {
		if !h.CreatedAt.Before(after) && !h.CreatedAt.After(before) && (h.late || !late) {
			found = append(found, h.Hole)
		}
	}
	slices.SortStableFunc(found, func(a, b bloodhound.Hole) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found
}
