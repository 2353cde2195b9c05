package exporter

import (
	"context"

	"houndtrail/checkpoint"
)

// mostInFlight is how many windows are written side by side: as many as hide the time that a distant store or receiver takes
// to answer. Memory bounds them as well.
const mostInFlight = 6

// A flight is the windows of a walk that are written and not committed yet, oldest first. They are written side by side and
// committed in order, so that the position never passes a record that is not durable.
type flight struct {
	*cycle
	walk walk

	under []*delivery
	begun bool // a window was launched
	ended bool // the last one was
}

// A delivery is a window that is being written.
type delivery struct {
	part
	outcome outcome // complete once done is closed
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
		f.abandon()
		windows.close()
	}()
	for {
		if f.begun && !f.ended && c.stops() {
			return f.land(ctx, ErrStopped)
		}
		select {
		case p, more := <-f.room(windows):
			if !more {
				return f.land(ctx, windows.ready.err)
			}
			if p.last && !p.news() { // whether it needs an entry depends on where the position is
				if err := f.land(ctx, nil); err != nil {
					return err
				}
			}
			if err := f.launch(ctx, p); err != nil {
				return f.land(ctx, err)
			}
		case <-f.written():
			if err := f.commitFirst(ctx); err != nil {
				return err
			}
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

// written is closed when the first window has been written; nil if there is none.
func (f *flight) written() <-chan struct{} {
	if len(f.under) == 0 {
		return nil
	}
	return f.under[0].done
}

// launch starts to write a window that is as it should be, unless it needs no entry.
func (f *flight) launch(ctx context.Context, p part) error {
	if err := f.confirm(p.clock); err != nil {
		return err
	}
	if err := f.checkContinuity(ctx, f.walk, p); err != nil {
		return err
	}
	if f.idle(f.walk, p) {
		p.loan.Return()
		return nil
	}
	counted, err := f.complete(ctx, p.proof)
	if err != nil {
		return err
	}
	d := &delivery{part: p, outcome: outcome{counted: counted, seen: f.refreshOldest(ctx, f.walk, p)}, done: make(chan struct{})}
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
	write, err := p.encoding.wait()
	if err != nil {
		return failed(StageSink, err)
	}
	f.lease.Plan(checkpoint.Window(p.Window)) // in the order in which they are committed
	f.under, f.begun, f.ended = append(f.under, d), true, p.last
	go func() {
		defer close(d.done)
		d.outcome.receipt, d.err = f.write(ctx, p, write)
	}()
	return nil
}

// write makes a window durable at the destination. It touches nothing that the commits change.
func (f *flight) write(ctx context.Context, p part, write encoded) (receipt checkpoint.Receipt, err error) {
	// From here to the commit the window is fixed: the run that follows after a crash reads it in the lease, takes the
	// very same span and so replaces the objects that this attempt leaves behind.
	if err := f.lease.Intend(ctx, checkpoint.Window(p.Window)); err != nil {
		return receipt, failed(StageCheckpoint, err)
	}
	if receipt, err = write(ctx); err == nil {
		err = f.leavesNothing(ctx, f.walk, p, receipt)
	}
	return receipt, failed(StageSink, err)
}

// land commits what is under way, and returns why no more is to come. A window that fails is the reason that counts.
func (f *flight) land(ctx context.Context, why error) error {
	for len(f.under) > 0 {
		if err := f.commitFirst(ctx); err != nil {
			return err
		}
	}
	return why
}

// commitFirst waits for the oldest window to be written, and commits it.
func (f *flight) commitFirst(ctx context.Context) error {
	d := f.under[0]
	<-d.done
	if d.err != nil {
		return d.err
	}
	// Data first, position second. Every record of the window, and of those before it, is durable at this line; a crash
	// here repeats the window, a crash after it does not. Cursor and delivered ids travel in one entry.
	next, err := f.entry(ctx, f.walk, d.part, d.outcome)
	if err != nil {
		return failed(StageCheckpoint, err)
	}
	stored, err := f.Store.Commit(ctx, f.stored, next)
	if err != nil {
		f.lease.Doubt()
		return failed(StageCheckpoint, err)
	}
	f.stored, f.under = stored, f.under[1:]
	f.lease.Settle(checkpoint.Window(d.Window))
	f.set = d.next
	f.last = &known{f.stored.SHA256, f.set}
	d.loan.Return()
	f.committed()
	return nil
}

// abandon waits for what is still being written, once its context has ended: the next cycle takes those windows again.
func (f *flight) abandon() {
	for _, d := range f.under {
		<-d.done
	}
}
