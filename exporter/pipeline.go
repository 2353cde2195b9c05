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
	"github.com/houndtrail/houndtrail/exporter/window"
)

// grain is the resolution of created_at. The last instant of a window is one grain before its end.
const grain = time.Microsecond

// A span is a window on its way from the first stage to the second: the first fetches it, and the second consumes its records.
type span struct {
	window.Window
	bloodhound.Batch              // nil without a window: such a span only says that the previous one does not wait
	skims            []dedup.Skim // in place of the records, if Houndtrail takes the window in parts; nil if not
	limits           bloodhound.Limits
	loan             *budget.Loan

	last  bool      // no window is due after it
	since time.Time // Houndtrail read it from then on: before its start, by the overlap
	known time.Time // an unknown record from then on is new, and is delivered; Houndtrail only looks at older ones
	// remembered is the instant from which on the set of delivered ids has to know records after this window.
	remembered time.Time
}

// A part is an admitted window, which Houndtrail is about to encode, write and commit.
type part struct {
	window.Window
	loan  *budget.Loan // the memory of its objects
	last  bool
	since time.Time // the next set remembers records from then on

	clock   bloodhound.Reading // the server's clock when the window was fetched
	records checkpoint.Counts
	maxID   int64              // the highest id of the window proper; 0 if it has no records
	reused  int64              // an id of a new record that an earlier delivered record had; 0 for none
	newest  *checkpoint.Record // the newest record of the window proper; nil if it has no records
	oldest  time.Time          // the time of the oldest fresh record; zero if there are none
	// Two answers: whether the window covered the instant of the newest record delivered before this cycle, and whether that
	// record was there.
	looked, found bool
	altered, gone []dedup.Ref       // delivered records that the source has changed, and those that it has no more
	holes         []bloodhound.Hole // records that the server cannot return, and that no entry names yet
	next          dedup.Set         // the set once this window is delivered
	waiting       []checkpoint.Intent
	proof         proof
	counting      *counting // the count of the proof; nil if it waits until Houndtrail knows whether the window needs an entry
	encoding      *encoding
	write         encodedWindow // set once the encoding is done
}

// news tells whether the window brought something that needs an entry: a record that is not one of our own requests, a hole, or
// a delivered record that the source has changed or removed.
func (p part) news() bool {
	return p.records.News() > 0 || len(p.holes) > 0 || len(p.altered) > 0 || len(p.gone) > 0
}

// standing is the state before a walk.
type standing struct {
	cursor  time.Time
	waiting []checkpoint.Intent
}

// A pipeline makes the windows of a walk ready to be written.
type pipeline struct {
	ready *stage[part]
	close func() // returns when all its stages have ended
}

// windows makes the due windows ready. It works ahead: while Houndtrail writes one window, it encodes the next one and fetches
// two more. So fetching goes on when the later stages pause. However long the backlog is, memory holds only the pages of four
// windows and the files of a few. If these are larger than the stream's share of the memory, it holds fewer.
func (c *cycle) windows(ctx context.Context, w walk) *pipeline {
	ctx, cancel := context.WithCancel(ctx)
	memory := c.Memory.Open()
	fetched := start(0, func(out chan<- span) error {
		return failed(StageSource, c.fetch(ctx, w, memory, out))
	})
	before := standing{c.stored.Cursor, c.stored.Waiting}
	prepared := start(0, func(out chan<- part) error { return c.prepare(ctx, w, before, fetched, out) })
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
	err error // complete once out is closed
}

// start runs a stage. The stage makes its next result when no more than ahead earlier results wait.
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
// window. So prepare sends a window on when it has the next one, or when it knows that there is no next one. The encoding of
// the window goes on meanwhile.
func (c *cycle) prepare(ctx context.Context, w walk, before standing, fetched *stage[span], out chan<- part) error {
	var held part
	var beside sync.WaitGroup // encodings and counts in progress
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
		if err = errors.Join(send(), err); err != nil {
			return err
		}
		if held, err = c.admit(ctx, w, set, before, s, &beside); err != nil {
			return err
		}
		set, before.waiting = held.next, held.waiting // ahead of the commits: if a commit fails, the cycle ends, and they are given up
	}
	return errors.Join(send(), fetched.err)
}

// encoded sends windows on once they can be written. If the server is far away, several windows may wait until it has counted
// the first one.
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
func (e *Exporter) admit(
	ctx context.Context, w walk, set dedup.Set, before standing, s span, under *sync.WaitGroup,
) (p part, err error) {
	holes := s.Holes()
	win := s.Window
	if w.kind.keepsPosition() {
		win.Start = win.End // the times alone mark no record as new
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
	span := dedup.Span{From: w.compared(from, win.End), Window: win, Remembered: s.remembered}
	if s.skims != nil {
		admitted, fresh := set.AdmitSkims(span, s.skims[first:])
		if p = p.with(admitted, len(fresh)); len(fresh) > 0 {
			p.oldest = fresh[0].Name().CreatedAt
		}
		p.waiting = before.waiting // the records are not in memory, so the next window takes care of them
		p.encoding = e.inParts(s, sortOut(e, fresh, &p.records, func(r *dedup.Skim) (own, filtered bool) { return r.Own, r.Filtered }))
	} else {
		pairs := e.pairs(w, before, s.Window, s.Records()[first:])
		admitted := set.Admit(span, s.Records()[first:])
		if p = p.with(admitted, len(admitted.Fresh)); len(admitted.Fresh) > 0 {
			p.oldest = admitted.Fresh[0].CreatedAt
		}
		fresh, err := e.joined(ctx, &p, pairs, admitted.Fresh)
		if err != nil {
			return part{}, err
		}
		p.encoding = e.encode(under, s, fresh)
	}
	p.holes, p.next = newHoles(set, p.next, holes, s.remembered)
	return p, nil
}

// with adds the results of the admission to the part.
func (p part) with(a dedup.Admission, fresh int) part {
	p.maxID, p.reused, p.altered, p.gone, p.next = a.MaxID, a.Reused, a.Altered, a.Gone, a.Next
	p.records.Fresh, p.records.Duplicate, p.records.Late = fresh, a.Duplicate, a.Late
	return p
}

// firstFrom is the index of the first record from an instant on.
func (s span) firstFrom(from time.Time) int {
	return sort.Search(s.count(), func(i int) bool { return !s.name(i).CreatedAt.Before(from) })
}

// newHoles returns two things. The first is the holes that neither set knows: no entry has named them yet. The second is the
// set after the window, which knows these holes too.
func newHoles(before, after dedup.Set, holes []bloodhound.Hole, remembered time.Time) (told []bloodhound.Hole, next dedup.Set) {
	for _, h := range holes {
		if ref := holeRef(h); !before.Knows(ref) && !after.Knows(ref) {
			told, after = append(told, h), after.Note(ref, remembered)
		}
	}
	return told, after
}

// holeRef is the name of a hole in a set. No record has this id, so when the server's row is repaired, its record is new. If a
// hole has no time, the set knows it for ever.
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
