package exporter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A window that does not fit into memory and cannot be cut is read twice, in parts. The first time only a few bytes of each
// record are kept: enough to tell what is new, and to judge the window as any other one. Once it is declared, what is new is
// read again, and each part of it is written before the next one is read. One entry commits all of them.

// skim reads a window in parts, and keeps little of them.
func (r *reading) skim(ctx context.Context) (err error) {
	p := &r.plan
	skimmer := dedup.Skimmer{}
	skims := []dedup.Skim{}
	r.Batch, err = p.Source.FetchParts(ctx, r.since, r.End.Add(-grain), r.limits, func(records []record.Record) error {
		for i := range records {
			skim := skimmer.Skim(&records[i])
			skim.Own = p.Source.Own(ctx, &records[i])
			skims = append(skims, skim)
		}
		return nil
	}, p.counting(r.since, p.before)...)
	if err != nil {
		return err
	}
	slices.SortFunc(skims, dedup.Skim.Compare)
	r.skims = slices.Compact(skims) // parts have their ends in common
	return onceEach(r.skims)
}

// onceEach is an error if two records that are not alike have one id: within a part, that was told already.
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

// inParts is the encoding of a window that is read again when it is written. It is sorted, what is new of it is not changed
// any more: a record that has appeared meanwhile is left to the next look back.
func (e *Exporter) inParts(s span, fresh []dedup.Skim) *encoding {
	done := make(chan struct{})
	close(done)
	s.Release()
	fresh = slices.Clone(fresh) // of all that was read it may be little
	return &encoding{done: done, write: func(ctx context.Context) (receipt checkpoint.Receipt, err error) {
		if len(fresh) == 0 {
			return receipt, nil
		}
		return e.Sink.WriteParts(ctx, s.Window, e.again(ctx, s, fresh))
	}}
}

// again reads what is new of a window once more, and yields it part by part. If not all of it comes, the last thing that it
// yields is an error.
func (e *Exporter) again(ctx context.Context, s span, fresh []dedup.Skim) iter.Seq2[[]record.Record, error] {
	return func(yield func([]record.Record, error) bool) {
		enough := errors.New("no more parts are wanted")
		came, left := make([]bool, len(fresh)), len(fresh)
		first, last := fresh[0].Name().CreatedAt, fresh[len(fresh)-1].Name().CreatedAt
		_, err := e.Source.FetchParts(ctx, first, last, s.limits, func(records []record.Record) error {
			records = slices.DeleteFunc(records, func(r record.Record) bool {
				i, wanted := dedup.Find(fresh, r.ID, r.CreatedAt)
				if !wanted || came[i] { // or it is at the ends of two parts
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
			err = fmt.Errorf("%w: %d of %d records of the window from %s to %s did not come when they were read again to be written (id %d "+
				"of %s, to begin with); nothing of the window is committed; if a replica that lags answers for the server, the next run "+
				"finds them again", ErrIncomplete, left, len(fresh), stamp(s.Start), stamp(s.End), missing.ID, stamp(missing.CreatedAt))
		}
		if err != nil && !errors.Is(err, enough) {
			yield(nil, failed(StageSource, err))
		}
	}
}

// count is how many records were read of the span.
func (s span) count() int {
	if s.skims != nil {
		return len(s.skims)
	}
	return len(s.Records)
}

// name is the name of a record that was read of the span, by its place among them.
func (s span) name(i int) dedup.Ref {
	if s.skims != nil {
		return s.skims[i].Name()
	}
	return dedup.Ref{ID: s.Records[i].ID, CreatedAt: s.Records[i].CreatedAt}
}
