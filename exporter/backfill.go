package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A Past is a stream's own journal, which a backfill only reads.
type Past interface {
	Load(ctx context.Context) (checkpoint.Stored, error)
}

// A Backfill delivers the time before a stream's own start. It has its own journal and its own lease. So the stream goes on
// meanwhile, and neither waits for the other.
//
// Each run plans its work anew: it takes the time that the user asked for, and leaves out the time for which the stream's
// journal or the backfill's own journal accounts. So if a run was interrupted, the user starts the same run again, and it goes
// on from there. No two runs deliver the same time. Windows need neither an overlap nor a set of delivered ids: all records in
// them became visible long ago.
type Backfill struct {
	Stream  Exporter // the stream's source and destination; a backfill does not touch the stream's Store
	Past    Past     // the stream's own journal
	Journal Store    // the backfill's own journal: its windows come in any order

	// Again delivers all of the time once more, whatever the stream has delivered of it: a replay. Then Past is nil. Absent is the time
	// that the source does not have.
	Again  bool
	Absent []window.Window

	From time.Time // zero: from the source's oldest record
	To   time.Time // zero: to the start of the stream

	Planned func(BackfillPlan) // called with the plan before the work begins; may be nil
}

// Run delivers the missing records, oldest first. If Run returns a [*RangeError], it did nothing. Every other error is an
// [*Error]. Every commit stands, also if Run returns an error. The next run leaves the committed time out.
func (b *Backfill) Run(ctx context.Context) error {
	m, err := b.Stream.moment(ctx, false)
	if err != nil {
		return err
	}
	own, start, err := b.own(ctx)
	if err != nil {
		return err
	}
	asked, err := b.asked(m.now, start)
	if err != nil {
		return err
	}
	return holding(ctx, b.Journal, func(ctx context.Context, lease *checkpoint.Lease) error {
		c := &cycle{moment: m, lease: lease, mark: time.Now()}
		err := b.fill(ctx, c, asked, own)
		if errors.Is(err, ErrIncomplete) {
			b.Stream.Log.Warn("a window seems incomplete: Houndtrail reads it again", zap.Error(err))
			err = b.fill(ctx, c, asked, own)
		}
		return err
	})
}

