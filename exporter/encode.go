package exporter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/pair"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// If a window does not fit into memory and cannot be cut, Houndtrail reads it twice, in parts. The first time it keeps only a
// few bytes of each record: enough to tell which records are new, and to judge the window like every other one. Once the window
// is declared, Houndtrail reads the new records again, and writes each part before it reads the next one. One entry commits all
// parts.

// skim reads a window in parts, and keeps only a little of each record.
func (r *reading) skim(ctx context.Context) (err error) {
	p := &r.plan
	skimmer := dedup.Skimmer{}
	skims := []dedup.Skim{}
	r.Batch, err = p.Source.FetchParts(ctx, r.since, r.End.Add(-grain), r.limits, func(records []record.Record) error {
		for i := range records {
			skim := skimmer.Skim(&records[i])
			skim.Own, skim.Filtered = p.Source.Own(ctx, &records[i]), !p.Filter.Match(&records[i])
			skims = append(skims, skim)
		}
		return nil
	}, p.counting(r.since, p.before)...)
	if err != nil {
		return err
	}
	slices.SortFunc(skims, dedup.Skim.Compare)
	r.skims = slices.Compact(skims) // two parts that follow each other share the instant at their ends
	return onceEach(r.skims)
}

// onceEach returns an error if two different records have the same id. Within one part, FetchParts has already checked this.
func onceEach(skims []dedup.Skim) error {
	ids := make([]int64, len(skims))
	for i := range skims {
		ids[i] = skims[i].ID
	}
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return fmt.Errorf("the server answered with the id %d twice and different content: an id belongs to one row of its "+
				"database, so one of the two is not what is stored there, and nothing of what was read is used; is there more than one "+
				"database behind the address, or is the log being altered while it is read? If this goes on, look at the "+
				"row in BloodHound's database (table audit_logs)", ids[i])
		}
	}
	return nil
}

// inParts encodes a window that Houndtrail reads again when it writes it. The list fresh is sorted and does not change: if
// another record has appeared since the first reading, the next cycle looks back and finds it.
func (e *Exporter) inParts(s span, fresh []dedup.Skim) *encoding {
	done := make(chan struct{})
	close(done)
	s.Release()
	fresh = slices.Clone(fresh) // the new records may be a small part of all that Houndtrail read
	return &encoding{done: done, write: func(ctx context.Context) (receipt checkpoint.Receipt, err error) {
		if len(fresh) == 0 {
			return receipt, nil
		}
		return e.Sink.WriteParts(ctx, s.Window, e.reread(ctx, s, fresh))
	}}
}

// reread reads the new records of a window once more, and yields them part by part. If the server does not return some of them,
// reread yields an error last.
func (e *Exporter) reread(ctx context.Context, s span, fresh []dedup.Skim) iter.Seq2[[]record.Record, error] {
	return func(yield func([]record.Record, error) bool) {
		enough := errors.New("no more parts are wanted")
		came, left := make([]bool, len(fresh)), len(fresh)
		first, last := fresh[0].Name().CreatedAt, fresh[len(fresh)-1].Name().CreatedAt
		_, err := e.Source.FetchParts(ctx, first, last, s.limits, func(records []record.Record) error {
			records = slices.DeleteFunc(records, func(r record.Record) bool {
				i, wanted := dedup.Find(fresh, r.ID, r.CreatedAt)
				if !wanted || came[i] { // a record at the ends of two parts comes twice
					return true
				}
				came[i] = true
				left--
				return false
			})
			if len(records) > 0 && !yield(records, nil) {
				return enough
			}
			return nil
		})
		if err == nil && left > 0 {
			missing := fresh[slices.Index(came, false)].Name()
			err = fmt.Errorf("%w: %d of %d records of the window from %s to %s did not come when Houndtrail read them again to write "+
				"them (the first is id %d of %s); nothing of the window is committed; if a replica that lags answers for the server, the next run "+
				"finds them again", ErrIncomplete, left, len(fresh), stamp(s.Start), stamp(s.End), missing.ID, stamp(missing.CreatedAt))
		}
		if err != nil && !errors.Is(err, enough) {
			yield(nil, failed(StageSource, err))
		}
	}
}

