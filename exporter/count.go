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

// ErrIncomplete says that the server counts more records in a window than it returned, or that it returned more before.
var ErrIncomplete = errors.New("the server returned fewer records than it has")

// mostBrackets is how often Houndtrail asks the server to count a window before it accepts two bounds instead of an exact
// count.
const mostBrackets = 2

// A proof compares the number of records read of a span, since..end, with the server's count.
type proof struct {
	window window.Window
	since  time.Time // the span's beginning: that of the window, or of the overlap
	read   int       // records, and those that the server cannot return
	first  counted   // the count from since on, as its own first page said; not known if that page began earlier
	pages  bracket   // the counts that the next window's pages brought along
}

// A bracket has three counts of the server, each of all records from an instant on. Houndtrail takes them in this order: from
// the end of a span, from its beginning, and from its end once more. The span has as many records as the second count, without
// those that were at or behind its end at that moment. These were at least the first count and, as rows are only ever added, at
// most the third.
type bracket struct{ end, start, endAgain counted }

// counted is a count of the server. known is false if the server's build does not tell one. taken is false if Houndtrail has
// not asked yet.
type counted struct {
	n            int64
	taken, known bool
}

// takeFrom takes the counts that the next window's pages brought along. They cost no request of their own.
func (p *proof) takeFrom(next span) {
	if !next.since.Equal(p.window.End) {
		return
	}
	for i, c := range []*counted{&p.pages.end, &p.pages.start, &p.pages.endAgain} {
		c.n, c.known = next.Counted(i)
		c.taken = c.known
	}
}

// A counting compares a proof, in a goroutine of its own.
type counting struct {
	done  chan struct{}
	count *checkpoint.ServerCount // read it and err only after done is closed
	err   error
}

// count compares a window while the other windows go on. The first window of a walk is compared before all others: it finds out
// whether Houndtrail can believe the server's count at all.
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
		b = bracket{} // rows came in meanwhile: in a quieter moment the count is exact
	}
}

// fill asks for the missing counts of a bracket, and stops if another count would say no more.
func (c *cycle) fill(ctx context.Context, p proof, b *bracket) error {
	for _, ask := range []struct {
		*counted
		from time.Time
	}{{&b.end, p.window.End}, {&b.start, p.since}, {&b.endAgain, p.window.End}} {
		if ask.taken {
			continue
		}
		if b.start.taken && (!b.start.known || !b.end.known || b.start.n-b.end.n <= int64(p.read)) {
			return nil // a second count from the end would change nothing
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
		// The server may have dropped old rows meanwhile: its count proves nothing.
		c.Log.Warn("the server counts fewer records than it returned: its count is not used", zap.Int64("read", read),
			zap.Int64("counted", most), zap.Time("from", p.since), zap.Time("until", p.window.End))
		return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, nil
	}
	if read == most { // there are no more than these, and these are there
		return &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: read, AtMost: read}, nil
	}
	least := max(b.start.n-b.endAgain.n, 0)
	if p.first.known { // a record that appeared after the read is not missing: the next look back finds it
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

// countsByFilter tells whether the server's count obeys the filter that bounds it: from the end of time on, it must count no
// record. Houndtrail asks this once a cycle, before it believes the first count. It need not ask if a count already shows it.
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
