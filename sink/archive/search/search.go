package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// Options say which records to search, and where.
type Options struct {
	Files  bucket.Opener
	Tenant string
	// After and Before limit created_at; both are included. A zero After means no limit.
	After, Before time.Time
	Filters       []filter.Filter // a record has to meet all of them
	OldestFirst   bool            // by (created_at, id); otherwise newest first
	Skip, Limit   int             // how many of the first records to skip, and how many to return at most
	// Line makes a record from the JSON that the server sent for it.
	Line func(served string) (record.Record, error)
	// The search calls Each with each record, in order, with its Raw. If Each returns an error, the search ends.
	Each func(*record.Record) error

	Tail   int   // how many bytes of a file's end the first request reads; default 128 KiB
	Memory int64 // how many bytes found records may take, and how many the records under inspection; default 48 MiB
}

const (
	parallel      = 16 // files
	defaultTail   = 128 << 10
	defaultMemory = 48 << 20
	// relists is how often the search lists days again because files have disappeared: a compaction removes the files of a day
	// once.
	relists = 5
)

// An Answer tells what the search has read and found.
type Answer struct {
	Records int // records for which the search called Each
	Files   int // files of the days that it searched
	// Problems are the files that the search could not read, or not in full. Each says what to do: records may be missing.
	// Problems is nil if the answer is complete.
	Problems []error
}

// ErrNotWhole says that records may be missing from an answer.
var ErrNotWhole = errors.New("the answer is not whole")

// errGone says that a file has disappeared or was replaced since the search listed its day.
var errGone = errors.New("a file of the archive has changed since it was listed")

// A search is a search in progress.
type search struct {
	Options

	conditions *filter.Conditions
	within     parquet.Range // of created_at_us
	memory     *semaphore.Weighted
	answer     Answer

	mu    sync.Mutex
	wrong map[string]bool // by key
}

// Run searches the archive. If it returns an error, the search has ended early: then records are missing from the answer, even
// if it names no problem.
func Run(ctx context.Context, o Options) (Answer, error) {
	if err := read.CheckTenant(o.Tenant); err != nil {
		return Answer{}, err
	}
	if o.Tail == 0 {
		o.Tail = defaultTail
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	conditions, err := filter.Compile(o.Filters)
	if err != nil {
		return Answer{}, err
	}
	s := &search{Options: o, conditions: conditions, memory: semaphore.NewWeighted(o.Memory), wrong: map[string]bool{}}
	s.within = parquet.Range(conditions.Instants)
	s.within.High = min(s.within.High, o.Before.UnixMicro())
	if !o.After.IsZero() { // rounded up: a limit between two microseconds is above the lower one
		s.within.Low = max(s.within.Low, o.After.Add(time.Microsecond-1).UnixMicro())
	}
	s.narrow()
	err = s.run(ctx)
	return s.answer, err
}

// narrow narrows the days to those that the filters allow.
func (s *search) narrow() {
	if s.within.Low > s.After.UnixMicro() {
		s.After = time.UnixMicro(s.within.Low).UTC()
	}
	if s.within.High < s.Before.UnixMicro() {
		s.Before = time.UnixMicro(s.within.High).UTC()
	}
}

func (s *search) run(ctx context.Context) error {
	if s.within.Low > s.within.High || s.Limit < 1 {
		return nil
	}
	for chunk, err := range s.chunks(ctx) {
		if err != nil {
			return err
		}
		for _, d := range chunk {
			s.answer.Files += len(d.objects)
		}
		done, err := s.chunk(ctx, chunk)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// chunk searches days until it has all of their records, or as many as the caller wants.
func (s *search) chunk(ctx context.Context, days []day) (done bool, err error) {
	var after *identity
	for relisted := 0; ; {
		c := &collector{
			direction: s.direction(), after: after, most: s.Skip + s.Limit - s.answer.Records, room: s.Memory, known: map[identity]*found{},
		}
		switch err := s.collect(ctx, days, c); {
		case errors.Is(err, errGone) && relisted < relists:
			if days, err = s.again(ctx, days); err != nil {
				return true, err
			}
			relisted++
			continue
		case err != nil:
			return true, err
		}
		kept, more := c.all()
		for _, f := range kept {
			if done, err := s.print(f); done || err != nil {
				return true, err
			}
			after = &f.identity
		}
		if !more {
			return false, nil
		}
	}
}

// again lists days once more.
func (s *search) again(ctx context.Context, days []day) (now []day, err error) {
	for _, d := range days {
		found, err := s.list(ctx, listing{read.DayPrefix(s.Tenant, d.at), d.at, d.at})
		if err != nil {
			return nil, err
		}
		now = append(now, found...)
	}
	return now, nil
}

// print gives records to the caller. done is true after the last wanted one.
func (s *search) print(f *found) (done bool, err error) {
	for i := range f.records {
		if s.Skip > 0 {
			s.Skip--
			continue
		}
		if err := read.Serve(&f.records[i]); err != nil {
			s.problem(f.keys[0], fmt.Errorf("%s: %w: %w", f.keys[0], read.ErrDamaged, err))
			continue
		}
		if err := s.Each(&f.records[i]); err != nil {
			return true, err
		}
		if s.answer.Records++; s.answer.Records == s.Limit {
			return true, nil
		}
	}
	return false, nil
}

// collect searches the files of some days.
func (s *search) collect(ctx context.Context, days []day, c *collector) error {
	files, ctx := errgroup.WithContext(ctx)
	files.SetLimit(parallel)
	for _, d := range days {
		for _, o := range d.objects {
			files.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return s.file(ctx, o, c)
			})
		}
	}
	return files.Wait()
}

func (s *search) direction() int {
	if s.OldestFirst {
		return 1
	}
	return -1
}

// problem notes a problem of a file, but only once.
func (s *search) problem(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wrong[key] {
		s.wrong[key] = true
		s.answer.Problems = append(s.answer.Problems, err)
	}
}
