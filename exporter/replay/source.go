package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Source is the log as the archive holds it. It is an [exporter.Source], and keeps the contract of that type. All calls are safe for
// concurrent use.
type Source struct {
	archive *Archive
	late    *query // of a source of late records; nil for a source of all

	mu      sync.Mutex
	catalog *catalog             // nil until the first call
	bound   *checkpoint.Followed // a stream that follows takes the records of later entries later; nil if none follows
}

// New is the source of all records of an archive.
func New(a *Archive) *Source { return &Source{archive: a} }

// relists is how often a call reads the journals again because objects have disappeared. A compaction removes the objects of a day
// once.
const relists = 5

// with calls do with a catalog that has the objects of a span of time. If an object disappears meanwhile, a compaction has replaced
// it: then with calls do again.
func (s *Source) with(ctx context.Context, from, to time.Time, do func(*catalog) error) error {
	for tries := 0; ; tries++ {
		c, err := s.having(ctx, from, to, tries > 0)
		if err == nil {
			err = do(c)
		}
		if !errors.Is(err, fs.ErrNotExist) || tries == relists {
			return err
		}
	}
}

// having returns the catalog, or reads the journals for one.
func (s *Source) having(ctx context.Context, from, to time.Time, again bool) (*catalog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog
	if c != nil && !again && (s.late != nil || c.covers(from, to)) {
		return c, nil
	}
	q := query{after: from, upto: s.bound}
	if s.late != nil {
		q = *s.late
		q.delta = q.delta && !again // the object may have been replaced before that
	}
	c, err := s.archive.catalog(ctx, q)
	if err != nil {
		return nil, err
	}
	s.catalog = c
	return c, nil
}

// farBack and farAhead are before and after every record.
//
//nolint:gochecknoglobals // constants
var (
	farBack  = time.Time{}
	farAhead = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Clock is this machine's clock: the archive has none.
func (s *Source) Clock(context.Context) (bloodhound.Reading, error) {
	return bloodhound.Reading{Server: s.archive.now(), Local: time.Now()}, nil
}

// Guess has no estimate: the clock needs no request.
func (s *Source) Guess() bloodhound.Reading { return bloodhound.Reading{} }

// Extent tells when the archive's oldest record was created, and how many records the entries name.
func (s *Source) Extent(ctx context.Context, now time.Time) (x bloodhound.Extent, err error) {
	s.mu.Lock()
	if s.late == nil {
		s.catalog = nil // a stream that has no position yet asks again and again
	}
	s.mu.Unlock()
	err = s.with(ctx, farBack, farBack, func(c *catalog) error {
		x = bloodhound.Extent{Empty: true, Count: -1}
		at, ok, err := s.earliest(ctx, c, farBack, farAhead)
		if err != nil || !ok {
			return err
		}
		records := 0
		for _, p := range c.overlapping(farBack, farAhead, s.late != nil) {
			records += p.Records
		}
		x = bloodhound.Extent{Oldest: at, Count: -1, Page: max(now.Sub(at), 0)}
		if pages := float64(records) / pageRecords; pages > 1 && c.until.IsZero() {
			x.Page = time.Duration(float64(x.Page) / pages)
		}
		return nil
	})
	return x, err
}

// pageRecords is how many records count as a page, for the first guess at the length of a window.
const pageRecords = 1000

// First returns the instant of the first record of the span.
func (s *Source) First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error) {
	err = s.with(ctx, from, to, func(c *catalog) (err error) {
		at, ok, err = s.earliest(ctx, c, from, to.Add(-grain))
		if !ok && err == nil && !c.until.IsZero() && c.until.Before(to) {
			at, ok = c.until, true // the catalog knows no later object; no record is earlier
		}
		return err
	})
	return at, ok, err
}

// earliest is the first record from one instant to another, both included. Most objects need not be read for it.
func (s *Source) earliest(ctx context.Context, c *catalog, from, to time.Time) (at time.Time, ok bool, err error) {
	for _, p := range c.overlapping(from, to, s.late != nil) {
		if ok && !p.low.Before(at) {
			break // it is sorted by low, so no later one has an earlier record
		}
		first := p.low
		found := p.SHA256 != "" && p.low.Equal(p.From) && s.late == nil
		if !found {
			err := s.archive.read(ctx, p, func(r *record.Record) error {
				if !found || r.CreatedAt.Before(first) {
					first, found = r.CreatedAt, true
				}
				return nil
			})
			if err != nil {
				return at, false, err
			}
		}
		if found && (!ok || first.Before(at)) {
			at, ok = first, true
		}
	}
	return at, ok, nil
}

// Newest returns the time of the archive's latest record.
func (s *Source) Newest(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.with(ctx, s.archive.now().Add(-day), farAhead, func(c *catalog) error {
		at, ok, err = s.latest(ctx, c)
		return err
	})
	if ok || err != nil {
		return at, ok, err
	}
	err = s.with(ctx, farBack, farAhead, func(c *catalog) (err error) {
		at, ok, err = s.latest(ctx, c)
		return err
	})
	return at, ok, err
}

func (s *Source) latest(ctx context.Context, c *catalog) (at time.Time, ok bool, err error) {
	for _, p := range c.overlapping(farBack, farAhead, s.late != nil) {
		if !p.high.After(at) {
			continue
		}
		if p.SHA256 != "" && p.high.Equal(p.To) && s.late == nil {
			at, ok = p.high, true
			continue
		}
		err := s.archive.read(ctx, p, func(r *record.Record) error {
			if r.CreatedAt.After(at) {
				at, ok = r.CreatedAt, true
			}
			return nil
		})
		if err != nil {
			return at, false, err
		}
	}
	return at, ok, nil
}

// Has tells whether the archive has the record.
func (s *Source) Has(ctx context.Context, id int64, at time.Time) (found bool, err error) {
	err = s.with(ctx, at, at, func(c *catalog) error {
		found = false
		for _, p := range c.overlapping(at, at, s.late != nil) {
			err := s.archive.read(ctx, p, func(r *record.Record) error {
				found = found || r.ID == id
				return nil
			})
			if err != nil || found {
				return err
			}
		}
		return nil
	})
	return found, err
}

// Count tells no count: what the archive holds was compared with the server's count when it was archived.
func (s *Source) Count(context.Context, time.Time) (n int64, known bool, err error) {
	return 0, false, nil
}

// Own finds no record to be of our own requests: only BloodHound knows whose credentials they had.
func (s *Source) Own(context.Context, *record.Record) bool { return false }

// spanError is the error of a span.
func spanError(from, to time.Time, err error) error {
	return fmt.Errorf("reading the archive from %s to %s: %w", stamp(from), stamp(to), err)
}

// Line makes a record from the JSON that the server sent for it.
func Line(served string) (record.Record, error) {
	p, err := page.Parse([]byte(`{"data":{"logs":[`+served+`]}}`), nil, nil)
	switch {
	case err != nil:
		return record.Record{}, err
	case len(p.Refused) > 0:
		return record.Record{}, p.Refused[0].Fault
	case len(p.Records) != 1:
		return record.Record{}, fmt.Errorf("%d records in one line", len(p.Records))
	}
	return p.Records[0], nil
}
