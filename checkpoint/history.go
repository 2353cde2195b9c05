package checkpoint

import (
	"context"
	"iter"
	"sync"
)

// readAhead is the number of entries for which a walk asks at a time: a store that is far away takes some milliseconds for each.
const readAhead = 8

// Entries returns every entry, oldest first, and verifies each against the previous one. The first error ends it. An empty stream
// has no entries and no error. Entries holds only a few entries at a time. It goes up to the entry that was newest at the start.
// That entry must have this journal's identity. Entries before a move have another identity.
//
// In a pruned journal, it returns the entries that still exist. A gap between two of them is [ErrCorrupt].
func (j *Journal) Entries(ctx context.Context) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(uint64) uint64 { return 1 })
}

// Last is [Journal.Entries] for only the newest n, still oldest first.
func (j *Journal) Last(ctx context.Context, n int) iter.Seq2[Stored, error] {
	return j.walk(ctx, func(newest uint64) uint64 {
		return newest - min(uint64(max(n, 0)), newest) + 1
	})
}

// Pruned returns the first serial that exists: 1 in a whole journal, a larger one if the oldest entries were removed, and 0 in an
// empty stream.
func (j *Journal) Pruned(ctx context.Context) (first uint64, err error) {
	newest, _, err := j.newest(ctx)
	if err != nil || newest == 0 {
		return 0, err
	}
	return j.first(ctx, newest)
}

// walk yields the entries from first(newest) to the newest.
func (j *Journal) walk(ctx context.Context, first func(newest uint64) uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		newest, noted, err := j.newest(ctx)
		from := first(newest)
		if err == nil && from > newest {
			return
		}
		var start uint64 // walk reads the entry before the span only to verify the link
		if err == nil {
			start, err = j.start(ctx, max(from-1, 1), newest)
		}
		if err != nil {
			yield(Stored{}, err)
			return
		}
		from = max(from, start)
		var before Stored
		var unread error // of the previous entry
		for s, err := range j.read(ctx, start, newest) {
			if err != nil && s.Serial < from && s.SHA256 != "" {
				before, unread = s, err // an adoption may follow it
				continue
			}
			if unread != nil && (err != nil || s.Kind != KindAdopt) {
				err = unread
			}
			if err == nil && s.Serial >= from {
				err = j.verify(before, s, noted)
			}
			if err != nil {
				yield(Stored{}, err)
				return
			}
			if s.Serial >= from && !yield(s, nil) {
				return
			}
			before, unread = s, nil
		}
	}
}

// start is the serial at which a walk begins: from, or the first serial of a pruned journal if that is later. If the journal has
// another identity, start refuses it before the walk yields any entry. Any other problem of the newest entry shows when the walk
// reaches it.
func (j *Journal) start(ctx context.Context, from, newest uint64) (uint64, error) {
	if s, err := j.entry(ctx, newest); err == nil {
		if err := j.belongs(s); err != nil {
			return 0, err
		}
	}
	if there, err := j.has(ctx, from); err != nil || there {
		return from, err
	}
	first, err := j.first(ctx, newest)
	return max(from, first), err
}

// read yields the entries of a span of serials in order, each verified by itself. Meanwhile it asks the store for the next ones.
func (j *Journal) read(ctx context.Context, first, last uint64) iter.Seq2[Stored, error] {
	return j.ask(ctx, readAhead, func(yield func(question) bool) {
		for serial := first; serial <= last; serial++ {
			if !yield(j.entryOf(serial)) {
				return
			}
		}
	})
}

// A question asks the store for one entry or a few. An answer is one of those entries.
type (
	question func(context.Context) []answer
	answer   struct {
		Stored
		err error
	}
)

func (j *Journal) entryOf(serial uint64) question {
	return func(ctx context.Context) []answer {
		s, err := j.entry(ctx, serial)
		return []answer{{s, err}}
	}
}

// ask asks up to parallel questions at a time, and yields the answers in the order of the questions.
func (j *Journal) ask(ctx context.Context, parallel int, questions iter.Seq[question]) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()
		next, stop := iter.Pull(questions)
		defer stop()

		var coming []chan []answer // oldest first
		for {
			for len(coming) < parallel {
				q, more := next()
				if !more {
					break
				}
				reply := make(chan []answer, 1)
				coming = append(coming, reply)
				asking.Go(func() { reply <- q(ctx) })
			}
			if len(coming) == 0 {
				return
			}
			for _, a := range <-coming[0] {
				if !yield(a.Stored, a.err) {
					return
				}
			}
			coming = coming[1:]
		}
	}
}
