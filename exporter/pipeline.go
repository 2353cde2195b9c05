package exporter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// grain is the resolution of created_at: the last instant before a window's end.
const grain = time.Microsecond

// A span is a window on its way from the first stage, which fetches it, to the second, which consumes its records.
type span struct {
	window.Window
	bloodhound.Batch              // nil for a span without a window: the previous window then does not wait for the next
	skims            []dedup.Skim // instead of records, if the window is taken in parts; nil if not
	limits           bloodhound.Limits
	loan             *budget.Loan

	last  bool      // no window is due after it
	since time.Time // from when on it was read: before its start by the overlap
	known time.Time // Houndtrail delivers unknown records from then on, and only looks at older ones
	// remembered is from when on the set of delivered ids has to know them after this window.
	remembered time.Time
}

// A part is an admitted window, which Houndtrail is about to encode, write and commit.
type part struct {
	window.Window
	loan  *budget.Loan // of the memory of its objects
	last  bool
	since time.Time // from when on the next set remembers

	clock   bloodhound.Reading // the server's clock when the window was fetched
	records checkpoint.Counts
	maxID   int64              // among the records of the window proper; 0 if there are none
	reused  int64              // an id that an earlier delivered record had; 0 for none
	newest  *checkpoint.Record // of the window proper; nil if it has no records
	oldest  time.Time          // of the fresh records; zero if there are none
	// Whether the window covered the instant of the newest record delivered before this cycle, and whether that record was there.
	looked, found bool
	altered, gone []dedup.Ref       // delivered records that the source has changed, or has no more
	holes         []bloodhound.Hole // records that the server cannot return, and that no entry tells of yet
	next          dedup.Set         // the set once this window is delivered
	proof         proof
	counting      *counting // of the proof; nil if it waits until Houndtrail knows whether the window needs an entry
	encoding      *encoding
	write         encodedWindow // once the encoding is done
}

// news tells whether the window brought anything that is worth an entry: a record that is not one of our own requests, a hole,
// or a delivered record that the source has changed or removed.
func (p part) news() bool {
	return p.records.News() > 0 || len(p.holes) > 0 || len(p.altered) > 0 || len(p.gone) > 0
}

// A pipeline makes the windows of a walk ready to be written.
type pipeline struct {
	ready *stage[part]
	close func() // returns when all its stages have ended
}

// windows makes the due windows ready. It works ahead: while Houndtrail encodes and writes one window, it encodes the next and
// fetches two more, so that fetching goes on while the later stages pause. Memory holds the pages of four windows and the files
// of a few, whatever the backlog, and fewer if they are larger than the stream's share of it.
func (c *cycle) windows(ctx context.Context, w walk) *pipeline {
	ctx, cancel := context.WithCancel(ctx)
	memory := c.Memory.Open()
	fetched := start(0, func(out chan<- span) error {
		return failed(StageSource, c.fetch(ctx, w, memory, out))
	})
	prepared := start(0, func(out chan<- part) error { return c.prepare(ctx, w, fetched, out) })
	encoded := start(mostReads, func(out chan<- part) error { return encoded(ctx, prepared, out) })
	ready := start(0, func(out chan<- part) error { return proved(ctx, encoded, out) })
	return &pipeline{ready, func() {
		cancel()
		ready.drain()
		encoded.drain()
		prepared.drain()
		fetched.drain()
		memory.Close()
	}}
}

// A stage is a goroutine that sends its results.
type stage[T any] struct {
	out chan T
	err error // read it only after out is closed
}

// start runs a stage. The stage makes its next result when at most ahead earlier results still wait.
func start[T any](ahead int, run func(out chan<- T) error) *stage[T] {
	s := &stage[T]{out: make(chan T, ahead)}
	go func() {
		defer close(s.out)
		s.err = run(s.out)
	}()
	return s
}

func (s *stage[T]) drain() {
	for range s.out { // until it has ended
	}
}

// prepare drops the delivered records and starts to encode the rest. The counts that prove a window complete come with the next
// window. So prepare sends a window on once the next one has been read, or if no other one follows. Its encoding goes on
// meanwhile.
func (c *cycle) prepare(ctx context.Context, w walk, fetched *stage[span], out chan<- part) error {
	var held part
	var beside sync.WaitGroup // encodings and counts
	defer beside.Wait()
	set := w.set
	var first *counting
	send := func() error {
		if held.encoding == nil {
			return nil
		}
		if !w.mayIdle(held) {
			held.counting = c.count(ctx, &beside, held.proof, first)
			first = cmp.Or(first, held.counting)
		}
		select {
		case out <- held:
			held = part{}
			return nil
		case <-ctx.Done():
			return failed(StageSource, context.Cause(ctx))
		}
	}
	for s := range fetched.out {
		if s.Batch == nil {
			if err := send(); err != nil {
				return err
			}
			continue
		}
		err := failed(StageSource, s.Wait())
		if err == nil {
			held.proof.takeFrom(s)
		}
		if err := errors.Join(send(), err); err != nil {
			return err
		}
		held = c.admit(ctx, w, set, s, &beside)
		set = held.next // ahead of the commits: if one fails, the cycle ends, and so does this set
	}
	return errors.Join(send(), fetched.err)
}

