package exporter

import (
	"context"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// mostInFlight is how many windows Houndtrail writes at the same time. With so many, the writes hide the time that a distant
// store or receiver takes to answer. The memory limits them too.
const mostInFlight = 6

// A flight has the windows of a walk that are not committed yet, oldest first. Houndtrail declares them, then writes them at
// the same time, and commits them in order. So the position never passes a record that is not durable.
type flight struct {
	*cycle
	walk walk

	under    []*delivery
	planned  []*delivery                // the windows among them that are not declared yet
	declared <-chan struct{}            // closed when the flight has declared the next windows; nil if it declares none
	proceed  func()                     // then call this: it begins to write them
	commits  <-chan struct{}            // closed when the commit of the oldest window has ended; nil if none is under way
	settle   func() error               // then call this
	oldest   <-chan checkpoint.Sighting // brings the source's oldest record; nil until the flight looks for that record
	running  sync.WaitGroup
	begun    bool // a window was launched
	ended    bool // the last window was launched
}

// A delivery is a window that the flight is writing.
type delivery struct {
	part
	outcome outcome                    // complete once done is closed
	oldest  <-chan checkpoint.Sighting // replaces the oldest record of the outcome; nil for none
	done    chan struct{}
	err     error // complete once done is closed
}

// export delivers the windows of a walk and commits them.
func (c *cycle) export(ctx context.Context, w walk) error {
	if len(w.intents) == 0 {
		c.lease.Drop() // an earlier walk took the windows that an attempt left unfinished
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &flight{cycle: c, walk: w}
	windows := c.windows(ctx, w)
	defer func() {
		cancel()
		f.running.Wait() // the next cycle takes the windows again that this cycle does not commit
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
		case p.encoding == nil: // the window was sent on, and is not to be written
			continue
		}
		if p.last && !p.news() { // the position decides whether the window needs an entry, so all earlier windows have to be committed
			if err := f.land(ctx, nil); err != nil {
				return err
			}
		}
		if err := f.launch(ctx, p); err != nil {
			return f.land(ctx, err)
		}
	}
}

// await takes the next step that is ready, or else the next window.
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
		case over(f.declared): // steps that are under way come first
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

// room is the channel from which the next window comes; nil while there is no room for one. The first window of a stream goes
// alone: its entry is the journal's first one. It shows other processes that the files have a journal. Every window goes alone if
// the sink needs them in order.
func (f *flight) room(windows *pipeline) <-chan part {
	most := mostInFlight
	if ordered, ok := f.Sink.(InOrder); f.stored.Serial == 0 || ok && ordered.InOrder() {
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

// launch checks a window and starts to write it, unless it needs no entry.
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
	// When Hold returns, the entry that this cycle loaded is still the newest: no other runner has had the lease since then.
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

// counted returns the server's count of a window. Houndtrail may not have asked yet, because the window seemed to need no
// entry. Then it asks now, for this window alone.
func (f *flight) counted(ctx context.Context, p part) (*checkpoint.ServerCount, error) {
	if p.counting == nil {
		return f.complete(ctx, p.proof)
	}
	return p.counting.count, p.counting.err
}

// declareNext declares all planned windows in one write, and then lets the flight write them. From its declaration to its
// commit, a window does not change: if Houndtrail crashes, the next run reads the window in the lease and takes exactly the
// same span. So it replaces the objects that this attempt leaves behind.
func (f *flight) declareNext(ctx context.Context) {
	next, done := f.planned, make(chan struct{})
	windows := make([]window.Window, len(next))
	for i, d := range next {
		windows[i] = d.Window
	}
	f.planned = nil
	if f.lease.Declared(windows...) { // by an earlier attempt: this takes no time, so no other window comes between
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

// begin starts to write the declared windows. If Houndtrail could not declare them, they fail.
func (f *flight) begin(ctx context.Context, next []*delivery, err error) {
	for _, d := range next {
		switch {
		case err != nil:
			d.err = failed(StageCheckpoint, err)
			close(d.done)
		case d.records.Fresh == 0 && len(f.walk.intents) == 0: // a window without new records: its write does nothing outside the process
			f.write(ctx, d)
		default:
			f.running.Go(func() { f.write(ctx, d) })
		}
	}
}

// write makes a window durable at the destination. It changes no state that the commits use.
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

// land commits the windows under way, and then returns the reason why no more windows come. If one of these windows fails, land
// returns that error instead.
func (f *flight) land(ctx context.Context, why error) error {
	for len(f.under) > 0 {
		if _, _, err := f.await(ctx, nil); err != nil {
			return err
		}
	}
	return why
}

// commitFirst commits the oldest window, which is written. Data first, position second: at this line, every record of this
// window and of all earlier windows is durable. If Houndtrail crashes here, the next run repeats the window. If it crashes
// after the commit, the next run does not. One entry holds both the cursor and the delivered ids.
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
		f.last = &knownSet{stored.SHA256, f.set}
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
