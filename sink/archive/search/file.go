package search

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// file searches one file. If the file cannot be read, that is a problem but no error: the search goes on. If the store does not
// answer, that is an error.
func (s *search) file(ctx context.Context, o read.Object, c *collector) error {
	opened, err := s.Files.Open(ctx, o.Key(), s.Tail)
	if err != nil {
		return gone(err)
	}
	defer opened.Close()
	at := &read.Watched{ReaderAt: opened}
	f, err := read.OpenAt(at, opened.Size(), o.Key())
	if err == nil {
		if newer := f.Newer(); newer != nil {
			s.problem(o.Key()+" newer", newer)
		}
		err = f.Search(s.query(ctx, opened.Size(), c), func(r *record.Record) error {
			if other, differs := c.add(r, o.Key()); differs {
				s.problem(o.Key()+other, fmt.Errorf("%s: %w: it has id %d of %s with other contents than %s; houndtrail verify tells "+
					"which of the two was committed", o.Key(), read.ErrDamaged, r.ID, r.CreatedAt.Format(time.RFC3339Nano), other))
			}
			return nil
		})
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case at.Failed() != nil:
		return gone(at.Failed())
	default:
		s.problem(o.Key(), err)
	}
	return nil
}

// query returns what the search wants from a file. A small file is completely in memory: then the search need not believe the
// file's indexes.
func (s *search) query(ctx context.Context, size int64, c *collector) read.Query {
	wants := func(i identity) bool { return s.within.Low <= i.at && i.at <= s.within.High && c.wants(i) }
	return read.Query{
		Query: parquet.Query{
			IDs: parquet.Range(s.conditions.IDs), Instants: func() parquet.Range { return c.instants(s.within) },
			Equal: s.conditions.Equal, Columns: s.conditions.Columns, Whole: size <= int64(s.Tail),
			Backwards: !s.OldestFirst, Most: c.most,
			Match: func(r *record.Record) bool {
				return wants(identity{r.CreatedAt.UnixMicro(), r.ID}) && s.conditions.Match(r)
			},
			Borrow: func(bytes int64) (func(), error) {
				bytes = min(bytes, s.Memory)
				if err := s.memory.Acquire(ctx, bytes); err != nil {
					return nil, err
				}
				return func() { s.memory.Release(bytes) }, nil
			},
		},
		Wants: func(id int64, at time.Time) bool { return wants(identity{at.UnixMicro(), id}) },
		Line:  s.Line,
	}
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w; see that nothing else changes the archive, and search again", errGone, err)
	}
	return err
}
