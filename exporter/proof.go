package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/exporter/window"
)

// ErrIncomplete says that the server counts more records in a window than it returned.
var ErrIncomplete = errors.New("the server returned fewer records than it counts")

// A proof holds the records read of a span, since..end, against three counts of the server's, each of everything from
// an instant on, taken in this order. Rows only ever come in, so those of the span when it was read are at least
// first - end, and at most again - end; what comes in late makes the interval wider, never wrong.
//
// A row that comes in between the page and its count, which one answer holds, may make first one too high: the window
// is then read again.
type proof struct {
	window window.Window
	since  time.Time // the span's beginning: the window's, or the overlap's
	read   int

	first counted // from since on, with the first page
	end   counted // from the window's end on, later
	again counted // from since on, later still
}

// counted is a count of the server's. known is false where its build does not tell one, taken where nobody asked yet.
type counted struct {
	n            int64
	taken, known bool
}

// takeFrom takes the counts that the pages of the next window brought along, which cost no request of their own.
func (p *proof) takeFrom(next span) {
	if next.since.Equal(p.window.End) {
		p.end = taken(next.Count(p.window.End))
		if p.end.known {
			p.again = taken(next.Count(p.since))
			p.again.taken = p.again.known // a window of a single page had none to ask with
		}
	}
}

func taken(n int64, known bool) counted { return counted{n: n, taken: true, known: known} }

// complete asks for the counts that are still missing and compares.
func (e *Exporter) complete(ctx context.Context, p proof) (*checkpoint.ServerCount, error) {
	if !e.VerifyCount {
		return &checkpoint.ServerCount{Status: checkpoint.CountOff}, nil
	}
	if p.read == 0 {
		p.again = counted{taken: true} // no count can be too low for nothing
	}
	for _, c := range []struct {
		*counted
		from time.Time
	}{{&p.end, p.window.End}, {&p.again, p.since}} {
		if !p.first.known || c.taken {
			continue
		}
		n, known, err := e.Source.Count(ctx, c.from)
		if err != nil {
			return nil, failed(StageSource, fmt.Errorf("count the records from %s on: %w", stamp(c.from), err))
		}
		*c.counted = taken(n, known)
	}
	return e.judge(p)
}

func (e *Exporter) judge(p proof) (*checkpoint.ServerCount, error) {
	if !p.first.known || !p.end.known || !p.again.known && p.read > 0 {
		return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, nil
	}
	least, most := max(p.first.n-p.end.n, 0), p.again.n-p.end.n
	if p.read == 0 {
		most = least
	}
	if int64(p.read) < least {
		return nil, failed(StageSource, fmt.Errorf("%w: %d of at least %d that were created from %s to before %s; nothing of "+
			"the window is committed; if a cache or a replica that lags answers for the server, the next run may find it "+
			"complete; if it is the count that errs, set HOUNDTRAIL_VERIFY_COUNT=off", ErrIncomplete,
			p.read, least, stamp(p.since), stamp(p.window.End)))
	}
	if int64(p.read) > most {
		// It may have dropped old rows meanwhile, or have overlooked the filter: either way its count proves nothing.
		e.Log.Warn("the server counts fewer records than it returned: its count is not used", zap.Int("read", p.read),
			zap.Int64("counted", most), zap.Time("from", p.since), zap.Time("until", p.window.End))
		return &checkpoint.ServerCount{Status: checkpoint.CountUnknown}, nil
	}
	return &checkpoint.ServerCount{Status: checkpoint.CountBounded, AtLeast: least, AtMost: most}, nil
}
