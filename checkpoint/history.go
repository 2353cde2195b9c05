package checkpoint

import (
	"context"
	"iter"
)

// Entries returns every entry, oldest first, each verified against the one before. The first error ends it; an empty
// stream has no entries and no error. It reads one entry at a time, and up to the one that was newest at the start.
func (j *Journal) Entries(ctx context.Context) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(uint64) uint64 { return 1 })
}

// Last is [Journal.Entries] for only the newest n, still oldest first.
func (j *Journal) Last(ctx context.Context, n int) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(newest uint64) uint64 {
		return newest - min(uint64(max(n, 0)), newest) + 1
	})
}

// walk yields the entries from first(newest) to the newest.
func (j *Journal) walk(ctx context.Context, first func(newest uint64) uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		newest, noted, err := j.newest(ctx)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		from := first(newest)
		if from > newest {
			return
		}
		var s Stored
		if from > 1 {
			s, err = j.entry(ctx, from-1)
		}
		for err == nil && s.Serial < newest {
			if s, err = j.next(ctx, s, noted); err == nil && !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(Stored{}, err)
		}
	}
}