// encoded sends windows on once they can be written. If the server is far away, several of them may wait until it has counted
// the first.
func encoded(ctx context.Context, prepared *stage[part], out chan<- part) (err error) {
	for p := range prepared.out {
		if p.write, err = p.encoding.wait(); err != nil {
			return failed(StageSink, err)
		}
		select {
		case out <- p:
		case <-ctx.Done():
			return failed(StageSource, context.Cause(ctx))
		}
	}
	return prepared.err
}

// proved sends windows on once the server has counted them.
func proved(ctx context.Context, encoded *stage[part], out chan<- part) error {
	for p := range encoded.out {
		if p.counting != nil {
			<-p.counting.done
		}
		select {
		case out <- p:
		case <-ctx.Done():
			return failed(StageSource, context.Cause(ctx))
		}
	}
	return encoded.err
}

// admit drops the delivered records from a window, and starts to encode the rest.
func (e *Exporter) admit(ctx context.Context, w walk, set dedup.Set, s span, under *sync.WaitGroup) (p part) {
	holes := s.Holes()
	win := s.Window
	if w.kind.again() {
		win.Start = win.End // the time alone makes no record of it new
	}
	from := latest(s.since, s.known)
	first := s.firstFrom(s.known)
	p = part{
		Window: s.Window, loan: s.loan, last: s.last, since: s.remembered, clock: s.Clock(), newest: s.newest(),
		records: checkpoint.Counts{Read: s.count() - first},
		proof:   proof{window: s.Window, since: from, read: s.count() - first + len(holes)},
	}
	if p.looked, p.found = s.meets(w.seen); p.proof.since.Equal(s.since) {
		p.proof.first.n, p.proof.first.known = s.Counted(0)
	}
	span := dedup.Span{From: from, Window: win, Remembered: s.remembered}
	if s.skims != nil {
		admitted, fresh := set.AdmitSkims(span, s.skims[first:])
		if p = p.with(admitted, len(fresh)); len(fresh) > 0 {
			p.oldest = fresh[0].Name().CreatedAt
		}
		fresh = sortOut(e, fresh, &p.records, func(r *dedup.Skim) (own, filtered bool) { return r.Own, r.Filtered })
		p.encoding = e.inParts(s, fresh)
	} else {
		admitted := set.Admit(span, s.Records()[first:])
		if p = p.with(admitted, len(admitted.Fresh)); len(admitted.Fresh) > 0 {
			p.oldest = admitted.Fresh[0].CreatedAt
		}
		fresh := sortOut(e, admitted.Fresh, &p.records, func(r *record.Record) (own, filtered bool) {
			return e.Source.Own(ctx, r), !e.Filter.Match(r)
		})
		p.encoding = e.encode(under, s, fresh)
	}
	p.holes, p.next = newHoles(set, p.next, holes, s.remembered)
	return p
}

// with adds to the part what the admission says of its records.
func (p part) with(a dedup.Admission, fresh int) part {
	p.maxID, p.reused, p.altered, p.gone, p.next = a.MaxID, a.Reused, a.Altered, a.Gone, a.Next
	p.records.Fresh, p.records.Duplicate, p.records.Late = fresh, a.Duplicate, a.Late
	return p
}

// firstFrom is the index of the first record from an instant on.
func (s span) firstFrom(from time.Time) int {
	return sort.Search(s.count(), func(i int) bool { return !s.name(i).CreatedAt.Before(from) })
}

// newHoles returns two things: the holes that neither set knows, so that no entry has told of them, and the set after the
// window, which then knows them as well.
func newHoles(before, after dedup.Set, holes []bloodhound.Hole, remembered time.Time) (told []bloodhound.Hole, next dedup.Set) {
	for _, h := range holes {
		if ref := holeRef(h); !before.Knows(ref) && !after.Knows(ref) {
			told, after = append(told, h), after.Note(ref, remembered)
		}
	}
	return told, after
}

// holeRef is the name by which a set knows a hole. Its id is one that no record has, since a repaired row becomes a record. A
// set knows a hole without a time for ever.
func holeRef(h bloodhound.Hole) dedup.Ref {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", h.CreatedAt.UnixMicro(), h.ID, h.Raw))
	ref := dedup.Ref{ID: dedup.FirstHole | int64(binary.BigEndian.Uint64(sum[:])>>3), CreatedAt: h.CreatedAt}
	if h.CreatedAt.IsZero() {
		ref.CreatedAt = endOfTime
	}
	return ref
}

// endOfTime is after every record.
//
//nolint:gochecknoglobals // a constant
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// sortOut counts the new records of our own requests, and those that the filter leaves out. It returns the records that the stream
// delivers. The set of delivered ids knows the others all the same: Houndtrail is done with them.
func sortOut[T any](e *Exporter, fresh []T, n *checkpoint.Counts, judge func(*T) (own, filtered bool)) []T {
	kept := 0
	for i := range fresh {
		own, filtered := judge(&fresh[i])
		if own {
			n.Self++
		}
		switch {
		case own && e.ExcludeSelf:
			continue
		case filtered:
			n.Filtered++
			continue
		}
		if kept != i {
			fresh[kept] = fresh[i]
		}
		kept++
	}
	n.Fresh, n.Excluded = kept, len(fresh)-kept
	return fresh[:kept]
}
