package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// intents are windows that are about to be written, oldest first. Each write of a lease has all of them.
type intents struct {
	mu      sync.Mutex
	windows []window.Window
}

func (i *intents) all() []window.Window {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.windows)
}

func (i *intents) set(windows []window.Window) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.windows = slices.Clone(windows)
}

// add puts windows behind the others, unless they are there already. A window that is in parts stays in parts.
func (i *intents) add(windows []window.Window) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range windows {
		w.Start, w.End = w.Start.UTC(), w.End.UTC()
		if known := slices.IndexFunc(i.windows, w.Equal); known < 0 {
			i.windows = append(i.windows, w)
		} else if w.Parts {
			i.windows[known].Parts = true
		}
	}
}

// Intents are the windows that this holder or an earlier one declared with Intend, and that no holder has settled or dropped
// since, oldest first. They outlive Release and crashes. If one was not committed, parts of it may have been written already:
// the next attempt has to take exactly these windows, and in this order.
func (l *Lease) Intents() []window.Window { return l.intents.all() }

// Intend declares windows that the caller is about to write to the destination, oldest first, in addition to earlier ones. The
// declaration is durable when Intend returns without an error. The caller must not write any part of the windows before.
func (l *Lease) Intend(ctx context.Context, windows ...window.Window) error {
	l.intents.add(windows)
	err := l.Hold(ctx)
	if err == nil {
		err = l.declare(ctx, windows)
	}
	if err == nil {
		err = l.ended() // a lease that ended while the write was under way protects nothing any more
	}
	if err != nil {
		first, last := windows[0], windows[len(windows)-1]
		return fmt.Errorf("declare the window %s to %s: %w",
			first.Start.UTC().Format(time.RFC3339Nano), last.End.UTC().Format(time.RFC3339Nano), err)
	}
	return nil
}

// Declared tells that Intend has nothing to write for these windows: an earlier attempt has declared them. If a write is under
// way, Declared does not wait for it and says no.
func (l *Lease) Declared(windows ...window.Window) bool {
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
		return l.declared(windows)
	default:
		return false
	}
}

// Settle says that a window was committed: this window and the ones before it are no intents any more. The next write of the
// lease says so. Until then a reader sees it in the journal, whose newest entry has that window.
func (l *Lease) Settle(w window.Window) {
	l.intents.mu.Lock()
	defer l.intents.mu.Unlock()
	l.intents.windows = after(l.intents.windows, w)
}

// after are the intents that are left once a window was committed: all of them if that window was no intent.
func after(intents []window.Window, committed window.Window) []window.Window {
	return slices.Clone(intents[slices.IndexFunc(intents, committed.Equal)+1:])
}

// Tell writes the lease with the intents that are left. It says at once what Settle leaves to the next write: once the newest
// entry of the journal has no window, a reader cannot see it there any more.
func (l *Lease) Tell(ctx context.Context) error {
	if err := l.update(ctx, func(*leaseRecord) {}); err != nil {
		return fmt.Errorf("tell which of the windows that were declared are committed: %w", err)
	}
	return nil
}

// Drop gives all intents up, with the next write of the lease. The caller knows that each was committed long ago.
func (l *Lease) Drop() { l.intents.set(nil) }

// Forget drops the intents, and this is durable when it returns. The caller accounts by other means for the objects that
// attempts have left at the destination.
func (l *Lease) Forget(ctx context.Context) error {
	l.Drop()
	err := l.Hold(ctx)
	if err == nil {
		err = l.update(ctx, func(r *leaseRecord) { r.CommitUncertain = false })
	}
	if err != nil {
		return fmt.Errorf("drop the windows that were declared: %w", err)
	}
	return nil
}