// fill plans the missing time and delivers its records.
func (b *Backfill) fill(ctx context.Context, c *cycle, asked, own window.Window) error {
	// Houndtrail reads this under the lease only: then no other command can remove records from the archive before the backfill
	// writes.
	forgotten, err := b.forgotten(ctx)
	if err != nil {
		return err
	}
	c.Exporter = &b.Stream
	done, stored, err := b.done(ctx, c, own)
	if err != nil {
		return err
	}
	extent, err := b.Stream.Source.Extent(ctx, c.now)
	if err != nil {
		return failed(StageSource, err)
	}
	oldest := extent.Oldest.Truncate(grain)
	if extent.Empty {
		oldest = asked.End
	}
	plan := planBackfill(asked, own, done, oldest, forgotten)
	plan.without(b.Absent)
	if err := plan.resume(own, done, c.lease); err != nil {
		return failed(StageCheckpoint, err)
	}
	if b.Planned != nil {
		b.Planned(plan)
	}
	e := b.Stream
	e.Store, e.Overlap, e.Rescan = b.Journal, 0, 0
	c.Exporter, c.stored = &e, stored
	for i, gap := range plan.Gaps {
		w := walk{
			kind: walkBackfill, cursor: gap.Start, horizon: gap.End, since: gap.Start, known: gap.Start, try: extent.Page,
		}
		if plan.Resumed && i == 0 {
			w.intents = c.lease.Intents()
		}
		if err := c.export(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// forgotten is the time whose records a user has removed from the destination on purpose.
func (b *Backfill) forgotten(ctx context.Context) (time.Time, error) {
	if b.Again {
		return time.Time{}, nil
	}
	newest, err := b.Past.Load(ctx)
	return newest.ForgottenBefore, failed(StageCheckpoint, err)
}

// own is the time for which the stream is responsible: it has delivered these records, or will deliver them. This time begins
// at the stream's start. Everything behind the cursor belongs to it, and everything later too. If the user asked for no start,
// the stream also delivers records that appear before its start.
func (b *Backfill) own(ctx context.Context) (own window.Window, start time.Time, err error) {
	if b.Again {
		return window.Window{Start: endOfTime, End: endOfTime}, start, nil
	}
	newest, err := b.Past.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return own, start, &RangeError{"the stream has not committed anything yet, so Houndtrail does not know which records it " +
			"will deliver itself: run houndtrail run --once first"}
	}
	if err != nil {
		return own, start, failed(StageCheckpoint, err)
	}
	own = window.Window{Start: newest.Start, End: newest.Cursor}
	if !newest.StartAsked {
		own.Start = time.Time{}
	}
	return own, newest.Start, nil
}

// asked is the time to backfill, with the default of To filled in. If From is zero, it stays zero.
func (b *Backfill) asked(now, start time.Time) (window.Window, error) {
	w := window.Window{Start: b.From.Truncate(grain), End: b.To.Truncate(grain)}
	end := "--to " + stamp(w.End)
	if b.To.IsZero() {
		w.End, end = start, "the stream's own start "+stamp(start)
	}
	if !w.Start.Before(w.End) {
		return w, &RangeError{fmt.Sprintf("--from %s is not before %s", stamp(w.Start), end)}
	}
	if b.Again {
		return w, nil
	}
	// A later record may still appear in this time. A backfill reads each window only once, so it would miss that record.
	promised := b.Stream.Settle + b.Stream.Overlap
	if settled := now.Add(-promised); w.End.After(settled) {
		return w, &RangeError{fmt.Sprintf("%s is not yet %s ago ("+setting.Settle+" and "+setting.Overlap+" together) by "+
			"BloodHound's clock: records of that time may still appear; wait, or give --to %s or earlier",
			end, promised, stamp(settled.Truncate(time.Second)))}
	}
	return w, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// done is the time that the backfill's journal accounts for, and the newest entry, which the next entry follows.
func (b *Backfill) done(
	ctx context.Context, c *cycle, own window.Window,
) (done []window.Window, newest checkpoint.Stored, err error) {
	newest, err = b.Journal.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) && own.Start.IsZero() {
		return nil, checkpoint.Stored{}, nil // everything is the stream's own
	}
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, checkpoint.Stored{}, b.Stream.vacant(ctx, c.lease.Intents(), own.Start)
	}
	if err == nil {
		newest, err = c.declare(ctx, b.Journal, c.lease, newest)
	}
	return newest.Covered, newest, failed(StageCheckpoint, err)
}

// A BackfillPlan says what a backfill is going to do.
type BackfillPlan struct {
	Asked   window.Window   // with the defaults filled in
	Gaps    []window.Window // the times to deliver, in this order
	Skipped []Skipped       // the parts of Asked that the backfill leaves out, in order of time
	Resumed bool            // the first gap is the time that the interrupted run was writing
}

// Span is the length of all gaps together.
func (p *BackfillPlan) Span() (sum time.Duration) {
	for _, gap := range p.Gaps {
		sum += gap.Span()
	}
	return sum
}

// Skipped is a time that a backfill leaves out, and why.
type Skipped struct {
	window.Window
	Reason string
}

// Why a backfill leaves out a time.
const (
	SkippedEmpty     = "BloodHound has no record that old"
	SkippedDone      = "an earlier backfill delivered it"
	SkippedDelivered = "the stream itself delivered it"
	SkippedDue       = "the stream itself will deliver it"
	SkippedForgotten = "houndtrail forget removed it on purpose"
	SkippedAbsent    = "the archive does not hold it"
)

// planBackfill starts from the time that the user asked for, and takes four times away. These are the time before the oldest
// record; the time whose records a user removed from the archive on purpose; the time that the backfill has already done; and
// the stream's own time. The stream's own time begins with the start of its first window.
func planBackfill(asked, own window.Window, done []window.Window, oldest, forgotten time.Time) BackfillPlan {
	if asked.Start.IsZero() {
		asked.Start = oldest
		if asked.End.Before(oldest) {
			asked.Start = asked.End
		}
	}
	if own.Start.Before(oldest) {
		oldest = own.Start
	}
	p := BackfillPlan{Asked: asked}
	p.skip(window.Window{Start: asked.Start, End: oldest}, SkippedEmpty)
	old := asked.Intersect(window.Window{Start: oldest, End: own.Start})
	if gone := old.Intersect(window.Window{Start: old.Start, End: forgotten}); gone.Span() > 0 {
		p.skip(gone, SkippedForgotten)
		old = old.Intersect(window.Window{Start: gone.End, End: old.End})
	}
	p.Gaps = window.Gaps(old, done)
	for _, w := range window.Gaps(old, p.Gaps) {
		p.skip(w, SkippedDone)
	}
	p.skip(own, SkippedDelivered)
	p.skip(window.Window{Start: own.End, End: asked.End}, SkippedDue)
	return p
}

func (p *BackfillPlan) skip(w window.Window, reason string) {
	if w = p.Asked.Intersect(w); w.Span() > 0 {
		p.Skipped = append(p.Skipped, Skipped{w, reason})
	}
}

// resume puts the windows that an interrupted run was writing before all other gaps, whatever the user asks for now. The
// interrupted run may have left files at the destination. The name of each file is the start of its window, so only exactly the
// same windows replace these files.
func (p *BackfillPlan) resume(own window.Window, done []window.Window, lease *checkpoint.Lease) error {
	var w window.Window // the resumed windows follow one another: the gap reaches from the first to the last
	for _, intent := range lease.Intents() {
		if len(window.Gaps(intent, done)) == 0 {
			lease.Settle(intent)
			continue
		}
		if w.End = intent.End; w.Start.IsZero() {
			w.Start = intent.Start
		}
	}
	if w.Span() == 0 {
		return nil
	}
	if !w.Start.Before(own.Start) { // after an adoption, the stream accounts for their objects and for all of their time
		lease.Drop()
		return nil
	}
	if w.End.After(own.Start) {
		return fmt.Errorf("%w: an interrupted backfill was writing the window %s to %s, and the stream, which starts at %s, "+
			"delivers a part of it too: the stream's journal must have been replaced since: restore it, or remove what is named "+
			"after that window's start from the archive, and the lease.json of the backfill",
			checkpoint.ErrCorrupt, stamp(w.Start), stamp(w.End), stamp(own.Start))
	}
	gaps := []window.Window{w}
	for _, gap := range p.Gaps {
		gaps = append(gaps, window.Gaps(gap, gaps[:1])...)
	}
	p.Gaps, p.Resumed = gaps, true
	return nil
}
