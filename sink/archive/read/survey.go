package read

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Found is the result of a survey. If the archive has no record, the fields about records are zero.
type Found struct {
	Objects   int
	Bytes     int64
	Records   int64
	Encodings []string // parquet, ndjson; sorted

	// FirstWindow is the window with the earliest start among the windows that left an object. LastWindow is the one with the
	// latest start. A crash may have interrupted the write of the last one: then the archive has the records of some of its days
	// only.
	FirstWindow, LastWindow window.Window
	// From is the earliest start of a window. To is the latest end of a window. An NDJSON object does not have the end of its
	// window. For it, the end is just after its latest record. A window without a record left no trace.
	From, To time.Time

	MinCreatedAt, MaxCreatedAt time.Time
	MinID, MaxID               int64
	MaxPass                    uint64            // the windows that left an object
	Newest                     checkpoint.Record // the last record by (created_at, id)

	// Duplicates counts the records that the archive has more than once, by id and created_at, without the first copy.
	// DuplicateIDs are examples.
	Duplicates   int64
	DuplicateIDs []int64

	Unknown []string // keys between the objects that no archive writes; the survey did not read them
}

// examples is how many duplicates are named.
const examples = 5

// An Option changes a survey.
type Option func(*survey)

// WithProgress makes the survey call progress after each object, with the number of finished objects and the number of all
// objects.
func WithProgress(progress func(done, all int)) Option {
	return func(s *survey) { s.progress = progress }
}

// Survey reads all of a tenant's objects. It calls each with every record, one at a time, as often as the archive has the
// record. The records come by day, but in no order within a day. each may be nil.
//
// Meanwhile, no other process may write to the archive. Survey reads a few objects at a time. So the memory depends on the
// largest objects, and on the number of ids in one day.
func Survey(
	ctx context.Context, b bucket.Reader, tenant string, each func(id int64, createdAt time.Time) error, options ...Option,
) (Found, error) {
	objects, unknown, err := Objects(ctx, b, tenant)
	if err != nil {
		return Found{}, err
	}
	s := survey{bucket: b, each: each, found: Found{Unknown: unknown}}
	for _, option := range options {
		option(&s)
	}
	for c, err := range ahead(ctx, b, objects) {
		if err == nil {
			err = s.add(ctx, c)
		}
		if err != nil {
			return Found{}, err
		}
		if s.progress != nil {
			s.progress(s.found.Objects, len(objects))
		}
	}
	if err := s.endDay(ctx); err != nil {
		return Found{}, err
	}
	slices.Sort(s.found.Encodings)
	return s.found, nil
}

// A survey is a survey in progress.
type survey struct {
	bucket   bucket.Reader
	each     func(id int64, createdAt time.Time) error
	progress func(done, all int)

	day   day
	found Found
}

// add adds an object. Objects come by day.
func (s *survey) add(ctx context.Context, c contents) error {
	if len(s.day.objects) > 0 && !s.day.objects[0].Day.Equal(c.Object.Day) {
		if err := s.endDay(ctx); err != nil {
			return err
		}
	}
	s.day.objects = append(s.day.objects, c.Object)
	s.found.object(c)
	for _, r := range c.records {
		s.day.add(r)
		s.found.record(r)
		if s.each == nil {
			continue
		}
		if err := s.each(r.id, r.instant()); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) endDay(ctx context.Context) error {
	repeated, err := s.day.repeated(ctx, s.bucket)
	s.day = day{}
	for _, r := range repeated {
		s.found.Duplicates += int64(len(r.Keys) - 1)
		if len(s.found.DuplicateIDs) < examples && !slices.Contains(s.found.DuplicateIDs, r.ID) {
			s.found.DuplicateIDs = append(s.found.DuplicateIDs, r.ID)
		}
	}
	return err
}

func (f *Found) object(c contents) {
	if encoding := c.Object.Encoding(); !slices.Contains(f.Encodings, encoding) {
		f.Encodings = append(f.Encodings, encoding)
	}
	w, first := c.Window, f.Objects == 0
	if first || compare(w, f.FirstWindow) < 0 {
		f.FirstWindow = w
	}
	if first || compare(w, f.LastWindow) > 0 {
		f.LastWindow = w
	}
	end := w.End
	if end.IsZero() {
		for _, r := range c.records {
			end = later(end, r.instant().Add(time.Microsecond))
		}
	}
	f.From, f.To = f.FirstWindow.Start, later(f.To, end)
	f.MaxPass = max(f.MaxPass, c.Object.Pass)
	f.Objects++
	f.Bytes += int64(c.bytes)
}

func (f *Found) record(r identity) {
	at, first := r.instant(), f.Records == 0
	if first || at.Before(f.MinCreatedAt) {
		f.MinCreatedAt = at
	}
	if first || at.After(f.Newest.CreatedAt) || at.Equal(f.Newest.CreatedAt) && r.id > f.Newest.ID {
		f.Newest, f.MaxCreatedAt = checkpoint.Record{ID: r.id, CreatedAt: at}, at
	}
	if first {
		f.MinID, f.MaxID = r.id, r.id
	}
	f.MinID, f.MaxID = min(f.MinID, r.id), max(f.MaxID, r.id)
	f.Records++
}

// compare orders windows by start, and windows with the same start by pass.
func compare(a, b window.Window) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Pass, b.Pass))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