// count is the number of records that Houndtrail has read of the span.
func (s span) count() int {
	if s.skims != nil {
		return len(s.skims)
	}
	return len(s.Records())
}

// name is the name of the span's record at index i.
func (s span) name(i int) dedup.Ref {
	if s.skims != nil {
		return s.skims[i].Name()
	}
	return dedup.Ref{ID: s.Records()[i].ID, CreatedAt: s.Records()[i].CreatedAt}
}

// An encoding is the part of a window's delivery that changes nothing outside the process. It runs in a goroutine of its own.
type encoding struct {
	done  chan struct{}
	write encodedWindow // read it and err only after done is closed
	err   error
}

// An encodedWindow writes the window to the destination, once.
type encodedWindow = func(context.Context) (checkpoint.Receipt, error)

// encode lets the sink encode the fresh records of a window, as far as the sink can before it is the window's turn. encode
// releases the records once the sink no longer needs them.
func (e *Exporter) encode(under *sync.WaitGroup, s span, fresh []record.Record) *encoding {
	enc := &encoding{done: make(chan struct{})}
	under.Go(func() {
		defer close(enc.done)
		defer s.Release()
		var held int64
		enc.write, held, enc.err = e.Sink.Prepare(s.Window, fresh)
		s.loan.Keep(held)
	})
	return enc
}

// wait returns when the encoding has ended: with the function that writes the window, or with an error. The encoding does not
// keep that function, so its memory is free once the window has been written.
func (enc *encoding) wait() (write encodedWindow, err error) {
	<-enc.done
	write, enc.write = enc.write, nil
	return write, enc.err
}

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
	n.Fresh, n.Excluded = kept, n.Excluded+len(fresh)-kept
	return fresh[:kept]
}

// pairing is the work that pairs the records of a window.
type pairing struct {
	window  pair.Window
	waiting []checkpoint.Intent
	after   time.Time // an intent from after it waits
}

// pairs begins to pair the records of a window. An intent waits only if a later window can bring its outcome: a backfill's windows
// come in any order.
func (e *Exporter) pairs(w walk, before standing, win window.Window, read []record.Record) pairing {
	p := pairing{waiting: before.waiting, after: endOfTime}
	if e.Pairs == 0 {
		return p
	}
	p.window = pair.Of(read)
	switch {
	case w.kind.past():
	case w.kind.keepsPosition():
		p.after = before.cursor.Add(-e.Pairs)
	default:
		p.after = win.End.Add(-e.Pairs)
	}
	return p
}

// joined returns the records that the stream delivers of a window's new ones, with the outcomes and their intents paired.
func (e *Exporter) joined(ctx context.Context, p *part, by pairing, fresh []record.Record) ([]record.Record, error) {
	own := func(r *record.Record) bool { return e.Source.Own(ctx, r) }
	filtered := func(r *record.Record) bool { return !e.Filter.Match(r) }
	if e.Pairs == 0 && len(by.waiting) == 0 {
		return sortOut(e, fresh, &p.records, func(r *record.Record) (bool, bool) { return own(r), filtered(r) }), nil
	}
	fresh = sortOut(e, fresh, &p.records, func(r *record.Record) (bool, bool) { return own(r), false })
	join := by.window.Join
	if e.Pairs == 0 {
		join = pair.Part
	}
	j, err := join(by.waiting, fresh, by.after)
	if err != nil {
		return nil, failed(StageCheckpoint, err)
	}
	n := &p.records
	p.waiting, n.Held, n.Paired, n.Matched, n.Released = j.Waiting, j.Held, j.Paired, j.Matched, j.Released
	n.Excluded += j.Paired
	return sortOut(e, j.Records, n, func(r *record.Record) (bool, bool) { return false, filtered(r) }), nil
}
