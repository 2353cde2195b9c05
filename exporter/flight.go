package exporter

import (
	"context"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// mostInFlight is how many windows are written side by side: as many as hide the time that a distant store or receiver takes
// to answer. Memory bounds them as well.
const mostInFlight = 6

// A flight is the windows of a walk that are written and not committed yet, oldest first. They are declared, then written side
// by side, and committed in order, so that the position never passes a record that is not durable.
type flight struct {
	*cycle
	walk walk

	under    []*delivery
	planned  []*delivery                // of them: still to be declared
	declared <-chan struct{}            // closed when those have been declared that were next; nil if there are none
	proceed  func()                     // to be called then: has them written
	commits  <-chan struct{}            // closed when the oldest window is committed, or that failed; nil if it is not tried
	settle   func() error               // to be called then
	oldest   <-chan checkpoint.Sighting // of the source's oldest record; nil as long as that is not looked for
	running  sync.WaitGroup
	begun    bool // a window was launched
	ended    bool // the last one was
}

// A delivery is a window that is being written.
type delivery struct {
	part
	outcome outcome                    // complete once done is closed
	oldest  <-chan checkpoint.Sighting // takes the place of the outcome's; nil for none
	done    chan struct{}
	err     error // to be looked at then
}

// export delivers the windows of a walk and commits them.
func (c *cycle) export(ctx context.Context, w walk) error {
	if len(w.intents) == 0 {
		c.lease.Drop() // what an attempt left unfinished was taken before
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &flight{cycle: c, walk: w}
	windows := c.windows(ctx, w)
	defer func() {
		cancel()
		f.running.Wait() // the next cycle takes again what is not committed
		windows.close()
	}()
	for {
		if f.begun && !f.ended && c.stops() {
			return f.land(ctx, ErrStopped)
		}
		p, more, err := f.await(ctx, f.room(windows))
		switch {
		case err != nil:
			return err
		case !more:
			return f.land(ctx, windows.ready.err)
		case p.encoding == nil: // a window went on
			continue
		}
		if p.last && !p.news() { // whether it needs an entry depends on where the position is
			if err := f.land(ctx, nil); err != nil {
				return err
			}
		}
		if err := f.launch(ctx, p); err != nil {
			return f.land(ctx, err)
		}
	}
}

// await takes the next step of those that are under way, or else the next window.
func (f *flight) await(ctx context.Context, next <-chan part) (p part, more bool, err error) {
	over := func(step <-chan struct{}) bool {
		select {
		case <-step: // never if it is nil
			return true
		default:
			return false
		}
	}
	for {
		switch {
		case over(f.declared): // first what goes on by itself
			f.proceed()
			return part{}, true, nil
		case over(f.commits):
			return part{}, true, f.settle()
		case over(f.written()):
			return part{}, true, f.commitFirst(ctx)
		}
		select {
		case <-f.declared:
		case <-f.commits:
		case <-f.written():
		case p, more = <-next:
			return p, more, nil
		}
	}
}

// room is where the next window comes from, nil while there is no room for one. The first window of a stream is by itself: it
// is its first entry that tells others that its files have a journal.
func (f *flight) room(windows *pipeline) <-chan part {
	most := mostInFlight
	if f.stored.Serial == 0 {
		most = 1
	}
	if len(f.under) >= most {
		return nil
	}
	return windows.ready.out
}

// written is closed when the oldest window has been written; nil if there is none, or if it is being committed.
func (f *flight) written() <-chan struct{} {
	if len(f.under) == 0 || f.commits != nil {
		return nil
	}
	return f.under[0].done
}

// launch starts to write a window that is as it should be, unless it needs no entry.
func (f *flight) launch(ctx context.Context, p part) error {
	if err := f.checkGuessedClock(p.clock); err != nil {
		return err
	}
	if err := f.checkContinuity(ctx, f.walk, p); err != nil {
		return err
	}
	if f.idle(f.walk, p) {
		p.loan.Return()
		return nil
	}
	d := &delivery{part: p, done: make(chan struct{})}
	var err error
	if d.outcome.counted, err = f.counted(ctx, p); err != nil {
		return err
	}
	f.refreshEnds(ctx, d)
	// What was loaded is still the newest: no other runner had the lease since.
	if err := f.lease.Hold(ctx); err != nil {
		return failed(StageCheckpoint, err)
	}
	if err := f.commitBarrier(ctx, f.walk); err != nil {
		return err
	}
	if d.outcome.holes, err = f.quarantine(ctx, p.holes); err != nil {
		return err
	}
	f.under, f.planned, f.begun, f.ended = append(f.under, d), append(f.planned, d), true, p.last
	if f.declared == nil {
		f.declareNext(ctx)
	}
	return nil
}

// counted is what the server counts of a window. If that was not asked yet, the window might have needed no entry: it is by itself.
func (f *flight) counted(ctx context.Context, p part) (*checkpoint.ServerCount, error) {
	if p.counting == nil {
		return f.complete(ctx, p.proof)
	}
	return p.counting.count, p.counting.err
}

// declareNext has all declared that is planned, in one write, and then written. From there to the commit a window is fixed: the
// run that follows after a crash reads it in the lease, takes the very same span and so replaces the objects that this attempt
// leaves behind.
func (f *flight) declareNext(ctx context.Context) {
	next, done := f.planned, make(chan struct{})
	windows := make([]window.Window, len(next))
	for i, d := range next {
		windows[i] = d.Window
	}
	f.planned = nil
	if f.lease.Declared(windows...) { // by an earlier attempt: that takes no time, in which another window could come between
		f.begin(ctx, next, f.lease.Intend(ctx, windows...))
		return
	}
	var err error
	f.running.Go(func() {
		defer close(done)
		err = f.lease.Intend(ctx, windows...)
	})
	f.declared = done
	f.proceed = func() {
		f.declared = nil
		f.begin(ctx, next, err)
		if len(f.planned) > 0 {
			f.declareNext(ctx)
		}
	}
}

// begin has windows written that are declared, or else failed to be.
func (f *flight) begin(ctx context.Context, next []*delivery, err error) {
	for _, d := range next {
		switch {
		case err != nil:
			d.err = failed(StageCheckpoint, err)
			close(d.done)
		case d.records.Fresh == 0 && len(f.walk.intents) == 0: // nothing is asked of anything outside
			f.write(ctx, d)
		default:
			f.running.Go(func() { f.write(ctx, d) })
		}
	}
}

// write makes a window durable at the destination. It touches nothing that the commits change.
func (f *flight) write(ctx context.Context, d *delivery) {
	defer close(d.done)
	write := d.write
	d.write = nil // its memory is free when it has been written
	receipt, err := write(ctx)
	if err == nil {
		err = f.leavesNothing(ctx, f.walk, d.part, receipt)
	}
	d.outcome.receipt, d.err = receipt, failed(StageSink, err)
}

// land commits what is under way, and returns why no more is to come. A window that fails is the reason that counts.
func (f *flight) land(ctx context.Context, why error) error {
	for len(f.under) > 0 {
		if _, _, err := f.await(ctx, nil); err != nil {
			return err
		}
	}
	return why
}

// commitFirst has the oldest window committed, which has been written. Data first, position second: every record of the window,
// and of those before it, is durable at this line. A crash here repeats the window, a crash after the commit does not. Cursor and
// delivered ids travel in one entry.
func (f *flight) commitFirst(ctx context.Context) error {
	d := f.under[0]
	if d.err != nil {
		return d.err
	}
	var stored checkpoint.Stored
	var err error
	done := make(chan struct{})
	f.running.Go(func() {
		defer close(done)
		stored, err = f.commit(ctx, d)
	})
	f.commits = done
	f.settle = func() error {
		if f.commits = nil; err != nil {
			return failed(StageCheckpoint, err)
		}
		f.stored, f.under = stored, f.under[1:]
		f.lease.Settle(d.Window)
		f.set = d.next
		f.last = &known{stored.SHA256, f.set}
		d.loan.Return()
		f.committed()
		return nil
	}
	return nil
}

func (f *flight) commit(ctx context.Context, d *delivery) (stored checkpoint.Stored, err error) {
	if d.oldest != nil {
		d.outcome.seen = <-d.oldest
	}
	next, err := f.entry(ctx, f.walk, d.part, d.outcome)
	if err != nil {
		return stored, err
	}
	if stored, err = f.Store.Commit(ctx, f.stored, next); err != nil {
		f.lease.MarkCommitUncertain()
	}
	return stored, err
}
