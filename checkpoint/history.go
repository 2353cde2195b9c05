package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// readAhead is how many entries a walk asks for at a time: a store that is far away takes some milliseconds for each.
const readAhead = 8

// Entries returns every entry, oldest first, each verified against the one before. The first error ends it; an empty
// stream has no entries and no error. It holds a few entries at a time, and goes up to the one that was newest at the start.
func (j *Journal) Entries(ctx context.Context) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(uint64) uint64 { return 1 })
}

// Last is [Journal.Entries] for only the newest n, still oldest first.
func (j *Journal) Last(ctx context.Context, n int) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(newest uint64) uint64 {
		return newest - min(uint64(max(n, 0)), newest) + 1
	})
}

// First returns the journal's first entry, in whose window the stream's account of time begins, verified against the one
// after it; [ErrCorrupt] says that either is not what it was. A stream that has none is [ErrNotFound].
func (j *Journal) First(ctx context.Context) (Stored, error) {
	newest, noted, err := j.newest(ctx)
	if err != nil {
		return Stored{}, err
	}
	if newest == 0 {
		return Stored{}, fmt.Errorf("%w: stream %s has no entry in %s", ErrNotFound, j.id.Stream, j.bucket)
	}
	first, err := j.next(ctx, Stored{}, noted)
	if err == nil && newest > 1 {
		_, err = j.next(ctx, first, noted)
	}
	return first, err
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
		var before Stored
		for s, err := range j.read(ctx, max(from-1, 1), newest) {
			wanted := s.Serial >= from // the one before it is only read to verify the link
			if err == nil && wanted {
				err = j.verify(before, s, noted)
			}
			if err != nil {
				yield(Stored{}, err)
				return
			}
			if wanted && !yield(s, nil) {
				return
			}
			before = s
		}
	}
}

// read yields the entries of a span of serials in order, each verified by itself, and asks for the next ones meanwhile.
func (j *Journal) read(ctx context.Context, first, last uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		type answer struct {
			Stored
			err error
		}
		ctx, cancel := context.WithCancel(ctx)
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()

		var coming [readAhead]chan answer
		next := first
		for serial := first; serial <= last; serial++ {
			for ; next <= last && next-serial < readAhead; next++ {
				reply, asked := make(chan answer, 1), next
				coming[asked%readAhead] = reply
				asking.Go(func() {
					s, err := j.entry(ctx, asked)
					reply <- answer{s, err}
				})
			}
			if a := <-coming[serial%readAhead]; !yield(a.Stored, a.err) {
				return
			}
		}
	}
}
