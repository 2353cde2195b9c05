package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// ErrIncomplete says that records of a window are missing: the server counts more of them than it returned, or an earlier
// attempt got more.
var ErrIncomplete = errors.New("the server returned fewer records than it has")

// mostBrackets is how often Houndtrail asks the server to count a window before it accepts two bounds instead of an exact
// count.
const mostBrackets = 2

// A proof compares two numbers for a span, since..end: the records that Houndtrail read, and the server's count.
type proof struct {
	window window.Window
	since  time.Time // the span's beginning: the window's start, or the overlap's start before it
	read   int       // records that Houndtrail read, and records that the server cannot return
	first  counted   // the count from since on, as the window's own first page told it; not known if that page began earlier
	pages  bracket   // the counts that came with the next window's pages
}

// A bracket holds three counts of the server. Each counts all records from an instant on. Houndtrail takes them in this order:
// from the end of a span, from its beginning, and from its end again. The records of the span are the second count without the
// records at or after the span's end at that moment. Of these later records there were at least as many as the first count
// says. As the server only adds rows, there were at most as many as the third count says.
type bracket struct{ end, start, endAgain counted }

// counted is a count of the server. known is false if the server's build does not tell one. taken is false if Houndtrail has
// not asked yet.
type counted struct {
	n            int64
	taken, known bool
}

// takeFrom takes the counts that came with the next window's pages. They need no request of their own.
func (p *proof) takeFrom(next span) {
	if !next.since.Equal(p.window.End) {
		return
	}
	for i, c := range []*counted{&p.pages.end, &p.pages.start, &p.pages.endAgain} {
		c.n, c.known = next.Counted(i)
		c.taken = c.known
	}
}

// A counting runs the comparison of a proof in its own goroutine.
type counting struct {
	done  chan struct{}
	count *checkpoint.ServerCount // read it and err only after done is closed
	err   error
}

// count compares a window while Houndtrail works on the other windows. It compares the first window of a walk before all
// others: this shows whether Houndtrail can believe the server's count at all.
func (c *cycle) count(ctx context.Context, under *sync.WaitGroup, p proof, first *counting) *counting {
	counting := &counting{done: make(chan struct{})}
	under.Go(func() {
		defer close(counting.done)
		if first != nil {
			if <-first.done; first.err != nil {
				counting.err = first.err
				return
			}
		}
		counting.count, counting.err = c.complete(ctx, p)
	})
	return counting
}

// complete compares the records read with the server's count, and asks the server for the counts that the pages did not bring.
func (c *cycle) complete(ctx context.Context, p proof) (*checkpoint.ServerCount, error) {
	if !c.VerifyCount {
		return &checkpoint.ServerCount{Status: checkpoint.CountOff}, nil
	}
	b := p.pages
	for tries := 1; ; tries++ {
		if err := c.fill(ctx, p, &b); err != nil {
			return nil, err
		}
		if ok, err := c.countsByFilter(ctx, b); err != nil || !ok {
			return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, err
		}
		counted, err := c.judge(p, b)
		if err != nil || counted.Status != checkpoint.CountBounded || tries == mostBrackets {
			return counted, err
		}
		b = bracket{} // rows came in during the count: in a quieter moment the count is exact
	}
}

// fill asks for the missing counts of a bracket. It stops early if another count would not change the verdict.
func (c *cycle) fill(ctx context.Context, p proof, b *bracket) error {
	for _, ask := range []struct {
		*counted
		from time.Time
	}{{&b.end, p.window.End}, {&b.start, p.since}, {&b.endAgain, p.window.End}} {
		if ask.taken {
			continue
		}
		if b.start.taken && (!b.start.known || !b.end.known || b.start.n-b.end.n <= int64(p.read)) {
			return nil // the second count from the end would change nothing
		}
		n, known, err := c.Source.Count(ctx, ask.from)
		if err != nil {
			return failed(StageSource, fmt.Errorf("count the records from %s on: %w", stamp(ask.from), err))
		}
		*ask.counted = counted{n: n, taken: true, known: known}
	}
	return nil
}

func (c *cycle) judge(p proof, b bracket) (*checkpoint.ServerCount, error) {
	if !b.end.known || !b.start.known {
		return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, nil
	}
	read, most := int64(p.read), b.start.n-b.end.n
	if read > most {
		// The server may have dropped old rows during the count: then its count proves nothing.
		c.Log.Warn("the server counts fewer records than it returned: its count is not used", zap.Int64("read", read),
			zap.Int64("counted", most), zap.Time("from", p.since), zap.Time("until", p.window.End))
		return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, nil
	}
	if read == most { // there are no more records than these, and Houndtrail has them all
		return &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: read, AtMost: read}, nil
	}
	least := max(b.start.n-b.endAgain.n, 0)
	if p.first.known { // a record that appeared after the read is not missing: the next cycle looks back and finds it
		least = max(min(least, p.first.n-b.endAgain.n), 0)
	}
	if read < least {
		return nil, failed(StageSource, fmt.Errorf("%w: %d of at least %d that were created from %s to before %s; nothing of "+
			"the window is committed; if a cache or a replica that lags answers for the server, the next run may find it "+
			"complete; if it is the count that errs, set "+setting.VerifyCount+"=off", ErrIncomplete,
			read, least, stamp(p.since), stamp(p.window.End)))
	}
	return &checkpoint.ServerCount{Status: checkpoint.CountBounded, AtLeast: least, AtMost: most}, nil
}

// countsByFilter tells whether the server's count obeys the filter: from the end of time on, it must count no record.
// Houndtrail asks this once a cycle, before it believes the first count. It need not ask if a count of the bracket already
// shows it.
func (c *cycle) countsByFilter(ctx context.Context, b bracket) (bool, error) {
	switch {
	case c.counts.taken:
		return c.counts.known, nil
	case b.end.known && b.end.n == 0 && b.start.n > 0:
		c.counts = counted{taken: true, known: true}
		return true, nil
	}
	n, known, err := c.Source.Count(ctx, endOfTime)
	if err != nil {
		return false, failed(StageSource, fmt.Errorf("test whether the server's count obeys a filter: %w", err))
	}
	if known && n > 0 {
		c.Log.Warn("the server's count ignores the filter that bounds it, so no window can be counted", zap.Int64("counted", n))
	}
	c.counts = counted{taken: true, known: known && n == 0}
	return c.counts.known, nil
}
