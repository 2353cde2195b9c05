package exporter

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/budget"
)

// mostReads is how many windows a fetcher reads at the same time. With so many, the reads hide the time that a distant server
// takes to answer.
const mostReads = 5

// far is how long a distant server takes to begin an answer.
const far = 50 * time.Millisecond

// A fetcher reads the windows of a walk, each as long as memory allows. It reads several at the same time if the server is far
// away, and if the log is about equally dense everywhere.
type fetcher struct {
	plan
	memory *budget.Account
	ahead  chan<- span

	reads []*reading   // under way, oldest first
	most  int          // readings at the same time
	fill  float64      // how full the last window was, compared with the plan
	loan  *budget.Loan // the memory of a window that the fetcher plans anew; nil for none
}

// A reading is a window that a goroutine is reading.
type reading struct {
	span
	plan   plan // the plan for this window
	cancel context.CancelFunc

	done   chan struct{} // the fields below are complete only after it is closed
	took   time.Duration
	jumped bool // the window ends later than planned
	err    error
}

func (e *Exporter) fetch(ctx context.Context, w walk, memory *budget.Account, ahead chan<- span) error {
	f := &fetcher{plan: newPlan(e, w), memory: memory, ahead: ahead, most: 1}
	defer f.discard()
	for {
		if err := f.readAhead(ctx); err != nil || len(f.reads) == 0 {
			return err
		}
		select {
		case <-f.reads[0].done:
			if err := f.first(ctx); err != nil {
				return err
			}
		case <-f.memory.Returned(): // there may be room for one more
		}
	}
}

// readAhead begins to read the next window, and more windows if that helps. If the memory is in use, it waits, but only for the
// first window.
func (f *fetcher) readAhead(ctx context.Context) error {
	for len(f.reads) == 0 || len(f.reads) < f.most && f.steady(f.fill) {
		win, due := f.next()
		if !due {
			return nil
		}
		loan, err := f.borrow(ctx)
		if err != nil || loan == nil {
			return err
		}
		from, floor := f.reach()
		s := span{Window: win, loan: loan, since: from, known: floor, remembered: f.remembered(f.walk, win, f.known)}
		f.reads = append(f.reads, begin(ctx, f.plan, s))
		f.plan = f.after(s)
	}
	return nil
}

// borrow takes the memory that the window may need: once for its pages, and once more for its objects. The loan is nil if the
// memory is not enough for another window.
func (f *fetcher) borrow(ctx context.Context) (loan *budget.Loan, err error) {
	bytes := 2*f.Limits.Bytes + f.Limits.Bytes/2
	switch {
	case f.loan != nil:
		loan, f.loan = f.loan, nil
		return loan, nil
	case len(f.reads) > 0:
		return f.memory.TryBorrow(bytes), nil
	case f.large:
		return f.memory.BorrowAlone(ctx, func() error { return f.sendOn(ctx) })
	default:
		return f.memory.Borrow(ctx, bytes, func() error { return f.sendOn(ctx) })
	}
}

// begin starts to read a window.
func begin(ctx context.Context, by plan, s span) *reading {
	r := &reading{plan: by, span: s, done: make(chan struct{})}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		began := time.Now()
		r.err = r.read(ctx)
		r.took = time.Since(began)
	}()
	return r
}

func (r *reading) read(ctx context.Context) (err error) {
	p := &r.plan
	r.limits = p.limits(r.Window)
	if r.Parts {
		return r.skim(ctx)
	}
	r.Batch, err = p.Source.Fetch(ctx, r.since, r.End.Add(-grain), r.limits, p.counting(r.since, p.before)...)
	if err != nil {
		return err
	}
	if empty := !p.whole && r.Fill() == 0 && r.End.Before(p.horizon); empty {
		return r.jump(ctx)
	}
	return nil
}

// jump makes one window of a gap: the window then ends at the next record, even if that record is far away.
func (r *reading) jump(ctx context.Context) error {
	p := &r.plan
	next, ok, err := p.Source.First(ctx, r.End, p.horizon)
	if err != nil {
		r.Release()
		r.Batch = nil
		return err
	}
	if !ok {
		next = p.horizon
	}
	if next = next.Truncate(grain); !next.After(r.End) {
		return nil
	}
	r.Release()
	r.End, r.jumped = next, true
	r.remembered = p.remembered(p.walk, r.Window, p.known)
	// Houndtrail reads the whole window again: only an answer and a count of the server show that the gap is empty.
	r.Batch, err = p.Source.Fetch(
		ctx, r.since, r.End.Add(-grain), bloodhound.Limits{Share: p.Limits.Share}, p.counting(r.since, p.before)...)
	return err
}

// first sends the oldest window on. The fetcher has read it. The fetcher plans all later windows anew if that window was too
// much, or does not end as planned.
func (f *fetcher) first(ctx context.Context) error {
	r := f.reads[0]
	f.reads = f.reads[1:]
	r.cancel()
	if r.err != nil {
		f.discard()
		f.plan, f.loan = r.plan, r.loan
		if err := f.adapt(r.Window, r.err); err != nil {
			return err
		}
		if f.large {
			f.loan.Return()
			f.loan = nil
		}
		f.scout(r)
		return nil
	}
	if r.jumped {
		f.discard()
		f.plan, f.fill = r.plan.after(r.span), 0
	} else if f.fill = r.Fill() / r.plan.planned(); !r.plan.whole && !r.plan.alone() {
		f.planner = f.planner.Learn(r.Window, r.Fill())
	}
	f.shown, f.share = true, 0
	r.last = !r.End.Before(f.horizon)
	latency, ready := r.Latency(), time.Now()
	if err := f.send(ctx, r.span); err != nil {
		return err
	}
	f.weigh(latency, r.took, time.Since(ready)) // the span is the next stage's now
	return nil
}

// scout handles a first page that was too much for the first window: the fetcher may now read several windows at the same time.
// The page told how dense the log is, and whether the server is far away.
func (f *fetcher) scout(r *reading) {
	if f.share > 0 && !f.shown && r.took >= far {
		f.fill, f.most = 1, mostReads
	}
}

// weigh sets how many windows the fetcher reads at the same time: several if the server is far away, and fewer if the later
// stages cannot keep up, since waiting windows take memory. If the server is near, one window at a time is as fast as several.
func (f *fetcher) weigh(latency, took, kept time.Duration) {
	switch {
	case latency < far:
		f.most = 1
	case kept > took:
		f.most = max(f.most-1, 1)
	default:
		f.most = mostReads
	}
}

// send gives a window to the next stage.
func (f *fetcher) send(ctx context.Context, s span) error {
	if s.skims == nil { // if it has skims, Houndtrail reads it again
		s.loan.Keep(2 * s.Held())
	}
	select {
	case f.ahead <- s:
		return nil
	case <-ctx.Done():
		s.Release()
		return context.Cause(ctx)
	}
}

// sendOn tells the next stage to send the previous window on now, without the counts that come with the next window: the
// fetcher needs the memory of the previous window for the next one.
func (f *fetcher) sendOn(ctx context.Context) error {
	select {
	case f.ahead <- span{}:
		f.before = time.Time{}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// discard gives up all readings.
func (f *fetcher) discard() {
	for _, r := range f.reads {
		r.cancel()
	}
	for _, r := range f.reads {
		<-r.done
		if r.err == nil {
			r.Release()
		}
		r.loan.Return()
	}
	f.reads = nil
}
